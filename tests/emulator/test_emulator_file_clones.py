"""Clones of blocks of files, and what cannot be cloned; whole files are in test_emulator_files.py."""

from __future__ import annotations

import pytest

BLOCK = 4096


@pytest.fixture
def files(make, emulator):
    """A volume with a file of three blocks and one of four."""
    volume = make()
    top = emulator.namespace / volume["name"]
    (top / "a").write_bytes(b"1" * BLOCK + b"2" * BLOCK + b"3" * BLOCK)
    (top / "b").write_bytes(b"." * BLOCK * 4)
    return volume, top


def clone(api, volume, *ranges, source="a", target="b"):
    body = {
        "volume": {"uuid": volume["uuid"]},
        "source_path": source,
        "destination_path": target,
        "range": list(ranges),
    }
    return api.post("/api/storage/file/clone?return_timeout=60", json=body)


def test_blocks_of_one_file_come_over_those_of_another(api, files):
    volume, top = files
    assert clone(api, volume, "0:1:1", "2:3:1").status_code == 201
    assert (top / "b").read_bytes() == b"".join(c * BLOCK for c in (b".", b"1", b".", b"3"))
    assert clone(api, volume, "0:1:1", source="b", target="b").status_code == 201
    assert (top / "b").read_bytes()[BLOCK] == ord(".")


@pytest.mark.parametrize(
    ("ranges", "source", "status"),
    [
        (["0:1"], "a", 400),
        (["0:1:0"], "a", 400),
        (["0:0:2", "1:3:1"], "a", 400),
        (["0:0:2", "2:1:1"], "a", 400),
        (["0:1:2"], "b", 400),
        (["0:3:2"], "a", 400),
        (["2:0:2"], "a", 400),
        (["0:0:1"], "nothing", 404),
    ],
    ids=str,
)
def test_ranges_that_overlap_or_are_not_there_change_nothing(api, files, ranges, source, status):
    volume, top = files
    before = (top / "b").read_bytes()
    assert clone(api, volume, *ranges, source=source).status_code == status
    assert (top / "b").read_bytes() == before


def test_files_of_a_flexgroup_are_not_cloned(api, make):
    group = make(aggregates=None, style="flexgroup", size="100MB")
    assert clone(api, group).json()["error"]["code"] == "3"
