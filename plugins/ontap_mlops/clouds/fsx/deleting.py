"""Deletion of what was made here; a volume's data goes into a last backup unless somebody says that it need not."""

from __future__ import annotations

from typing import Any

from ontap_mlops.clouds import errors, marks
from ontap_mlops.clouds.fsx import resources
from ontap_mlops.clouds.fsx.calls import call
from ontap_mlops.clouds.fsx.resources import ACCESS_POINT, BACKUP, FILE_SYSTEM, SVM, VOLUME


def delete(client: Any, *, kind: str, id: str, skip_final_backup: bool = False) -> bool:
    """Begin to delete an object; False when it is gone already. ``skip_final_backup`` is for volumes.

    Raises NotOurs for one that was not made here, InUse for one that still holds others, which it names.
    """
    try:
        record = resources.get(client, kind, id)
    except errors.NotFound:
        return False
    if kind == ACCESS_POINT:
        _require_our_volume(client, record)
    else:
        resources.require_ours(client, kind, record)
    if record.get("Lifecycle") == "DELETING":
        return True
    asked, token = (
        f"delete {resources.KINDS[kind].word} {id!r}",
        {"ClientRequestToken": marks.token("delete", kind, id)},
    )
    if kind == VOLUME:
        backup = {"SkipFinalBackup": skip_final_backup}
        if not skip_final_backup:
            backup["FinalBackupTags"] = resources.tags(f"last-{record['Name']}")  # type: ignore[assignment]
        call(client, "delete_volume", asked=asked, VolumeId=id, OntapConfiguration=backup, **token)
    elif kind == SVM:
        _require_empty(client, kind, id, VOLUME, storage_virtual_machine_id=id)
        call(client, "delete_storage_virtual_machine", asked=asked, StorageVirtualMachineId=id, **token)
    elif kind == FILE_SYSTEM:
        _require_empty(client, kind, id, SVM, file_system_id=id)
        call(client, "delete_file_system", asked=asked, FileSystemId=id, **token)
    elif kind == BACKUP:
        call(client, "delete_backup", asked=asked, BackupId=id, **token)
    else:
        call(client, "detach_and_delete_s3_access_point", asked=asked, Name=id, **token)
    return True


def _require_our_volume(client: Any, record: dict[str, Any]) -> None:
    """Access points have no tags: one is ours when its volume is."""
    volume_id = str((record.get("OntapConfiguration") or {}).get("VolumeId"))
    resources.require_ours(client, VOLUME, resources.get(client, VOLUME, volume_id))


def _require_empty(client: Any, kind: str, id_: str, held: str, **filters: str) -> None:
    there = resources.list_all(client, held, **filters)
    left = [v["Name"] for v in there if not (v.get("OntapConfiguration") or {}).get("StorageVirtualMachineRoot")]
    if left:
        raise errors.InUse(
            f"The {resources.KINDS[kind].word} {id_!r} still has the {resources.KINDS[held].word}s "
            f"{', '.join(sorted(left))}; delete them first. Nothing was deleted."
        )
