"""Operators on snapshot policies: make one, give it to a volume, remove it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.policies import _PolicyDelete

if TYPE_CHECKING:
    from airflow.sdk import Context


class OntapSnapshotPolicyEnsureOperator(OntapOperator):
    """Ensure that a snapshot policy keeps exactly what is said here; ONTAP itself then takes and removes the snapshots.

    One of our own that keeps something else is changed; somebody else's, or ONTAP's own, fails the task at once.

    :param policy: name.
    :param copies: what to keep, such as ``[{"schedule": "daily", "count": 7, "label": "daily"}]``: a schedule of ONTAP
        (``5min``, ``hourly``, ``daily``, ``weekly``, ``monthly`` or one's own), how many, the SnapMirror label, and
        ``retention_period`` (``P7D``) for which each is locked where the volume allows it.
    :param svm: the connection's own if not given.
    :return: ``uuid``, ``name``, ``copies``.
    """

    template_fields: Sequence[str] = ("policy", "copies", "svm")

    def __init__(
        self, *, policy: str, copies: Sequence[Mapping[str, Any]], svm: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.policy = policy
        self.copies = copies
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import snapshot_policies

        with self.hook.client() as client:
            made = snapshot_policies.ensure(client, svm=self.hook.svm(self.svm), name=self.policy, copies=self.copies)
        kept = ", ".join(f"{copy.count} {copy.schedule}" for copy in made.copies)
        self.log.info("Snapshot policy %s keeps %s", made.name, kept)
        return {"uuid": made.uuid, "name": made.name, "copies": [asdict(copy) for copy in made.copies]}


class OntapSnapshotPolicyApplyOperator(OntapOperator):
    """Give a volume a snapshot policy. Snapshots that another policy left on it stay until somebody removes them.

    :param volume: name.
    :param policy: name of a policy of the SVM or the cluster; ``none`` takes no snapshots.
    :param svm: the connection's own if not given.
    :return: ``volume``, ``policy``, ``before``.
    """

    template_fields: Sequence[str] = ("volume", "policy", "svm")

    def __init__(self, *, volume: str, policy: str, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.policy = policy
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import snapshot_policies

        with self.hook.client() as client:
            svm = self.hook.svm(self.svm)
            before = snapshot_policies.apply(client, svm=svm, volume=self.volume, policy=self.policy)
        self.log.info("Volume %s has snapshot policy %s; before: %s", self.volume, self.policy, before)
        return {"volume": self.volume, "policy": self.policy, "before": before}


class OntapSnapshotPolicyDeleteOperator(_PolicyDelete):
    """Remove a snapshot policy that carries our mark. One that does not exist is no error; one in use fails.

    :param policy: name.
    :param svm: the connection's own if not given.
    :return: whether there was one.
    """

    kind, room = "Snapshot policy", "snapshot_policies"
