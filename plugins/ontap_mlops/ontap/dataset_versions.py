"""Dataset versions, read from and written to ONTAP alone: a version is a snapshot whose comment holds its facts.

Nothing else needs to be asked to know what data existed when, so time travel works as long as the snapshots do.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ontap_mlops import names
from ontap_mlops.ontap import cluster, snapshots, volumes
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.snapshots import Snapshot
from ontap_mlops.ontap.volumes import Volume
from ontap_mlops.records import DatasetVersion

# ONTAP keeps no longer comment with a snapshot.
_COMMENT_LIMIT = 255
_CUT = "..."


class Frozen(NamedTuple):
    """``made`` tells whether this run made the version, on this try or an earlier one; ``snapshots`` counts all there
    are on the volume, whoever made them."""

    version: DatasetVersion
    made: bool
    snapshots: int


class Adoption(NamedTuple):
    """Which snapshots that others made count as versions: by patterns of names, such as ``weekly.*``, or by labels."""

    names: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def fits(self, snapshot: Snapshot) -> bool:
        return snapshot.label in self.labels or any(fnmatch.fnmatchcase(snapshot.name, each) for each in self.names)


NOTHING = Adoption()


def list_versions(
    client: Client, *, svm: str, volume: str, dataset: str, adopt: Adoption = NOTHING
) -> list[DatasetVersion]:
    """Return the versions, oldest first by ONTAP's clock; none when the volume does not exist yet.

    :param volume: name.
    :param dataset: name; versions of another dataset on the same volume are left out.
    :param adopt: snapshots made by others that count too.
    """
    found = volumes.find(client, svm=svm, name=volume)
    if found is None:
        return []
    return _versions(found, dataset, snapshots.list_snapshots(client, volume_uuid=found.uuid), adopt)


def current_at(versions: Iterable[DatasetVersion], at: datetime) -> DatasetVersion | None:
    """Return the newest version made at or before ``at``."""
    earlier = [version for version in versions if when(version) <= at]
    return max(earlier, key=lambda v: (when(v), v.id), default=None)


def when(version: DatasetVersion) -> datetime:
    return datetime.fromisoformat(version.created_at)


def freeze(
    client: Client,
    *,
    svm: str,
    volume: str,
    dataset: str,
    source: str,
    digest: str,
    files: int,
    size: int,
    run_key: str,
) -> Frozen:
    """Return the version with this content, made now or by an earlier try.

    When the newest version already has ``digest``, nothing is made.

    Raises ValueError when a snapshot of this run was changed by somebody.

    :param source: where the data came from; kept with the snapshot, cut at its end where ONTAP has no room for it.
    :param size: bytes of all files.
    """
    home = volumes.get(client, svm=svm, name=volume)
    found = snapshots.list_snapshots(client, volume_uuid=home.uuid)
    snapshot = next((s for s in found if _facts(s.comment).get("run") == run_key), None)
    if snapshot is None:
        known = _versions(home, dataset, found)
        if known and known[-1].digest == digest:
            return Frozen(known[-1], False, len(found))
        facts = {"dataset": dataset, "digest": digest, "files": files, "bytes": size, "run": run_key}
        snapshot = snapshots.ensure(
            client,
            volume_uuid=home.uuid,
            name=names.snapshot(names.version_id(cluster.now(client), digest)),
            comment=_comment(facts, source),
        )
        found = [*found, snapshot]
    version = _version(home, dataset, snapshot)
    if version is None:
        raise ValueError(
            f"snapshot {snapshot.name!r} of volume {volume!r} carries the comment {snapshot.comment!r}, which "
            "is not a dataset version's; somebody changed it: remove that snapshot and run the freeze again"
        )
    return Frozen(version, True, len(found))


def expired(versions: list[DatasetVersion], *, newest: int, days: int, now: datetime) -> list[DatasetVersion]:
    """Return the versions that neither belong to the ``newest`` ones nor are younger than ``days``."""
    old = versions[: max(len(versions) - newest, 0)]
    return [version for version in old if when(version) < now - timedelta(days=days)]


def is_version(snapshot: Snapshot) -> bool:
    """Tell whether the snapshot is a version of any dataset."""
    return "dataset" in _facts(snapshot.comment) and names.id_in(snapshot.name) is not None


def made_by(comment: str | None) -> str:
    """Return the run key of the run that made the version with this comment; empty for any other comment."""
    return str(_facts(comment).get("run", ""))


def of_snapshot(
    snapshot: Snapshot, *, svm: str, volume: str, dataset: str, adopt: Adoption = NOTHING
) -> DatasetVersion | None:
    """Return the version that the snapshot is: one of ours by its comment, or one adopted; None if it is neither.

    An adopted one has its id from its time and uuid, and neither digest nor count of files: nobody has checked it.
    """
    facts, id_ = _facts(snapshot.comment), names.id_in(snapshot.name)
    if not snapshot.created_at:
        return None
    if facts.get("dataset") != dataset or id_ is None:
        if is_version(snapshot) or not adopt.fits(snapshot):
            return None
        facts = {"bytes": snapshot.logical_bytes or 0, "source": f"snapshot {snapshot.name}"}
        id_ = names.version_id(datetime.fromisoformat(snapshot.created_at), snapshot.uuid.replace("-", ""))
    return DatasetVersion(
        dataset=dataset,
        id=id_,
        svm=svm,
        volume=volume,
        volume_uuid=snapshot.volume_uuid,
        snapshot=snapshot.name,
        snapshot_uuid=snapshot.uuid,
        created_at=datetime.fromisoformat(snapshot.created_at).astimezone(UTC).isoformat(),
        digest=str(facts.get("digest", "")),
        files=int(facts.get("files", 0)),
        bytes=int(facts.get("bytes", 0)),
        source=str(facts.get("source", "")),
    )


def _versions(
    volume: Volume, dataset: str, found: Iterable[Snapshot], adopt: Adoption = NOTHING
) -> list[DatasetVersion]:
    versions = [_version(volume, dataset, snapshot, adopt) for snapshot in found]
    return sorted((v for v in versions if v is not None), key=lambda v: (when(v), v.id))


def _version(volume: Volume, dataset: str, snapshot: Snapshot, adopt: Adoption = NOTHING) -> DatasetVersion | None:
    return of_snapshot(snapshot, svm=volume.svm, volume=volume.name, dataset=dataset, adopt=adopt)


def _comment(facts: dict[str, Any], source: str) -> str:
    """Return the facts as JSON, with as much of the source as there is room for."""
    for length in range(len(source), 0, -1):
        kept = source if length == len(source) else source[:length] + _CUT
        text = _json({**facts, "source": kept})
        if len(text) <= _COMMENT_LIMIT:
            return text
    return _json(facts)


def _json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, separators=(",", ":"))


def _facts(comment: str | None) -> dict[str, Any]:
    try:
        facts = json.loads(comment or "")
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
