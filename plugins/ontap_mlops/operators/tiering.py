"""Operators on what lies where and how: tiering, savings, and the check that a volume is encrypted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class OntapVolumeTieringOperator(OntapOperator):
    """Say which of a volume's data goes to the object store of its aggregate when nobody reads it.

    An aggregate without an object store fails the task at once; one whose store cannot be reached is tried again.

    :param volume: name.
    :param policy: ``none``, ``snapshot_only``, ``auto`` or ``all``.
    :param cooling_days: after how many days unread data counts as cold, 2 to 183; for ``snapshot_only`` and ``auto``.
    :param svm: the connection's own if not given.
    :return: ``policy`` and ``cooling_days`` now, and ``before`` with the same two.
    """

    template_fields: Sequence[str] = ("volume", "policy", "cooling_days", "svm")

    def __init__(
        self,
        *,
        volume: str,
        policy: str,
        cooling_days: int | str | None = None,
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.policy = policy
        self.cooling_days = cooling_days
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import tiering

        days = int(self.cooling_days) if self.cooling_days else None
        with self.hook.client() as client:
            before, now = tiering.set_policy(
                client, svm=self.hook.svm(self.svm), name=self.volume, policy=self.policy, cooling_days=days
            )
        self.log.info("Volume %s tiers %s; before: %s", self.volume, now.policy, before.policy)
        was = {"policy": before.policy, "cooling_days": before.cooling_days}
        return {"policy": now.policy, "cooling_days": now.cooling_days, "before": was}


class OntapVolumeEfficiencyOperator(OntapOperator):
    """Make a volume compress, deduplicate and compact what is written to it; what is None stays as it is.

    ONTAP deduplicates in the background wherever one of the others is on.

    :param volume: name.
    :param compression: ``none``, ``inline``, ``background`` or ``both``.
    :param dedupe: the same.
    :param compaction: ``none`` or ``inline``.
    :param svm: the connection's own if not given.
    :return: ``enabled``, ``compression``, ``dedupe``, ``compaction`` now, and ``before`` with the same.
    """

    template_fields: Sequence[str] = ("volume", "compression", "dedupe", "compaction", "svm")

    def __init__(
        self,
        *,
        volume: str,
        compression: str | None = None,
        dedupe: str | None = None,
        compaction: str | None = None,
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.compression = compression
        self.dedupe = dedupe
        self.compaction = compaction
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import efficiency

        with self.hook.client() as client:
            before, now = efficiency.ensure(
                client,
                svm=self.hook.svm(self.svm),
                name=self.volume,
                compression=self.compression or None,
                dedupe=self.dedupe or None,
                compaction=self.compaction or None,
            )
        self.log.info("Efficiency of volume %s: %s", self.volume, now)
        return asdict(now) | {"before": asdict(before)}


class OntapEncryptionCheckOperator(OntapOperator):
    """Fail the task, and so keep data from being put there, when a volume is not encrypted at rest.

    :param volume: name.
    :param svm: the connection's own if not given.
    :return: ``state`` and ``kind`` (volume or aggregate).
    """

    template_fields: Sequence[str] = ("volume", "svm")

    def __init__(self, *, volume: str, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import encryption, volumes

        with self.hook.client() as client:
            volume = volumes.get(client, svm=self.hook.svm(self.svm), name=self.volume)
            return asdict(encryption.require(client, volume=volume))
