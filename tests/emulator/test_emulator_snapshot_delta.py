"""The advanced field `delta`: what has changed on a volume since a snapshot, and in which time."""

from __future__ import annotations

import pytest

SIZE = 1024**3


@pytest.fixture
def volume(fresh_emulator):
    with fresh_emulator.client() as api:
        facts = {"name": "tyre", "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}], "size": SIZE}
        facts["nas"] = {"path": "/tyre"}
        api.post("/api/storage/volumes?return_timeout=15", json=facts).raise_for_status()
        (record,) = api.get("/api/storage/volumes?name=tyre").json()["records"]
        yield api, f"/api/storage/volumes/{record['uuid']}/snapshots", fresh_emulator


def test_delta_counts_a_block_of_new_changed_and_removed_files_since_each_snapshot(volume) -> None:
    api, path, emulator = volume
    folder = emulator.namespace / "tyre"
    for name, size in (("kept", 1000), ("changed", 200), ("gone", 30)):
        (folder / name).write_bytes(b"a" * size)
    emulator.control("PUT", "/clock", {"offset_s": -90_000})
    api.post(f"{path}?return_timeout=15", json={"name": "old"}).raise_for_status()
    emulator.control("PUT", "/clock", {"offset_s": 0})
    (folder / "changed").write_bytes(b"b" * 250)
    (folder / "gone").unlink()
    (folder / "new").write_bytes(b"c" * 7)
    api.post(f"{path}?return_timeout=15", json={"name": "now"}).raise_for_status()
    found = {r["name"]: r["delta"] for r in api.get(f"{path}?fields=delta").json()["records"]}
    assert (found["old"]["size_consumed"], found["now"]["size_consumed"]) == (3 * 4096, 0)
    assert found["old"]["time_elapsed"].startswith("P1DT1H")


def test_delta_is_told_only_to_who_asks_for_it(volume) -> None:
    api, path, _ = volume
    api.post(f"{path}?return_timeout=15", json={"name": "one"}).raise_for_status()
    (record,) = api.get(f"{path}?fields=*").json()["records"]
    assert "delta" not in record
