"""Operators that keep snapshots from being removed before a date, by anybody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.snapshots import OnSnapshot, facts_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client


class OntapSnapshotLockOperator(OnSnapshot):
    """Lock a snapshot until a date: nobody, not even the cluster's administrator, can remove it or its volume before.

    Checks that the lock took: ONTAP takes one on a volume without snapshot locking too, and ignores it. A snapshot that
    is locked at least as long is left as it is, and no lock is ever shortened.

    :param volume: name.
    :param snapshot: name.
    :param until: ISO 8601 with a time zone, or a date, whose end in UTC is meant. Give this or ``days``.
    :param days: from now by ONTAP's clock.
    :param svm: the connection's own if not given.
    :return: ``uuid``, ``name``, ``volume_uuid``, ``created_at``, ``comment``, ``locked_until``.
    """

    template_fields: Sequence[str] = (*OnSnapshot.template_fields, "until", "days")

    def __init__(self, *, until: str | None = None, days: float | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.until = until
        self.days = days

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import snapshot_locks

        with self.hook.client() as client:
            found = snapshot_locks.lock(
                client,
                svm=self.hook.svm(self.svm),
                volume=self.volume,
                snapshot=self.snapshot,
                until=self._end(client),
            )
        self.log.info("Snapshot %s of volume %s is locked until %s", found.name, self.volume, found.locked_until)
        return facts_of(found) | {"locked_until": found.locked_until}

    def _end(self, client: Client) -> datetime:
        from ontap_mlops.ontap import cluster

        if bool(self.until) == bool(self.days):
            raise ValueError(f"until when snapshot {self.snapshot!r} is to be locked is not clear; give until or days")
        if self.days:
            return cluster.now(client) + timedelta(days=float(self.days))
        return end_of(str(self.until))


class OntapSnapshotLockingEnableOperator(OntapOperator):
    """Let a volume's snapshots be locked. It cannot be taken back while any of them is locked.

    Needs a compliance clock, which this operator never sets, and a volume that does not tier.

    :param volume: name.
    :param svm: the connection's own if not given.
    :return: whether it was off before.
    """

    template_fields: Sequence[str] = ("volume", "svm")

    def __init__(self, *, volume: str, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.svm = svm

    def execute(self, context: Context) -> bool:
        from ontap_mlops.ontap import snapshot_locks

        with self.hook.client() as client:
            changed = snapshot_locks.enable(client, svm=self.hook.svm(self.svm), volume=self.volume)
        self.log.info("Snapshots of volume %s can %sbe locked", self.volume, "now " if changed else "")
        return changed


class OntapComplianceClockInitializeOperator(OntapOperator):
    """Set the compliance clock of every node that has none. **ONTAP lets it be set once**: be sure the time is right.

    Needs an account of the cluster. No other operator sets it, not even where it is needed.

    :return: names of the nodes whose clock was set now.
    """

    def execute(self, context: Context) -> list[str]:
        from ontap_mlops.ontap import snapshot_locks

        with self.hook.client() as client:
            nodes = snapshot_locks.initialize_clocks(client)
        self.log.info("Compliance clocks set: %s", ", ".join(nodes) or "none, all nodes have one")
        return nodes


def end_of(text: str) -> datetime:
    """Return the moment that a date or time means; a date lasts until its end in UTC. ValueError for anything else."""
    try:
        at = datetime.fromisoformat(f"{text}T23:59:59+00:00" if len(text) == len("2027-01-31") else text)
    except ValueError:
        raise ValueError(f"{text!r} is no date or time; give one such as 2027-01-31 or 2027-01-31T12:00:00Z") from None
    if at.tzinfo is None:
        raise ValueError(f"time {text!r} has no time zone; end it with Z or +01:00")
    return at
