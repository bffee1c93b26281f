"""The last step of a run: one record of what it did, for people and for the commands of this repository."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.context import result_of, run_record

if TYPE_CHECKING:
    from airflow.sdk import Context


class RunSummarizeOperator(MlopsOperator):
    """Put the facts of a run into one record.

    :param facts: name of a fact -> ``task_id``, or ``task_id:key`` for one entry of that task's result. What a skipped
        task would have said is left out.
    :return: the facts, with ``run_key``, ``model`` and ``dataset_version``.
    """

    def __init__(self, *, facts: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**{"trigger_rule": "none_failed_min_one_success", **kwargs})
        self.facts = dict(facts)

    def execute(self, context: Context) -> dict[str, Any]:
        run = run_record(context)
        found = {name: _fact(context, source) for name, source in self.facts.items()}
        summary = {
            "run_key": run.run_key,
            "model": run.model,
            "dataset_version": run.dataset_version.to_json(),
            **{name: value for name, value in found.items() if value is not None},
        }
        self.log.info("%s", json.dumps(summary, indent=2, default=str))
        return summary


def _fact(context: Context, source: str) -> Any:
    task_id, _, key = source.partition(":")
    result = result_of(context, task_id)
    return result.get(key) if key and isinstance(result, Mapping) else result
