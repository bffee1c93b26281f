"""Operators on snapshots: create, delete, and expire old ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ontap_mlops.ontap.marks import is_ours
from ontap_mlops.operators.base import OntapOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client
    from ontap_mlops.ontap.snapshots import Snapshot


_PREFIX = "mlops_"
_REMOVED_BY = {
    "dataset version": "DatasetVersionExpireOperator removes when nobody needs it",
    "model version": "ModelVersionExpireOperator removes when nobody needs it",
    "lease": "its holder gives up",
}


class OnSnapshot(OntapOperator):
    """Base of the operators on one snapshot.

    :param volume: name.
    :param snapshot: name. Make it from the run (``names.snapshot``), so that a retry means the same snapshot.
    :param svm: the connection's own if not given.
    """

    template_fields: Sequence[str] = ("volume", "snapshot", "svm")

    def __init__(self, *, volume: str, snapshot: str, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.snapshot = snapshot
        self.svm = svm

    def volume_uuid(self, client: Client) -> str:
        from ontap_mlops.ontap import volumes

        return volumes.get(client, svm=self.hook.svm(self.svm), name=self.volume).uuid


class OntapSnapshotCreateOperator(OnSnapshot):
    """Freeze a volume as it is now. A retry finds the snapshot of its first try, by name and comment.

    :param volume: name.
    :param snapshot: name of the snapshot; deterministic, so that a retry means the same one.
    :param comment: facts to keep with it, at most 255 characters.
    :param snapmirror_label: SnapMirror label, which mirror policies select by.
    :param svm: the connection's own if not given.
    :return: ``uuid``, ``name``, ``volume_uuid``, ``created_at`` (ISO 8601, by ONTAP's clock), ``comment``.
    """

    template_fields: Sequence[str] = (*OnSnapshot.template_fields, "comment", "snapmirror_label")

    def __init__(self, *, comment: str = "ontap-mlops", snapmirror_label: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.comment = comment
        self.snapmirror_label = snapmirror_label

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import snapshots

        with self.hook.client() as client:
            made = snapshots.ensure(
                client,
                volume_uuid=self.volume_uuid(client),
                name=self.snapshot,
                comment=self.comment,
                label=self.snapmirror_label,
            )
        self.log.info("Snapshot %s of volume %s, made %s", made.name, self.volume, made.created_at)
        return facts_of(made)


class OntapSnapshotDeleteOperator(OnSnapshot):
    """Remove a snapshot. One that does not exist is no error; one in use fails, naming what holds it.

    :param volume: name.
    :param snapshot: name of the snapshot.
    :param svm: the connection's own if not given.
    :return: whether there was one.
    """

    def execute(self, context: Context) -> bool:
        from ontap_mlops.ontap import snapshots

        with self.hook.client() as client:
            removed = snapshots.delete(client, volume_uuid=self.volume_uuid(client), name=self.snapshot)
        gone = "removed" if removed else "was gone already"
        self.log.info("Snapshot %s of volume %s %s", self.snapshot, self.volume, gone)
        return removed


class OntapSnapshotExpireOperator(OntapOperator):
    """Remove old snapshots whose names begin with a prefix, and report why each remaining old one was kept.

    A snapshot is old when it is neither among the newest ``keep_newest`` nor younger than ``keep_days`` (a rule that is
    not given keeps nothing; at least one must be). One that is in use, locked or named in ``keep`` stays. So does
    every dataset version, model version and lease, whatever the prefix: these have operators of their own, which ask
    who needs them. With ``snapmirror_label``, only snapshots of that label are counted and removed, so that daily and
    weekly ones of one volume are kept by rules of their own; they need no prefix, but our mark all the same.

    :param volume: name.
    :param prefix: what the names begin with; other snapshots are not looked at. Not given, it is ``mlops_``, and only
        snapshots with our mark in their comment are removed.
    :param keep_newest: how many of the newest stay.
    :param keep_days: days by ONTAP's clock.
    :param keep: names that stay in any case, such as those a promoted model was trained on.
    :param snapmirror_label: SnapMirror label; snapshots of another are not looked at.
    :param svm: the connection's own if not given.
    :return: ``removed`` (names) and ``kept`` (name to reason, for old ones only).
    """

    template_fields: Sequence[str] = ("volume", "prefix", "keep_newest", "keep_days", "keep", "snapmirror_label", "svm")

    def __init__(
        self,
        *,
        volume: str,
        prefix: str | None = None,
        keep_newest: int | str | None = None,
        keep_days: float | str | None = None,
        keep: Sequence[str] = (),
        snapmirror_label: str | None = None,
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.snapmirror_label = snapmirror_label or None
        self.prefix = prefix or None
        self.keep_newest = keep_newest
        self.keep_days = keep_days
        self.keep = keep
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import cluster, snapshots, volumes

        if self.keep_newest is None and self.keep_days is None:
            raise ValueError(f"retention of volume {self.volume!r} has no rule; give keep_newest or keep_days")
        with self.hook.client() as client:
            uuid = volumes.get(client, svm=self.hook.svm(self.svm), name=self.volume).uuid
            there = snapshots.list_snapshots(client, volume_uuid=uuid, name=self._pattern, label=self.snapmirror_label)
            old = self._old(there, cluster.now(client))
            reasons = {snapshot.name: self._removed(client, snapshot) for snapshot in old}
        removed = [name for name, reason in reasons.items() if reason is None]
        kept = {name: reason for name, reason in reasons.items() if reason is not None}
        for name, reason in kept.items():
            self.log.info("Snapshot %s stays although it is old: %s", name, reason)
        self.log.info("%s of %s snapshots of volume %s removed", len(removed), len(there), self.volume)
        return {"removed": removed, "kept": kept}

    @property
    def _pattern(self) -> str | None:
        return None if self.snapmirror_label and not self.prefix else f"{self.prefix or _PREFIX}*"

    def _old(self, oldest_first: list[Snapshot], now: datetime) -> list[Snapshot]:
        newest = int(self.keep_newest) if self.keep_newest is not None else 0
        old = oldest_first[: max(len(oldest_first) - newest, 0)]
        if self.keep_days is None:
            return old
        limit = now - timedelta(days=float(self.keep_days))
        return [s for s in old if s.created_at and datetime.fromisoformat(s.created_at) < limit]

    def _removed(self, client: Client, snapshot: Snapshot) -> str | None:
        """Remove it, or say why it stays."""
        from ontap_mlops.ontap import reclaim, snapshots
        from ontap_mlops.ontap.errors import Busy

        if snapshot.name in self.keep:
            return "it is on the list of those to keep"
        if (kind := reclaim.kind_of(snapshot)) in _REMOVED_BY:
            return f"it is a {kind}, which {_REMOVED_BY[kind]}"
        if self.prefix is None and not is_ours(snapshot.comment):
            return f"its comment is {snapshot.comment!r}, not our mark; name its prefix if it is meant"
        try:
            snapshots.delete(client, volume_uuid=snapshot.volume_uuid, name=snapshot.name)
        except Busy as busy:
            return str(busy)
        return None


def facts_of(snapshot: Snapshot) -> dict[str, Any]:
    """What a task returns of a snapshot."""
    return {
        "uuid": snapshot.uuid,
        "name": snapshot.name,
        "volume_uuid": snapshot.volume_uuid,
        "created_at": snapshot.created_at,
        "comment": snapshot.comment,
    }
