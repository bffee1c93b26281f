"""A library with two versions, and a client of its service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from reading_room import MAY, NEW, NOVEMBER, OLD, Room
from starlette.testclient import TestClient

from services.documents import app


@pytest.fixture
def room(tmp_path: Path) -> Room:
    room = Room(tmp_path)
    room.index("r1", MAY, OLD)
    room.index("r2", NOVEMBER, NEW)
    return room


@pytest.fixture
def client(room: Room) -> Iterator[TestClient]:
    service, store = room.service()
    with TestClient(app.make(service), base_url="http://127.0.0.1") as client:
        yield client
    store.close()
