"""Clones on their way to be volumes of their own: begun once, joined when it runs, followed by the clone's record."""

from __future__ import annotations

from typing import Any

from ontap_mlops.ontap import clones, jobs, volumes
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.errors import InvalidRequest, JobFailed

_FIELDS = "name,svm.name,clone.is_flexclone,clone.split_initiated,clone.split_complete_percent"
# A split that has just begun may not be shown yet.
_UNSEEN = 20


def begin(client: Client, *, svm: str, name: str, parent: str | None = None) -> dict[str, Any]:
    """Begin the split, or join the one that runs, and return the arguments of ``look``.

    :param parent: name of the volume it is a clone of: one that is no clone any more was split by an earlier try.
        Without it, a volume that is no clone is refused.
    """
    clone = volumes.get(client, svm=svm, name=name)
    subject: dict[str, Any] = {"volume_uuid": clone.uuid, "job": None}
    if not clone.is_clone and parent is None:
        raise InvalidRequest(
            f"Volume {name!r} of SVM {svm!r} is no clone, so there is nothing to split. Name its former parent if an "
            "earlier run may have split it."
        )
    if clone.is_clone and parent not in (None, clone.parent_volume):
        raise InvalidRequest(
            f"Volume {name!r} of SVM {svm!r} is a clone of {clone.parent_volume!r}, not of {parent!r}. It was not "
            "split."
        )
    return subject | {"job": clones.split(client, clone=clone, wait=False)}


def look(client: Client, *, volume_uuid: str, job: str | None, cursor: dict[str, int] | None = None) -> dict[str, Any]:
    """Tell whether the clone is split, for a wait. Raises the job's error, or JobFailed, when the split was stopped."""
    clone, seen = _read(client, volume_uuid), cursor or {}
    if not clone.get("is_flexclone"):
        return {"done": True, "payload": {"volume_uuid": volume_uuid}}
    if clone.get("split_initiated"):
        percent = clone.get("split_complete_percent") or 0
        lines = [f"{percent} % split"] if seen.get("percent") != percent else []
        return {"done": False, "cursor": {"percent": percent}, "lines": lines}
    looks = seen.get("looks", 0)
    known = jobs.state(client, job, asked=f"split clone {volume_uuid}") if job else None
    if (known is None or known.done) and looks > _UNSEEN:
        raise JobFailed(f"Volume {volume_uuid} is still a clone and its split has ended. {JobFailed.advice}.")
    return {"done": False, "cursor": {"looks": looks + 1}}


def stop(client: Client, *, volume_uuid: str, **_: Any) -> bool:
    """Stop the split; False when none runs. What was copied stays shared no more, the volume stays a clone."""
    if not _read(client, volume_uuid).get("split_initiated"):
        return False
    body = {"clone": {"split_initiated": False}}
    client.modify("Volume", {"uuid": volume_uuid}, body, asked=f"stop the split of volume {volume_uuid}")
    return True


def _read(client: Client, volume_uuid: str) -> dict[str, Any]:
    record = client.record(
        "Volume", {"uuid": volume_uuid}, asked=f"read the split of volume {volume_uuid}", fields=_FIELDS
    )
    return dict(record.get("clone") or {})
