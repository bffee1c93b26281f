"""Transfers of a mirror: slowed down, aborted, failing, killed; the destination is whole at every moment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Emulator, Pair, peer
from tests.emulator.mirror_support import Mirrors, code, contents, pace
from tests.until import until

LARGE = 600_000
SLOW = 200
"""KB/s: the large file takes some three seconds."""


@pytest.fixture
def pair(peered: Pair) -> Iterator[Mirrors]:
    with peered.here.client() as here, peered.there.client() as there:
        yield Mirrors(peered, here, there)


def slowly(pair: Mirrors) -> str:
    """A slow transfer of one large file under way; its path."""
    (pair.files / "large").write_bytes(b"l" * LARGE)
    path = pair.transfer(throttle=SLOW)

    def moving() -> bool:
        record = pair.there.get(path).json()
        assert record["state"] in ("queued", "transferring") and record["bytes_transferred"] < LARGE, record
        return record["bytes_transferred"] > 0

    until(moving, "not a byte is transferred")
    return path


def test_an_aborted_transfer_leaves_the_destination_as_it_was(pair):
    pair.mirrored()
    before = contents(pair.copy)
    path = slowly(pair)
    busy = pair.there.post(f"{pair.path()}/transfers", json={})
    assert (code(busy), "Another transfer is in progress" in busy.text) == ("13303844", True)
    assert code(pair.change(state="broken_off")) == "13303808"
    assert code(pair.there.delete(pair.path())) == "6619715"
    assert pair.there.patch(path, json={"state": "aborted"}).status_code == 200
    record = pair.wait(path, "aborted")
    assert record["end_time"]
    assert contents(pair.copy) == before
    assert pair.relationship()["healthy"] is True
    assert code(pair.there.patch(path, json={"state": "aborted"})) == "13303847"
    pair.update()
    assert contents(pair.copy) == contents(pair.files)


def test_a_hard_abort_keeps_no_checkpoint(pair):
    pair.mirrored()
    path = slowly(pair)
    pair.there.patch(path, json={"state": "hard_aborted"})
    assert pair.wait(path, "hard_aborted")["checkpoint_size"] == 0


def test_one_that_waits_is_queued_and_can_be_aborted(pair):
    pair.mirrored()
    pace(pair.pair.there, "seconds", 60)
    path = pair.transfer()
    assert pair.there.get(path).json()["state"] == "queued"
    assert pair.relationship()["transfer"]["state"] == "queued"
    pair.there.patch(path, json={"state": "aborted"})
    pair.wait(path, "aborted")


@pytest.mark.parametrize("name", ["begin", "tree", "read", "end"])
def test_a_peer_that_cannot_be_reached_fails_the_transfer_and_changes_nothing(pair, name):
    pair.mirrored()
    before = contents(pair.copy)
    (pair.files / "new").write_bytes(b"n")
    fault = {"method": "POST", "path": f"/intercluster/mirror.{name}", "kind": "refuse"}
    pair.pair.here.control("POST", "/faults", fault)
    failed = pair.wait(pair.transfer(), "failed")
    assert failed["error_info"]["code"] == "4653061"
    assert "emulator" in failed["error_info"]["message"]
    assert contents(pair.copy) == before
    record = pair.relationship()
    assert (record["state"], record["healthy"]) == ("snapmirrored", False)
    assert record["unhealthy_reason"][0]["code"] == "4653061"
    pair.update()
    assert pair.relationship()["healthy"] is True
    assert contents(pair.copy) == contents(pair.files)
    assert len([name for name in pair.snapshots(pair.here, "data") if name.startswith("snapmirror.")]) == 1


def test_what_does_not_fit_into_the_destination_is_not_shown(pair):
    pair.mirrored()
    uuid = pair.here.get("/api/storage/volumes?name=data").json()["records"][0]["uuid"]
    with (pair.files / "sparse").open("wb") as file:
        file.truncate(900 << 20)
    assert pair.freeze("large").status_code == 201
    pair.here.patch(
        f"/api/storage/volumes/{uuid}?return_timeout=60", json={"space": {"snapshot": {"reserve_percent": 0}}}
    )
    with (pair.files / "sparse").open("wb") as file:
        file.truncate(1000 << 20)
    failed = pair.wait(pair.transfer(), "failed")
    assert failed["error_info"]["code"] == "917927"
    assert "sparse" not in contents(pair.copy)


def test_a_named_snapshot_is_transferred(pair):
    pair.mirrored()
    pair.freeze("v1")
    (pair.files / "after").write_text("v1")
    pair.update(source_snapshot="v1")
    assert "after" not in contents(pair.copy)
    assert pair.relationship()["exported_snapshot"] == "v1"
    missing = pair.wait(pair.transfer(source_snapshot="nothing"), "failed")
    assert missing["error_info"]["code"] == "1638600"


@pytest.fixture
def own_pair(tmp_path) -> Iterator[Mirrors]:
    """Two clusters to kill."""
    here = Emulator(tmp_path / "here").start()
    there = Emulator(tmp_path / "there", "--cluster", "there", "--svm", "svm2").start()
    peer(here, there)
    with here.client() as one, there.client() as other:
        yield Mirrors(Pair(here, there), one, other)
    here.close()
    there.close()


def test_a_transfer_goes_on_after_a_kill_of_the_destination(own_pair):
    own_pair.mirrored()
    before = contents(own_pair.copy)
    path = slowly(own_pair)
    own_pair.pair.there.kill()
    assert contents(own_pair.copy) == before
    own_pair.pair.there.start()
    own_pair.wait(path)
    assert contents(own_pair.copy) == contents(own_pair.files)
    assert not list((own_pair.pair.there.root / "staging").iterdir())


def test_a_source_killed_in_the_midst_fails_the_transfer(own_pair):
    own_pair.mirrored()
    before = contents(own_pair.copy)
    (own_pair.files / "large").write_bytes(b"l" * 8_000_000)
    path = own_pair.transfer(throttle=2000)
    until(lambda: own_pair.there.get(path).json()["bytes_transferred"], "not a byte is transferred")
    own_pair.pair.here.kill()
    failed = own_pair.wait(path, "failed")
    assert failed["error_info"]["code"] in ("4653061", "13303844")
    assert contents(own_pair.copy) == before
    own_pair.pair.here.start()
    own_pair.update()
    assert contents(own_pair.copy) == contents(own_pair.files)
