from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journey import world as worlds
from tests.journey.world import World

# By the machine's own clock, which would make versions newer than those of the other journeys.
LAST = ("test_faults", "test_kills", "test_slurm", "test_two_runs", "test_two_sites")
BROWSER = Path(__file__).parents[1] / "browser"  # its tests need a version, and take whichever there is


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    late = [item for item in here if item.path.stem in LAST]
    late += [item for item in items if BROWSER in item.path.parents]
    rest = [item for item in items if item not in here and item not in late]
    items[:] = [*rest, *(item for item in here if item not in late), *late]


@pytest.fixture
def world() -> Iterator[World]:
    """The services that all journeys share, with ONTAP's clock and the killer as they are found; nothing runs on."""
    shared = worlds.world()
    yield shared
    shared.kill({})
    shared.set_clock(None)
    shared.settle()
