"""The operator that hands collected facts to a program of tasks/governance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.context import needed, run_key
from ontap_mlops.operators.workload import WorkloadOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class GovernanceProgramOperator(WorkloadOperator):
    """Run a program of ``tasks.governance`` on facts that a task before has collected, with its volumes mounted.

    :param facts: task id; its result has ``mounts`` by key, which are mounted read-only.
    :param target: the volume that the program writes to, as ``svm`` and ``junction_path``.
    """

    template_fields: Sequence[str] = (*WorkloadOperator.template_fields, "target")

    def __init__(self, *, facts: str, target: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.facts = facts
        self.target = target

    def run_facts(self, context: Context) -> dict[str, Any]:
        facts, run = needed(context, self.facts), context["dag_run"]
        return {
            "schema": 1,
            "run": {"run_key": run_key(context), "dag_id": run.dag_id, "run_id": run.run_id},
            "folders": {key: "{" + key + "}" for key in self.run_mounts(context)},
            "facts": facts,
        }

    def run_mounts(self, context: Context) -> dict[str, Any]:
        return {**needed(context, self.facts)["mounts"], "output": self._on_an_svm(self.target)}
