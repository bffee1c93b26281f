"""What one volume of a mirrored pair has and the other one has not: what a resync that overwrites it would discard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import differences, volumes
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.differences import Difference
from ontap_mlops.ontap.errors import NotFound, OntapPermanentError
from ontap_mlops.ontap.volumes import Volume

_FIELDS = "name,version_uuid,create_time"
_SNAPMIRRORS_OWN = "snapmirror."
_NAMED = 5


class OnlyHere(OntapPermanentError):
    """What was asked for would discard what exists nowhere else."""


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """What ``svm:volume`` has that the other has not: ``files`` since their newest ``common`` snapshot of ``since``.

    ``snapshots`` are the names of all that the other lacks, oldest first, without SnapMirror's own.
    """

    svm: str
    volume: str
    common: str
    since: str
    snapshots: tuple[str, ...]
    files: Difference

    def __bool__(self) -> bool:
        return bool(self.snapshots or self.files)

    def __str__(self) -> str:
        paths = [entry.path for entry in (*self.files.added, *self.files.changed, *self.files.removed)]
        parts = [f"files since {self.since}: {self.files} ({_some(paths)})"] if paths else []
        parts += [f"snapshots {_some(list(self.snapshots))}"] if self.snapshots else []
        return f"{self.svm}:{self.volume} has what the other volume has not: {'; '.join(parts) or 'nothing'}"


def of(
    client: Client, other: Client, *, svm: str, volume: str, other_svm: str, other_volume: str | None = None
) -> Divergence:
    """Compare the volume with the other one of the pair. Raises NotFound where they have no snapshot in common.

    :param other_volume: of the same name if not given.
    """
    here = volumes.get(client, svm=svm, name=volume)
    there = volumes.get(other, svm=other_svm, name=other_volume or volume)
    ours, theirs = _snapshots(client, here), _snapshots(other, there)
    known = {_identity(record) for record in theirs}
    common = [record for record in ours if _identity(record) in known]
    if not common:
        raise NotFound(
            f"Volumes {svm}:{volume} and {other_svm}:{there.name} have no snapshot in common, so nobody can tell what "
            "only one of them has."
        )
    lacking = [record["name"] for record in ours if _identity(record) not in known]
    newest, files = _least(client, here, [record for record in common if _made(record) == _made(common[-1])])
    return Divergence(
        svm=svm,
        volume=volume,
        common=newest["name"],
        since=_made(newest) or "an unknown time",
        snapshots=tuple(name for name in lacking if not name.startswith(_SNAPMIRRORS_OWN)),
        files=files,
    )


def _least(client: Client, volume: Volume, records: list[dict[str, Any]]) -> tuple[dict[str, Any], Difference]:
    """Return the snapshot from which the volume differs least, and how.

    ONTAP tells whole seconds, so nobody can say which of one second is the newest. Whichever it is, the other volume
    has what is in any of them.
    """
    found = []
    for record in reversed(records):
        found.append((record, differences.between(client, volume_uuid=volume.uuid, before=record["name"], after=None)))
        if not found[-1][1]:
            break
    return min(found, key=lambda one: sum(one[1].counts.values()))


def _snapshots(client: Client, volume: Volume) -> list[dict[str, Any]]:
    """Oldest first. Those of both volumes are compared by what ONTAP calls the version of a snapshot."""
    asked = f"list snapshots of volume {volume.name!r} of SVM {volume.svm!r}"
    found = client.records("Snapshot", volume.uuid, asked=asked, fields=_FIELDS)
    return sorted(found, key=lambda record: (_made(record), record["name"]))


def _made(record: dict[str, Any]) -> str:
    return record.get("create_time") or ""


def _identity(record: dict[str, Any]) -> str:
    return record.get("version_uuid") or f"{record['name']} {record.get('create_time')}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")
