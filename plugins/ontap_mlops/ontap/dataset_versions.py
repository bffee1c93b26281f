"""Dataset versions, read from and written to ONTAP alone: a version is a snapshot whose comment holds its facts.

Nothing else needs to be asked to know what data existed when, so time travel works as long as the snapshots do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from ontap_mlops import names
from ontap_mlops.ontap import cluster, snapshots, volumes
from ontap_mlops.ontap.client import Client
from ontap_mlops.records import DatasetVersion
from ontap_mlops.registry import Dataset


def list_versions(client: Client, dataset: Dataset) -> list[DatasetVersion]:
    """Oldest first, by ONTAP's clock. Empty when the volume does not exist yet."""
    volume = volumes.find(client, svm=dataset.svm, name=dataset.volume)
    if volume is None:
        return []
    found = [_version(dataset, volume.uuid, s) for s in snapshots.list_snapshots(client, volume_uuid=volume.uuid)]
    return sorted((v for v in found if v is not None), key=lambda v: (when(v), v.id))


def current_at(versions: Iterable[DatasetVersion], at: datetime) -> DatasetVersion | None:
    """The newest version made at or before ``at``."""
    earlier = [version for version in versions if when(version) <= at]
    return max(earlier, key=lambda v: (when(v), v.id), default=None)


def when(version: DatasetVersion) -> datetime:
    return datetime.fromisoformat(version.created_at)


def freeze(
    client: Client, dataset: Dataset, *, digest: str, files: int, size: int, run_key: str
) -> tuple[DatasetVersion, bool]:
    """The version with this content, and whether this run made it (on this try or an earlier one).

    When the newest version already has ``digest``, nothing is made. Raises ValueError when a snapshot of this run was
    changed by somebody.
    """
    volume = volumes.get(client, svm=dataset.svm, name=dataset.volume)
    found = snapshots.list_snapshots(client, volume_uuid=volume.uuid)
    snapshot = next((s for s in found if _facts(s.comment).get("run") == run_key), None)
    if snapshot is None:
        known = sorted(filter(None, (_version(dataset, volume.uuid, s) for s in found)), key=when)
        if known and known[-1].digest == digest:
            return known[-1], False
        comment = {"dataset": dataset.name, "digest": digest, "files": files, "bytes": size, "run": run_key}
        snapshot = snapshots.ensure(
            client,
            volume_uuid=volume.uuid,
            name=names.snapshot(names.version_id(cluster.now(client), digest)),
            comment=json.dumps(comment, separators=(",", ":")),
        )
    version = _version(dataset, volume.uuid, snapshot)
    if version is None:
        raise ValueError(
            f"snapshot {snapshot.name!r} of volume {dataset.volume!r} carries the comment {snapshot.comment!r}, which "
            "is not a dataset version's; somebody changed it: remove that snapshot and run the freeze again"
        )
    return version, True


def expired(versions: list[DatasetVersion], *, newest: int, days: int, now: datetime) -> list[DatasetVersion]:
    """Versions that neither belong to the ``newest`` ones nor are younger than ``days``."""
    old = versions[: max(len(versions) - newest, 0)]
    return [version for version in old if when(version) < now - timedelta(days=days)]


def _version(dataset: Dataset, volume_uuid: str, snapshot: snapshots.Snapshot) -> DatasetVersion | None:
    facts, id_ = _facts(snapshot.comment), names.id_in(snapshot.name)
    if facts.get("dataset") != dataset.name or id_ is None or not snapshot.created_at:
        return None
    return DatasetVersion(
        dataset=dataset.name,
        id=id_,
        svm=dataset.svm,
        volume=dataset.volume,
        volume_uuid=volume_uuid,
        snapshot=snapshot.name,
        snapshot_uuid=snapshot.uuid,
        created_at=datetime.fromisoformat(snapshot.created_at).astimezone(UTC).isoformat(),
        digest=str(facts.get("digest", "")),
        files=int(facts.get("files", 0)),
        bytes=int(facts.get("bytes", 0)),
        source=dataset.source,
    )


def _facts(comment: str | None) -> dict[str, Any]:
    try:
        facts = json.loads(comment or "")
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
