"""The last step of a run: one record of what it did, for the commands of this repository, and a page for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from ontap_mlops.compute import submission
from ontap_mlops.hooks import mlflow_pages
from ontap_mlops.hooks.rest import base_url
from ontap_mlops.operators import telling
from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.context import result_of, run_record
from ontap_mlops.operators.links import PICTURES, MlflowModelLink, MlflowRunLink
from ontap_mlops.operators.running import PLACEMENT

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.records import RunRecord

DECISIONS = {"promote": "Promoted", "keep": "Not promoted", "compare": "Only compared"}


class RunSummarizeOperator(MlopsOperator):
    """Put the facts of a run into one record, and tell it in the log.

    The facts ``metrics``, ``held_out``, ``decision``, ``mlflow_url``, ``pictures``, ``model_version`` and
    ``deployment`` are known by name: they are told in words and make the links.

    :param facts: name of a fact -> ``task_id``, or ``task_id:key`` for one entry of that task's result. What a skipped
        task would have said is left out.
    :param programs: task ids of the run's programs: where each ran, how long it waited there, and which places before
        did not take it.
    :param mlflow_conn_id: connection to MLflow, for the links.
    :return: the facts, with ``places`` (by task id), ``run_key``, ``model``, ``dataset_version`` and ``links`` (name to
        address).
    """

    template_fields: Sequence[str] = (*MlopsOperator.template_fields, "mlflow_conn_id")
    operator_extra_links = (MlflowModelLink(), MlflowRunLink(), *PICTURES)

    def __init__(
        self,
        *,
        facts: Mapping[str, str],
        programs: Sequence[str] = (),
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"trigger_rule": "none_failed_min_one_success", **kwargs})
        self.facts = dict(facts)
        self.programs = list(programs)
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        run = run_record(context)
        found = {name: _fact(context, source) for name, source in self.facts.items()}
        facts = {name: value for name, value in found.items() if value is not None}
        links = self._links(context, facts)
        if ran := self._places(context):
            facts["places"] = ran
        for line in told(run, facts, links):
            self.log.info("%s", line)
        return {
            "run_key": run.run_key,
            "model": run.model,
            "dataset_version": run.dataset_version.to_json(),
            **facts,
            "links": links,
        }

    def _places(self, context: Context) -> dict[str, Any]:
        """Where each program ran. One of a mapped task ran in several places, and is left out."""
        found = {task_id: result_of(context, task_id, PLACEMENT) for task_id in self.programs}
        return {task_id: told for task_id, told in found.items() if isinstance(told, Mapping) and "place" in told}

    def _links(self, context: Context, facts: Mapping[str, Any]) -> dict[str, str]:
        links = {}
        if version := _version(facts):
            server = base_url(BaseHook.get_connection(self.mlflow_conn_id))
            links[MlflowModelLink.name] = mlflow_pages.model_page(server, version["model"], version["version"])
            context["ti"].xcom_push(key=MlflowModelLink.key, value=links[MlflowModelLink.name])
        if url := facts.get("mlflow_url"):
            links[MlflowRunLink.name] = mlflow_pages.page(url)
            links |= mlflow_pages.picture_pages(url, facts.get("pictures") or ())
        return links


def told(run: RunRecord, facts: Mapping[str, Any], links: Mapping[str, str]) -> list[str]:
    """Return the run in lines for people."""
    data, version = run.dataset_version, _version(facts)
    lines = [
        f"Run {run.run_key} of {run.dag_id}",
        f"Data: {data.dataset} version {data.id}, {data.files:,} files, {data.bytes / 1e6:,.1f} MB",
        f"  snapshot {data.snapshot} of volume {data.svm}:{data.volume}",
        *_figures(facts),
    ]
    if reads := facts.get("reads"):
        lines += telling.lines(reads["said"])
    if decision := facts.get("decision"):
        reason = f"{DECISIONS.get(decision['decision'], decision['decision'])}: {decision['reason']}"
        lines += telling.lines(reason)
    for task_id, placement in (facts.get("places") or {}).items():
        lines += telling.lines(f"{task_id}: {submission.in_words(placement)}")
    if version:
        lines.append(f"Model: {version['model']} version {version['version']}")
    if endpoint := (facts.get("deployment") or {}).get("endpoint"):
        lines.append(f"Serves at {endpoint}")
    return [*lines, *(f"{name}: {address}" for name, address in links.items())]


def _figures(facts: Mapping[str, Any]) -> list[str]:
    """Return a table of the metrics that all models have."""
    metrics = {model: of for model, of in (facts.get("metrics") or {}).items() if isinstance(of, Mapping)}
    names = [name for name in next(iter(metrics.values()), {}) if all(name in of for of in metrics.values())]
    if not names:
        return []
    held_out = f"Held-out rows: {facts['held_out']:,}" if "held_out" in facts else "Held-out rows"
    width = max(map(len, metrics)) + 2
    rows = [f"  {model:<{width}}" + "".join(f"{of[name]:>11.4f}" for name in names) for model, of in metrics.items()]
    return [held_out, f"  {'':<{width}}" + "".join(f"{name:>11}" for name in names), *rows]


def _version(facts: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return (facts.get("deployment") or {}).get("model_version") or facts.get("model_version")


def _fact(context: Context, source: str) -> Any:
    task_id, _, key = source.partition(":")
    result = result_of(context, task_id)
    return result.get(key) if key and isinstance(result, Mapping) else result
