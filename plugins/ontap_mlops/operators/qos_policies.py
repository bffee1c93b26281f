"""Operators on QoS policies: make sure that one exists with its limits, remove one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.policies import _PolicyDelete

if TYPE_CHECKING:
    from airflow.sdk import Context


class OntapQosPolicyEnsureOperator(OntapOperator):
    """Ensure that the SVM has a QoS policy of this name with these limits; those that differ are changed.

    Give one of ``fixed`` and ``adaptive``. The other kind under the same name, one of ONTAP's own, and a minimum over
    its maximum fail the task at once.

    :param policy: name.
    :param fixed: ``max_throughput_iops``, ``min_throughput_iops``, the same with ``_mbps``, and ``capacity_shared``
        (true: all volumes of the policy share the limit).
    :param adaptive: ``expected_iops`` and ``peak_iops`` per TB, ``absolute_min_iops`` of a volume of any size.
    :param svm: the connection's own if not given.
    :return: ``uuid``, ``name``, ``kind``, ``volumes`` (how many have it).
    """

    template_fields: Sequence[str] = ("policy", "fixed", "adaptive", "svm")

    def __init__(
        self,
        *,
        policy: str,
        fixed: Mapping[str, Any] | None = None,
        adaptive: Mapping[str, Any] | None = None,
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.policy = policy
        self.fixed = fixed
        self.adaptive = adaptive
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import qos_policies

        if bool(self.fixed) == bool(self.adaptive):
            raise ValueError(f"QoS policy {self.policy!r} was given both or neither of fixed and adaptive; give one")
        kind = qos_policies.FIXED if self.fixed else qos_policies.ADAPTIVE
        limits = dict(self.fixed or self.adaptive or {})
        with self.hook.client() as client:
            made = qos_policies.ensure(client, svm=self.hook.svm(self.svm), name=self.policy, kind=kind, limits=limits)
        self.log.info("QoS policy %s is %s: %s", made.name, made.kind, dict(made.limits))
        return {"uuid": made.uuid, "name": made.name, "kind": made.kind, "volumes": made.volumes}


class OntapQosPolicyDeleteOperator(_PolicyDelete):
    """Remove a QoS policy that no volume has any more. One that does not exist is no error.

    :param policy: name.
    :param svm: the connection's own if not given.
    :return: whether there was one.
    """

    kind, room = "QoS policy", "qos_policies"
