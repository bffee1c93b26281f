"""Experiments: a clone of the dataset version a run trained on, with its model and logs in it, frozen as one snapshot.

The clone's comment says whose it is: ``ontap-mlops experiment <run key> of <model>``; the snapshot's the same. As long
as the clone is there, ONTAP keeps the dataset version's own snapshot, which it shares its blocks with.
"""

from __future__ import annotations

import re

from ontap_mlops import names
from ontap_mlops.ontap import clones, snapshots, volumes
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.marks import mark
from ontap_mlops.ontap.snapshots import Snapshot
from ontap_mlops.ontap.volumes import Volume

_COMMENT = re.compile(re.escape(mark("experiment ")) + r"(\S+) of \S+")


def comment(run_key: str, model: str) -> str:
    return mark(f"experiment {run_key} of {model}")


def ensure(client: Client, *, svm: str, run_key: str, model: str, parent_volume: str, parent_snapshot: str) -> Volume:
    """Return the run's clone of its dataset version, mounted, made now or by an earlier try."""
    name = names.experiment_volume(run_key)
    return clones.ensure(
        client,
        svm=svm,
        name=name,
        parent_volume=parent_volume,
        parent_snapshot=parent_snapshot,
        comment=comment(run_key, model),
        junction_path=names.junction_path(name),
    )


def freeze(client: Client, *, svm: str, run_key: str, model: str) -> Snapshot:
    """Freeze all that the clone holds, now or by an earlier try. Raises NotFound where there is no clone."""
    volume = volumes.get(client, svm=svm, name=names.experiment_volume(run_key))
    return snapshots.ensure(
        client, volume_uuid=volume.uuid, name=names.snapshot(run_key), comment=comment(run_key, model)
    )


def find(client: Client, *, svm: str, volume: str, snapshot: str, snapshot_uuid: str) -> Snapshot | None:
    """The very snapshot of an experiment; None when it, or its volume, was removed or is another one by now."""
    there = volumes.find(client, svm=svm, name=volume)
    found = snapshots.find(client, volume_uuid=there.uuid, name=snapshot) if there else None
    return found if found is not None and found.uuid == snapshot_uuid else None


def remove(client: Client, *, svm: str, volume: Volume) -> bool:
    """Remove this experiment; False, and nothing is done, where it is gone, or another one by now.

    Raises InUse where a clone is based on it.
    """
    there = volumes.find(client, svm=svm, name=volume.name)
    if there is None or (there.uuid, there.comment) != (volume.uuid, volume.comment):
        return False
    return volumes.delete(client, svm=svm, name=volume.name, comment=volume.comment)


def run_of(volume: Volume) -> str | None:
    """The key of the run whose experiment the volume holds; None for any other volume."""
    match = _COMMENT.fullmatch(volume.comment)
    if match is None or not volume.is_clone or volume.name != names.experiment_volume(match[1]):
        return None
    return match[1]
