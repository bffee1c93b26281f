"""A restore loses nothing by itself: real files, byte for byte, there and back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ontap_mlops.ontap import differences, errors, files, leases, restoring, snapshots
from ontap_mlops.operators.differences import OntapSnapshotDifferenceOperator
from ontap_mlops.operators.snapshot_restore import OntapFileRestoreOperator, OntapSnapshotRestoreOperator
from tests.ontap_mlops.operators.protection import run


@pytest.fixture(autouse=True)
def connection(ontap, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())


@pytest.fixture
def top(ontap, volume) -> Path:
    found = ontap.emulator.namespace / "tyre"
    (found / "good" / "deep er").mkdir(parents=True)
    (found / "good" / "a+b.png").write_bytes(b"a")
    (found / "good" / "deep er" / "c.png").write_bytes(b"c")
    (found / "latest").symlink_to("good")
    return found


def freeze(client, volume, name: str) -> None:
    snapshots.ensure(client, volume_uuid=volume.uuid, name=name, comment="ontap-mlops")


def tree(top: Path) -> dict[str, bytes | str | None]:
    """Content by path; where a link leads, None for a folder."""
    found: dict[str, bytes | str | None] = {}
    for folder, folders, leaves in os.walk(top):
        folders[:] = [name for name in folders if name != ".snapshot"]
        for name in [*folders, *leaves]:
            path = Path(folder) / name
            key = str(path.relative_to(top))
            found[key] = str(path.readlink()) if path.is_symlink() else None if path.is_dir() else path.read_bytes()
    return {key: value for key, value in found.items() if key != ".snapshot"}


def change(top: Path) -> None:
    """One of everything that can become of a file."""
    (top / "one.png").write_bytes(b"FIRST, and more")
    (top / "good" / "a+b.png").unlink()
    (top / "good" / "new.png").write_bytes(b"new")
    (top / "bad" / "x").mkdir(parents=True)
    (top / "bad" / "x" / "y.png").write_bytes(b"y")
    (top / "latest").unlink()
    (top / "latest").symlink_to("bad")
    (top / "good" / "deep er" / "c.png").unlink()
    (top / "good" / "deep er").rmdir()
    (top / "good" / "deep er").write_bytes(b"a file where a folder was")


def restore(snapshot: str, run_id: str = "manual", **more):
    return run(OntapSnapshotRestoreOperator, run_id, volume="tyre", snapshot=snapshot, **more)


def test_there_and_back_with_every_snapshot_kept(client, volume, top) -> None:
    freeze(client, volume, "v1")
    before = tree(top)
    change(top)
    freeze(client, volume, "v2")
    after = tree(top)
    done = restore("v1")
    assert tree(top) == before
    assert done["restored"] == {"added": 2, "changed": 2, "removed": 2}
    assert restore(done["safety"], "back")["restored"]["added"] == 2
    assert tree(top) == after
    names = {s.name for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid)}
    assert {"v1", "v2", done["safety"]} < names
    assert restoring.LEASE not in names


def test_what_is_as_the_snapshot_has_it_needs_no_safety_snapshot(client, volume, top) -> None:
    freeze(client, volume, "v1")
    assert restore("v1")["safety"] is None
    assert [s.name for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid)] == ["v1"]


def test_the_second_of_two_runs_that_restore_one_volume_is_refused(client, volume, top) -> None:
    freeze(client, volume, "v1")
    change(top)
    changed = tree(top)
    leases.take(client, volume_uuid=volume.uuid, name=restoring.LEASE, owner="r-first")
    for safety in (True, False):
        with pytest.raises(errors.InUse, match="Volume 'tyre' is being restored by r-first since .* Wait for it"):
            restore("v1", safety=safety)
    assert tree(top) == changed


def test_a_retry_of_the_run_that_began_it_goes_on(client, volume, top) -> None:
    freeze(client, volume, "v1")
    before = tree(top)
    change(top)
    done = restore("v1", "same")
    assert restore("v1", "same")["safety"] == done["safety"], "as after a worker that died at the very end"
    (top / "one.png").write_bytes(b"written after")
    again = restore("v1", "same")["safety"]
    assert again == f"{done['safety']}_2" and tree(top) == before


def test_what_cannot_be_copied_out_is_refused_before_anything_changes(client, volume, top, monkeypatch) -> None:
    freeze(client, volume, "v1")
    odd = differences.Difference(added=(files.Entry(path="disk", kind="blockdev"),))
    monkeypatch.setattr(differences, "between", lambda *_, **__: odd)
    before = tree(top)
    with pytest.raises(errors.InvalidRequest, match="'disk' is neither file, folder nor link"):
        restore("v1")
    assert tree(top) == before


def test_discarding_newer_snapshots_and_keeping_all_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="newer snapshots are never lost with a safety snapshot"):
        restore("v1", discard_newer=True)


def test_one_file_comes_back_and_nothing_else(client, volume, top) -> None:
    freeze(client, volume, "v1")
    change(top)
    changed = tree(top)
    assert run(OntapFileRestoreOperator, volume="tyre", snapshot="v1", path="/good/a+b.png") == "good/a+b.png"
    facts = {"volume": "tyre", "snapshot": "v1", "path": "one.png"}
    assert run(OntapFileRestoreOperator, **facts, target="bad/was.png") == "bad/was.png"
    assert tree(top) == changed | {"good/a+b.png": b"a", "bad/was.png": b"first"}
    with pytest.raises(errors.NotFound, match="File 'none.png' of snapshot 'v1' was not restored"):
        run(OntapFileRestoreOperator, volume="tyre", snapshot="v1", path="none.png")


def test_the_difference_of_two_snapshots_goes_to_a_file(client, volume, top, tmp_path) -> None:
    freeze(client, volume, "v1")
    change(top)
    freeze(client, volume, "v2")
    output = f"file://{tmp_path}/changes.jsonl"
    found = run(OntapSnapshotDifferenceOperator, volume="tyre", before="v1", after="v2", changes_file=output)
    assert found == {"added": 2, "changed": 3, "removed": 2, "possibly": 0, "bytes": 44, "changes_file": output}
    lines = [json.loads(line) for line in (tmp_path / "changes.jsonl").read_text().splitlines()]
    assert {(line["change"], line["path"]) for line in lines} == {
        ("added", "bad/x/y.png"),
        ("added", "good/new.png"),
        ("changed", "good/deep er"),
        ("changed", "latest"),
        ("changed", "one.png"),
        ("removed", "good/a+b.png"),
        ("removed", "good/deep er/c.png"),
    }
    assert run(OntapSnapshotDifferenceOperator, volume="tyre", after="v1")["added"] == 4
    assert run(OntapSnapshotDifferenceOperator, volume="tyre", before="v2")["changed"] == 0
    with pytest.raises(errors.NotFound, match="has no snapshot 'v9'"):
        run(OntapSnapshotDifferenceOperator, volume="tyre", before="v9", after="v2")
