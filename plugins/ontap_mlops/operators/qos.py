"""Operators on a volume's service level: raise it for a run, and put it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import run_key

if TYPE_CHECKING:
    from airflow.sdk import Context


class OntapQosRaiseOperator(OntapOperator):
    """Give a volume another QoS policy for the length of this run; no data moves and no client is disconnected.

    Use as setup, with :class:`OntapQosLowerOperator` as its teardown. What the volume had before is kept on the volume,
    so a retry after a kill, and runs that overlap, put back the right one.

    :param volume: name.
    :param policy: name of a QoS policy of the SVM or of ONTAP's own (``extreme``, ``performance``, ``value``), or
        ``none`` for no limit; empty leaves the volume as it is.
    :param svm: the connection's own if not given.
    :return: ``volume``, ``policy`` it has now, ``before``.
    """

    template_fields: Sequence[str] = ("volume", "policy", "svm")

    def __init__(self, *, volume: str, policy: str, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.policy = policy
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any] | None:
        from ontap_mlops.ontap import qos

        if not self.policy:
            self.log.info("Volume %s keeps its QoS policy: none is named", self.volume)
            return None
        with self.hook.client() as client:
            before = qos.raise_policy(
                client,
                svm=self.hook.svm(self.svm),
                volume=self.volume,
                policy=self.policy,
                holder=run_key(context),
            )
        self.log.info("Volume %s has QoS policy %s for this run; before: %s", self.volume, self.policy, before)
        return {"volume": self.volume, "policy": self.policy, "before": before}


class OntapQosLowerOperator(OntapOperator):
    """Put back the QoS policy that the volume had before this run raised it; do nothing where it raised none.

    The policy stays as long as another run still needs it, and one that somebody gave the volume meanwhile stays too.

    :param volume: name.
    :param svm: the connection's own if not given.
    :return: name of the policy the volume has now; None when the volume is gone.
    """

    template_fields: Sequence[str] = ("volume", "svm")

    def __init__(self, *, volume: str, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.svm = svm

    def execute(self, context: Context) -> str | None:
        from ontap_mlops.ontap import qos

        with self.hook.client() as client:
            policy = qos.lower_policy(client, svm=self.hook.svm(self.svm), volume=self.volume, holder=run_key(context))
        self.log.info("Volume %s has QoS policy %s", self.volume, policy or "(the volume is gone)")
        return policy
