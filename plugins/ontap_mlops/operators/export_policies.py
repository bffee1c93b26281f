"""Operators on export policies: which compute networks may mount a volume, and what they may do there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.policies import _PolicyDelete

if TYPE_CHECKING:
    from airflow.sdk import Context


class OntapExportPolicyEnsureOperator(OntapOperator):
    """Ensure that an export policy has exactly these rules, and give it to volumes.

    ONTAP keeps no comment with a policy, so one of ours is told by its name: only a policy whose name begins with
    ``mlops_`` is changed; another with other rules fails the task at once.

    :param policy: name, such as ``mlops_gpu_network``.
    :param rules: in order, such as ``[{"clients": ["10.0.0.0/24"], "ro": "sys", "rw": "sys", "superuser": "none"}]``;
        clients are networks, addresses, host names, ``.domains`` or ``@netgroups``; ``protocols`` is NFS if not said.
    :param volumes: names of volumes that get the policy; clients keep what they have open.
    :param svm: the connection's own if not given.
    :return: ``id``, ``name``, ``volumes``: each to the policy it had before.
    """

    template_fields: Sequence[str] = ("policy", "rules", "volumes", "svm")

    def __init__(
        self,
        *,
        policy: str,
        rules: Sequence[Mapping[str, Any]],
        volumes: Sequence[str] = (),
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.policy = policy
        self.rules = rules
        self.volumes = volumes
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import export_policies

        with self.hook.client() as client:
            svm = self.hook.svm(self.svm)
            made = export_policies.ensure(client, svm=svm, name=self.policy, rules=self.rules)
            before = {
                volume: export_policies.apply(client, svm=svm, volume=volume, policy=self.policy)
                for volume in self.volumes
            }
        for rule in made.rules:
            allowed = f"read {', '.join(rule.ro)}; write {', '.join(rule.rw)}"
            self.log.info("Export policy %s: %s may %s", made.name, ", ".join(rule.clients), allowed)
        return {"id": made.id, "name": made.name, "volumes": before}


class OntapExportPolicyDeleteOperator(_PolicyDelete):
    """Remove an export policy whose name begins with ``mlops_``. One that does not exist is no error; one in use fails.

    :param policy: name.
    :param svm: the connection's own if not given.
    :return: whether there was one.
    """

    kind, room = "Export policy", "export_policies"
