"""FlexClones: writable copies of one snapshot that cost no copying."""

from __future__ import annotations

from ontap_mlops.ontap import jobs, s3, volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import NameTaken, NotAuthorized, OntapPermanentError
from ontap_mlops.ontap.volumes import Volume


@repeatable
def ensure(
    client: Client,
    *,
    svm: str,
    name: str,
    parent_volume: str,
    parent_snapshot: str,
    comment: str,
    junction_path: str | None = None,
) -> Volume:
    """Return the clone of this name, made now or by an earlier try, and mounted if a path is given.

    :param comment: our mark (``marks.mark``); a volume of this name with another comment is somebody else's.
    """
    clone = volumes.find(client, svm=svm, name=name)
    if clone is None:
        # The path comes in a call of its own: some releases make a clone without one, some refuse it here (1520442).
        body = {
            "name": name,
            "svm": {"name": svm},
            "comment": comment,
            "clone": {
                "is_flexclone": True,
                "parent_volume": {"name": parent_volume},
                "parent_snapshot": {"name": parent_snapshot},
            },
        }
        clone = volumes.create_once(client, body, svm=svm, name=name)
    clone = _adopted(client, clone, parent_volume=parent_volume, parent_snapshot=parent_snapshot, comment=comment)
    return volumes.mount(client, volume=clone, junction_path=junction_path) if junction_path else clone


def delete(client: Client, *, svm: str, name: str, comment: str | None = None) -> bool:
    """Remove it; False if it was gone already. Never removes a volume without our mark."""
    return volumes.delete(client, svm=svm, name=name, comment=comment)


def delete_with_bucket(client: Client, *, svm: str, name: str, bucket: str, comment: str | None = None) -> bool:
    """Remove the clone and the bucket over it; False when there was no clone.

    The clone goes even if the bucket never can. Where it may go later, the clone stays until then: by it the next try,
    or a collection, finds the bucket. An account that may not see buckets made none, so that is no error.
    """
    there = volumes.find(client, svm=svm, name=name)
    if there is not None:
        volumes.require_removable(there, comment=comment)
    try:
        if _sees_bucket(client, svm, bucket):
            s3.delete_bucket(client, svm=svm, name=bucket, over=there)
    except OntapPermanentError:
        volumes.delete(client, svm=svm, name=name, comment=comment)
        raise
    return volumes.delete(client, svm=svm, name=name, comment=comment)


def _sees_bucket(client: Client, svm: str, name: str) -> bool:
    try:
        return s3.find_bucket(client, svm=svm, name=name) is not None
    except NotAuthorized:
        return False


@repeatable
def split(client: Client, *, clone: Volume, wait: bool = True) -> str | None:
    """Copy the shared blocks, after which the parent's snapshot is free.

    :param wait: False leaves the job, which may last hours, to whoever follows it (``jobs.state``).
    :return: UUID of the job; None where it was done at once, is done, or goes on already.
    """
    fields = "clone.is_flexclone,clone.split_initiated"
    record = client.record("Volume", {"uuid": clone.uuid}, asked=f"read the split of {clone.name!r}", fields=fields)
    now = record.get("clone") or {}
    if not now.get("is_flexclone") or now.get("split_initiated"):
        return None
    asked, body = f"split clone {clone.name!r} of SVM {clone.svm!r}", {"clone": {"split_initiated": True}}
    return jobs.begun_by(client.modify("Volume", {"uuid": clone.uuid}, body, asked=asked, wait=wait))


def _adopted(client: Client, clone: Volume, *, parent_volume: str, parent_snapshot: str, comment: str) -> Volume:
    """Return the clone if it is ours: the same comment, or none yet and the very parent we asked for."""
    same_parent = (clone.parent_volume, clone.parent_snapshot) == (parent_volume, parent_snapshot)
    if clone.is_clone and same_parent and not clone.comment:
        asked = f"mark clone {clone.name!r} of SVM {clone.svm!r} as ours"
        client.modify("Volume", {"uuid": clone.uuid}, {"comment": comment}, asked=asked)
        return volumes.by_uuid(client, uuid=clone.uuid)
    volumes.require_ours(clone, comment=comment)
    if not (clone.is_clone and same_parent):
        raise NameTaken(
            f"Volume {clone.name!r} of SVM {clone.svm!r} exists as a clone of snapshot {clone.parent_snapshot!r} of "
            f"volume {clone.parent_volume!r}, not of snapshot {parent_snapshot!r} of volume {parent_volume!r}. "
            "Remove it, then run this again.",
            code="917526",
        )
    return clone
