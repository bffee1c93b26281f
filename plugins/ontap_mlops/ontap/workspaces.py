"""Workspaces: a FlexClone of one snapshot for one run, perhaps seen as a bucket; found again by the run's key alone.

The clone's comment says whose it is, ``ontap-mlops run <key> of <dag id>/<run id>``, and once its run has failed, since
when it is kept: ``ontap-mlops run <key> kept <ISO time>``. What does not say so exactly is never collected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from ontap_mlops import names
from ontap_mlops.ontap import clones, cluster, s3, volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import NotOurs
from ontap_mlops.ontap.marks import mark
from ontap_mlops.ontap.volumes import Volume

_KEPT = re.compile(re.escape(mark("run ")) + r"(\S+) kept (\S+)")
_USED = re.compile(re.escape(mark("run ")) + r"(\S+)(?: of ([^/\s]+)/(\S+))?")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A failed run's workspace. ``since`` is by ONTAP's clock."""

    run_key: str
    volume: Volume
    since: datetime


@dataclass(frozen=True, kw_only=True)
class Used:
    """A workspace that its run uses, or left behind without a word. ``dag_id`` and ``run_id`` are Airflow's."""

    run_key: str
    volume: Volume
    dag_id: str
    run_id: str


def ensure(
    client: Client,
    *,
    svm: str,
    run_key: str,
    airflow_run: str,
    parent_volume: str,
    parent_snapshot: str,
    with_bucket: bool,
) -> Volume:
    """Return the run's clone, mounted, made now or by an earlier try; one that was kept is used again as it is.

    Raises NameTaken when the run has a clone of another snapshot.

    :param airflow_run: ``<dag id>/<run id>``, by which a collection finds out whether the run is over.
    """
    name, comment = names.workspace_volume(run_key), mark(f"run {run_key} of {airflow_run}")
    path, there = names.junction_path(name), volumes.find(client, svm=svm, name=name)
    kept = there is not None and as_kept(there) is not None
    clone = clones.ensure(
        client,
        svm=svm,
        name=name,
        parent_volume=parent_volume,
        parent_snapshot=parent_snapshot,
        junction_path=path,
        comment=there.comment if there is not None and kept else comment,
    )
    if kept:
        clone = volumes.set_comment(client, volume=clone, comment=comment)
    if with_bucket:
        s3.ensure_nas_bucket(client, svm=svm, name=names.bucket(name), nas_path=path, comment=mark(f"run {run_key}"))
    return clone


@repeatable
def keep(client: Client, *, svm: str, run_key: str) -> Volume | None:
    """Mark the run's clone as kept since now; None when there is none. One that is kept stays as it is."""
    volume = volumes.find(client, svm=svm, name=names.workspace_volume(run_key))
    if volume is None or as_kept(volume) is not None:
        return volume
    if not _is_used_by(volume, run_key):
        volumes.require_ours(volume, comment=mark(f"run {run_key}"))
    since = cluster.now(client).isoformat(timespec="seconds")
    return volumes.set_comment(client, volume=volume, comment=mark(f"run {run_key} kept {since}"))


def remove(client: Client, *, svm: str, run_key: str) -> bool:
    """Remove the run's bucket and clone, see ``clones.delete_with_bucket``; False when there was no clone."""
    name = names.workspace_volume(run_key)
    there = volumes.find(client, svm=svm, name=name)
    if there is not None:
        _require_workspace(there, run_key)
    comment = there.comment if there is not None else mark(f"run {run_key}")
    return clones.delete_with_bucket(client, svm=svm, name=name, bucket=names.bucket(name), comment=comment)


def collect(client: Client, *, svm: str, kept: Kept) -> bool:
    """Remove a kept workspace; False, and nothing is done, when it is not kept since the same time any more."""
    there = volumes.find(client, svm=svm, name=kept.volume.name)
    if there is None or (there.uuid, there.comment) != (kept.volume.uuid, kept.volume.comment):
        return False
    return remove(client, svm=svm, run_key=kept.run_key)


def list_kept(client: Client, *, svm: str) -> list[Kept]:
    """Return the workspaces of failed runs on the SVM, the longest kept first."""
    found = [as_kept(volume) for volume in volumes.list_volumes(client, svm=svm, name=names.workspace_volume("*"))]
    return sorted((kept for kept in found if kept is not None), key=lambda kept: kept.since)


def list_used(client: Client, *, svm: str) -> list[Used]:
    """Return the workspaces on the SVM that name the run of Airflow which they were made for and are not kept."""
    found = volumes.list_volumes(client, svm=svm, name=names.workspace_volume("*"))
    return [used for volume in found if (used := as_used(volume)) is not None]


def is_over(kept: Kept, *, days: float, now: datetime) -> bool:
    """Tell whether it has been kept for ``days`` or longer; with 0, every one is over."""
    return kept.since <= now - timedelta(days=days)


def _require_workspace(volume: Volume, run_key: str) -> None:
    ours = as_kept(volume) is not None or _is_used_by(volume, run_key)
    if not ours or not volume.is_clone:
        raise NotOurs(
            f"Volume {volume.name!r} of SVM {volume.svm!r} was not removed: its comment is {volume.comment!r}, so it "
            f"is not the workspace of run {run_key}. Remove it by hand if it is yours to remove."
        )


def _is_used_by(volume: Volume, run_key: str) -> bool:
    match = _USED.fullmatch(volume.comment)
    return match is not None and match[1] == run_key


def as_used(volume: Volume) -> Used | None:
    match = _USED.fullmatch(volume.comment)
    if match is None or not match[2] or not volume.is_clone or volume.name != names.workspace_volume(match[1]):
        return None
    return Used(run_key=match[1], volume=volume, dag_id=match[2], run_id=match[3])


def as_kept(volume: Volume) -> Kept | None:
    """None for a volume that is not, beyond doubt, a kept workspace."""
    match = _KEPT.fullmatch(volume.comment)
    if match is None or not volume.is_clone or volume.name != names.workspace_volume(match[1]):
        return None
    try:
        since = datetime.fromisoformat(match[2])
    except ValueError:
        return None
    return Kept(run_key=match[1], volume=volume, since=since) if since.tzinfo else None
