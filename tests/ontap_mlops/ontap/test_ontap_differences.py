"""What differs between two states of a volume: nothing that may have changed is called the same."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ontap_mlops.ontap import clones, differences, restoring, snapshots
from ontap_mlops.ontap.files import FILE, Entry
from tests.ontap_mlops.conftest import MARK, SVM

FROZEN = datetime(2027, 1, 31, 12, 0, 30, 400_000, tzinfo=UTC)
OLD = "2027-01-31T12:00:29+00:00"
FILES = Entry(path="a", kind=FILE, size=5, modified_at=OLD, changed_at=OLD, inode=96)


def kept(**changes) -> bool:
    """Whether a file that is now so is known to be what it was."""
    before = replace(FILES, **{name: value[0] for name, value in changes.items()})
    after = replace(FILES, **{name: value[1] for name, value in changes.items()})
    found = differences.compare([before], [after], since=FROZEN)
    assert found.possibly <= {entry.path for entry in found.changed}
    return not found


def test_a_file_is_the_same_if_nothing_was_done_to_it_since_before_the_snapshots_second() -> None:
    assert kept()
    assert kept(changed_at=("2027-01-31T07:00:29-05:00",) * 2), "the same moment elsewhere"


@pytest.mark.parametrize(
    "changes",
    [
        {"size": (5, 6)},
        {"modified_at": (OLD, "2027-01-31T12:00:31+00:00")},
        {"changed_at": (OLD, "2027-01-31T12:00:31+00:00")},
        {"changed_at": ("2027-01-31T12:00:30+00:00",) * 2},
        {"inode": (96, 97)},
        {"changed_at": ("", "")},
        {"inode": (None, None)},
    ],
    ids=str,
)
def test_a_file_of_which_that_is_not_certain_counts_as_changed(changes) -> None:
    assert not kept(**changes)


def test_times_that_tell_more_than_seconds_tell_changes_within_one_second_apart() -> None:
    assert kept(changed_at=("2027-01-31T12:00:30.123456+00:00",) * 2)
    assert not kept(changed_at=("2027-01-31T12:00:30.123456+00:00", "2027-01-31T12:00:30.123457+00:00"))


def test_without_the_time_of_the_older_snapshot_whole_seconds_prove_nothing() -> None:
    assert differences.compare([FILES], [FILES]).possibly == {"a"}


def test_what_is_certain_is_told_from_what_may_be() -> None:
    touched = replace(FILES, changed_at="2027-01-31T12:05:00+00:00")
    found = differences.compare([FILES], [touched], since=FROZEN)
    assert (found.possibly, found.is_certain) == ({"a"}, False)
    assert str(found) == "0 added, 1 changed (1 of these perhaps), 0 removed"
    assert differences.compare([FILES], [replace(touched, size=9)], since=FROZEN).is_certain


@pytest.fixture
def top(ontap, volume) -> Path:
    found = ontap.emulator.namespace / "tyre"
    for folder in ("one", "other"):
        (found / folder).mkdir()
        (found / folder / "same.png").write_bytes(folder[:1].encode())
    return found


def freeze(client, volume, name: str) -> None:
    snapshots.ensure(client, volume_uuid=volume.uuid, name=name, comment=MARK)


def since(client, volume, name: str, after: str | None = None) -> list[str]:
    found = differences.between(client, volume_uuid=volume.uuid, before=name, after=after)
    return [entry.path for entry in (*found.added, *found.changed, *found.removed)]


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_seen(client, volume, top) -> None:
    freeze(client, volume, "v1")
    path = top / "one" / "same.png"
    was = path.stat()
    path.write_bytes(b"x")
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert since(client, volume, "v1") == ["one/same.png"]
    freeze(client, volume, "v2")
    assert since(client, volume, "v1", "v2") == ["one/same.png"]
    assert since(client, volume, "v2") == []


def test_folders_that_changed_places_are_seen_by_what_is_in_them(client, volume, top) -> None:
    for path in (top / "one" / "same.png", top / "other" / "same.png"):
        os.utime(path, (1_800_000_000, 1_800_000_000))
    freeze(client, volume, "v1")
    (top / "one").rename(top / "third")
    (top / "other").rename(top / "one")
    (top / "third").rename(top / "other")
    assert since(client, volume, "v1") == ["one/same.png", "other/same.png"]


def test_after_a_restore_in_one_step_nothing_differs_and_later_changes_do(client, volume, top) -> None:
    freeze(client, volume, "v1")
    (top / "one" / "same.png").write_bytes(b"spoiled")
    restoring.in_one_step(client, volume_uuid=volume.uuid, volume="tyre", snapshot="v1", owner="r-1")
    assert since(client, volume, "v1") == []
    freeze(client, volume, "v2")
    assert since(client, volume, "v1", "v2") == []
    os.utime(top / "one" / "same.png", (1_800_000_000, 1_800_000_000))
    assert since(client, volume, "v2") == ["one/same.png"]


def test_a_clone_begins_with_its_snapshots_times(client, volume, top) -> None:
    freeze(client, volume, "v1")
    clone = clones.ensure(client, svm=SVM, name="copy", parent_volume="tyre", parent_snapshot="v1", comment=MARK)
    old, new = (list(differences.files.walk(client, volume_uuid=uuid)) for uuid in (volume.uuid, clone.uuid))
    assert not differences.compare(old, new)
