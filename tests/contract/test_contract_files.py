"""Files of a volume through the official client: listed, made, and cloned out of a snapshot."""

from __future__ import annotations

import pytest
from netapp_ontap.error import NetAppRestError
from netapp_ontap.resources import FileClone, FileInfo, Snapshot


def names(volume, path: str | None = None) -> set[str]:
    parents = (volume.uuid,) if path is None else (volume.uuid, path)
    return {file.name for file in FileInfo.get_collection(*parents)} - {".", ".."}


def test_folders_are_made_listed_and_removed(volume):
    FileInfo.from_dict({"type": "directory", "unix_permissions": 755}, volume.uuid, "d1").post()
    FileInfo.from_dict({"type": "directory"}, volume.uuid, "d1/d2").post()
    assert "d1" in names(volume) and names(volume, "d1") == {"d2"}
    with pytest.raises(NetAppRestError):
        FileInfo.from_dict({"path": "d1"}, volume.uuid).delete()
    FileInfo.from_dict({"path": "d1"}, volume.uuid).delete(recurse=True)
    assert "d1" not in names(volume)


def test_a_file_of_a_snapshot_is_cloned_into_the_volume(volume, only_emulator, name):
    file = only_emulator.namespace / name / "weights.bin"
    file.write_bytes(b"first")
    Snapshot(volume.uuid, name="v1").post(poll_interval=1)
    file.write_bytes(b"second")
    assert names(volume, ".snapshot/v1") == {"weights.bin"}
    FileClone(
        volume={"uuid": volume.uuid},
        source_path=".snapshot/v1/weights.bin",
        destination_path="weights.bin",
        overwrite_destination=True,
    ).post(poll_interval=1)
    assert file.read_bytes() == b"first"
