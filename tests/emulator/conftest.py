"""Plain HTTP requests against a real emulator process: what a client library would hide is visible here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def api(emulator) -> Iterator[httpx.Client]:
    """Signed in as admin; jobs, clock and faults are put back afterwards."""
    with emulator.client() as client:
        yield client
    emulator.control("PUT", "/jobs", {"mode": "immediate"})
    emulator.control("PUT", "/clock", {"offset_s": 0})
    emulator.control("DELETE", "/faults")


@pytest.fixture
def clock_set(api) -> None:
    """The compliance clock of the node, without which no volume locks its snapshots; it is set once."""
    node = api.get("/api/cluster/nodes").json()["records"][0]["uuid"]
    answer = api.post("/api/storage/snaplock/compliance-clocks", json={"node": {"uuid": node}})
    assert answer.status_code in (201, 409), answer.text


@pytest.fixture
def make(api) -> Make:
    return maker(api)


def maker(api: httpx.Client) -> Make:
    """A function that makes a volume, mounted at its own name, and returns its record."""

    def make(name: str | None = None, **body: Any) -> dict[str, Any]:
        name = name or f"v_{uuid4().hex[:12]}"
        body = {"svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}], "nas": {"path": f"/{name}"}} | body
        answer = api.post("/api/storage/volumes?return_timeout=60&return_records=true", json={"name": name} | body)
        assert answer.status_code == 201, answer.text
        return answer.json()["records"][0]

    return make


@pytest.fixture
def s3_server(api) -> Iterator[None]:
    """An S3 server on svm1 while the test runs; other tests need the SVM without one."""
    made = api.post("/api/protocols/s3/services", json={"svm": {"name": "svm1"}, "name": "s3.emulator.test"})
    assert made.status_code == 201, made.text
    yield
    gone = api.delete(made.headers["location"] + "?delete_all=true&return_timeout=60")
    assert gone.status_code == 200, gone.text


@pytest.fixture
def freeze(api) -> Callable[..., dict[str, Any]]:
    return freezer(api)


def freezer(api: httpx.Client) -> Callable[..., dict[str, Any]]:
    """A function that takes a snapshot of a volume (uuid) and returns its record."""

    def freeze(volume: str, name: str = "s1", **body: Any) -> dict[str, Any]:
        path = f"/api/storage/volumes/{volume}/snapshots?return_timeout=60&return_records=true"
        answer = api.post(path, json={"name": name} | body)
        assert answer.status_code == 201, answer.text
        return answer.json()["records"][0]

    return freeze
