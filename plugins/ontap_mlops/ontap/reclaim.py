"""What lies on an SVM that this project made, how full its volumes are of snapshots, and what removing it would free.

Nothing here decides what may go; that is for those who know who needs it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from ontap_mlops.ontap import dataset_versions, leases, model_versions, snapshots, volumes
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.marks import is_ours
from ontap_mlops.ontap.snapshots import Snapshot
from ontap_mlops.ontap.volumes import Volume

DATASET_VERSION, MODEL_VERSION, LEASE, SNAPSHOT = "dataset version", "model version", "lease", "snapshot"
_NAMES_AT_ONCE = 50  # in one query, which is part of a URL


@dataclass(frozen=True, kw_only=True)
class Contents:
    """``snapshots`` of each volume, by its UUID, whoever made them, oldest first."""

    volumes: list[Volume]
    snapshots: dict[str, list[Snapshot]]

    def ours(self) -> Iterator[tuple[Volume, Snapshot, str]]:
        """Snapshots of ours with their volume and kind."""
        for volume in self.volumes:
            for snapshot in self.snapshots.get(volume.uuid, ()):
                if (kind := kind_of(snapshot)) is not None:
                    yield volume, snapshot, kind

    def clones_of(self, snapshot: Snapshot) -> list[Volume]:
        return [
            clone
            for clone in self.volumes
            if (clone.parent_volume_uuid, clone.parent_snapshot) == (snapshot.volume_uuid, snapshot.name)
        ]

    def near_limit(self, warn_at: int) -> dict[str, int]:
        """Name of each volume that has as many snapshots or more, to their number, the fullest first."""
        counts = {volume.name: len(self.snapshots.get(volume.uuid, ())) for volume in self.volumes}
        return {name: n for name, n in sorted(counts.items(), key=lambda item: -item[1]) if n >= warn_at}


def look(client: Client, *, svm: str) -> Contents:
    """Read all volumes and snapshots of an SVM, in two requests for each 10,000 of them."""
    found = snapshots.list_on_svm(client, svm=svm)
    by_volume: dict[str, list[Snapshot]] = defaultdict(list)
    for snapshot in found:
        by_volume[snapshot.volume_uuid].append(snapshot)
    return Contents(volumes=volumes.list_volumes(client, svm=svm), snapshots=dict(by_volume))


def kind_of(snapshot: Snapshot) -> str | None:
    """What kind of ours the snapshot is; None for somebody else's."""
    if dataset_versions.is_version(snapshot):
        return DATASET_VERSION
    if model_versions.is_version(snapshot):
        return MODEL_VERSION
    if leases.is_lease(snapshot):
        return LEASE
    return SNAPSHOT if is_ours(snapshot.comment) else None


def held(contents: Contents, snapshot: Snapshot, now: datetime) -> str | None:
    """Say in words why ONTAP would not remove the snapshot; None if nothing is known to hold it."""
    reasons = snapshots.held_by(snapshot, contents.clones_of(snapshot), now)
    if snapshot.expires_at and datetime.fromisoformat(snapshot.expires_at) > now:
        reasons.append(f"it expires only at {snapshot.expires_at}")
    return "; ".join(reasons) or None


def freed_by_snapshots(client: Client, wanted: Iterable[Snapshot]) -> dict[str, int]:
    """Return bytes by UUID that removing each one alone would free; together they free at least the sum.

    ONTAP works this out when asked, which is costly: it is asked once, of the named snapshots only.
    """
    by_volume: dict[str, list[Snapshot]] = defaultdict(list)
    for snapshot in wanted:
        by_volume[snapshot.volume_uuid].append(snapshot)
    freed: dict[str, int] = {}
    for uuid, found in by_volume.items():
        for names in _batches([snapshot.name for snapshot in found]):
            asked = f"ask what removing {len(names)} snapshots of volume {uuid} would free"
            query = {"name": "|".join(names)}
            for record in client.records("Snapshot", uuid, asked=asked, fields="reclaimable_space", **query):
                freed[record["uuid"]] = int(record.get("reclaimable_space") or 0)
    return freed


def freed_by_clones(client: Client, *, svm: str, wanted: Iterable[Volume]) -> dict[str, int]:
    """Return bytes by UUID that are each clone's own, not shared with its parent."""
    freed: dict[str, int] = {}
    for names in _batches([clone.name for clone in wanted]):
        asked = f"ask what removing {len(names)} clones of SVM {svm!r} would free"
        query = {"svm.name": svm, "name": "|".join(names)}
        for record in client.records("Volume", asked=asked, fields="space.used,clone.split_estimate", **query):
            used = int((record.get("space") or {}).get("used") or 0)
            shared = int((record.get("clone") or {}).get("split_estimate") or 0)
            freed[record["uuid"]] = max(used - shared, 0)
    return freed


def _batches(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _NAMES_AT_ONCE):
        yield names[start : start + _NAMES_AT_ONCE]
