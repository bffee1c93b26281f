"""Operators around a training: settle what it works on, decide what becomes of its model, and sum up the run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, BranchMixIn
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from ontap_mlops import registry, settings
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import code_commit, run_key
from ontap_mlops.operators.links import OntapSnapshotLink
from ontap_mlops.records import DatasetVersion

if TYPE_CHECKING:
    from airflow.sdk import Context

PROMOTE = {
    "if_better": "If better than the deployed model (never in a backfill)",
    "if_better_even_in_backfill": "If better, in a backfill too",
    "always": "Always",
    "never": "Never",
}


class RunChooseOperator(OntapOperator):
    """Settles once, for all later tasks of the run, which dataset version to train on and against which model to judge.

    The version is, in this order: the one of the run to repeat, the one a user names, the one current at a date a user
    names, the one whose asset event started the run, the one current at the run's logical date, the newest.
    A scheduled or backfilled date before the first version skips the run with a sentence.

    :param dataset: name in config/datasets.yaml.
    :param model: registered model whose champion the new one is judged against.
    :param parameters: names of the DAG's params that the training depends on; their values become part of its record.
    :param version: id of a dataset version, or empty.
    :param as_of: ISO 8601 time, or empty.
    :param repeat_run: run key of a past training to do again exactly, or empty; its parameters replace ``parameters``.
    :param promote: a key of ``PROMOTE``.
    :return: ``run_key, dataset_version, parameters, promote, champion, repeat_of, code_commit``.
    """

    template_fields: Sequence[str] = ("dataset", "model", "version", "as_of", "repeat_run", "promote")
    operator_extra_links = (OntapSnapshotLink(),)

    def __init__(
        self,
        *,
        dataset: str,
        model: str,
        parameters: Sequence[str],
        version: str = "",
        as_of: str = "",
        repeat_run: str = "",
        promote: str = "if_better",
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.model = model
        self.parameters = parameters
        self.version = version
        self.as_of = as_of
        self.repeat_run = repeat_run
        self.promote = promote
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        mlflow = MlflowHook(self.mlflow_conn_id)
        repeat_of = mlflow.training_record(self.repeat_run).to_json() if self.repeat_run else None
        version = self._version(context, repeat_of)
        champion = mlflow.champion(self.model)
        commit = code_commit(context)
        if repeat_of and repeat_of["code_commit"] != commit:
            self.log.warning(
                "Run %s was made by code %s, this one by %s: metrics may differ for that reason.",
                self.repeat_run,
                repeat_of["code_commit"],
                commit,
            )
        OntapSnapshotLink.persist(context, self.ontap_conn_id, version)
        return {
            "run_key": run_key(context),
            "dataset_version": version.to_json(),
            "parameters": repeat_of["parameters"] if repeat_of else {p: context["params"][p] for p in self.parameters},
            "promote": self._promote(context, repeat_of),
            "champion": champion.to_json() if champion else None,
            "repeat_of": repeat_of,
            "code_commit": commit,
        }

    def _version(self, context: Context, repeat_of: dict[str, Any] | None) -> DatasetVersion:
        from ontap_mlops.ontap import dataset_versions

        dataset = registry.dataset(self.dataset)
        with self.hook.client() as client:
            svm = self.hook.svm(dataset.svm)
            versions = dataset_versions.list_versions(client, svm=svm, volume=dataset.volume, dataset=dataset.name)
        if repeat_of:
            return _still_there(versions, repeat_of)
        if self.version:
            return _named(versions, self.version, dataset)
        at = _parse_time(self.as_of) if self.as_of else None
        if at is None and (event := _event_version(context)):
            return _named(versions, event, dataset)
        at = at or _logical_date(context)
        if at is None and not versions:
            raise AirflowFailException(
                f"Dataset {dataset.name} has no version yet; run the DAG ingest_{dataset.name} first."
            )
        found = versions[-1] if at is None else dataset_versions.current_at(versions, at)
        if found is None:
            first = f"the first one is {versions[0].id} of {versions[0].created_at}" if versions else "it has none yet"
            sentence = f"Dataset {dataset.name} had no version at {at}: {first}."
            raise (
                AirflowFailException(sentence) if self.as_of else AirflowSkipException(sentence + " Nothing to train.")
            )
        self.log.info("Dataset version %s of %s was current at %s", found.id, found.created_at, at or "now")
        return found

    def _promote(self, context: Context, repeat_of: dict[str, Any] | None) -> str:
        if self.promote not in PROMOTE:
            raise AirflowFailException(f"promote is {self.promote!r}; choose one of {', '.join(PROMOTE)}.")
        backfill = context["dag_run"].run_type == "backfill"
        if repeat_of or (backfill and self.promote == "if_better"):
            return "never"
        return "if_better" if self.promote == "if_better_even_in_backfill" else self.promote


class PromotionDecideOperator(BaseOperator, BranchMixIn):
    """Branches to ``promote``, ``keep`` or, for a repeated run, ``compare``, by metrics on the same held-out data.

    :param plan: result of :class:`RunChooseOperator`.
    :param metrics: ``{"challenger": {...}, "champion": {...}}``; the champion is absent when there is none.
    :param metric: the one that decides; higher is better.
    :param minimum_gain: by how much the challenger must be better.
    :return: ``decision`` (promote, keep or compare), ``reason`` (a sentence) and ``metric``.
    """

    inherits_from_skipmixin = True
    template_fields: Sequence[str] = ("plan", "metrics", "metric", "minimum_gain", "promote", "keep", "compare")

    def __init__(
        self,
        *,
        plan: Any,
        metrics: Any,
        promote: str,
        keep: str,
        compare: str,
        metric: str = "accuracy",
        minimum_gain: float | str = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.metrics = metrics
        self.promote = promote
        self.keep = keep
        self.compare = compare
        self.metric = metric
        self.minimum_gain = minimum_gain

    def execute(self, context: Context) -> None:
        decision, reason = self.decide()
        self.log.info("%s: %s", decision.capitalize(), reason)
        # Branching ends the task by an exception, so what it returns would be lost.
        context["ti"].xcom_push("return_value", {"decision": decision, "reason": reason, "metric": self.metric})
        self.do_branch(context, {"promote": self.promote, "keep": self.keep, "compare": self.compare}[decision])

    def decide(self) -> tuple[str, str]:
        policy, challenger, champion = self.plan["promote"], self.metrics["challenger"], self.metrics.get("champion")
        if self.plan["repeat_of"]:
            return "compare", f"this run repeats {self.plan['repeat_of']['run_key']}"
        if policy == "never":
            return "keep", "the run may not promote (parameter promote, or a backfill)"
        if policy == "always":
            return "promote", "the run promotes always (parameter promote)"
        if champion is None:
            return "promote", "no model is deployed yet"
        gain = challenger[self.metric] - champion[self.metric]
        figures = f"held-out {self.metric} {challenger[self.metric]:.4f} against {champion[self.metric]:.4f}"
        if gain > float(self.minimum_gain):
            return "promote", f"the challenger is better: {figures}"
        return "keep", f"the challenger is not better by more than {float(self.minimum_gain):g}: {figures}"


class RunCompareOperator(BaseOperator):
    """Holds a repeated training against its record and fails when a metric differs.

    :param plan: result of :class:`RunChooseOperator`.
    :param metrics: what the repeated training measured, by name.
    :param tolerance: greatest difference that still counts as equal.
    """

    template_fields: Sequence[str] = ("plan", "metrics")

    def __init__(self, *, plan: Any, metrics: Any, tolerance: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.metrics = metrics
        self.tolerance = tolerance

    def execute(self, context: Context) -> dict[str, Any]:
        record, repeated = self.plan["repeat_of"], self.metrics
        rows = {name: (value, repeated.get(name)) for name, value in sorted(record["metrics"].items())}
        self.log.info("metric, recorded by %s, repeated by this run:", record["run_key"])
        for name, (before, now) in rows.items():
            self.log.info("  %-12s %.6f  %s", name, before, "missing" if now is None else f"{now:.6f}")
        different = [n for n, (before, now) in rows.items() if now is None or abs(before - now) > self.tolerance]
        if different:
            raise AirflowFailException(
                f"Run {record['run_key']} did not repeat: {', '.join(different)} differ by over {self.tolerance:g}. "
                f"Recorded with code {record['code_commit']}, repeated with {self.plan['code_commit']}; "
                "the data is the same snapshot, so look at code, library versions and processor."
            )
        return {"repeat_of": record["run_key"], "equal": sorted(rows), "tolerance": self.tolerance}


class RunSummarizeOperator(BaseOperator):
    """Puts the facts of a training run into one record, for people and for ``make demo``.

    :param facts: what to put together; values of tasks that were skipped are None.
    """

    template_fields: Sequence[str] = ("facts",)

    def __init__(self, *, facts: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(trigger_rule="none_failed_min_one_success", **kwargs)
        self.facts = facts

    def execute(self, context: Context) -> dict[str, Any]:
        facts = {name: value for name, value in self.facts.items() if value not in (None, "", "None")}
        self.log.info("%s", json.dumps(facts, indent=2, default=str))
        return facts


def _named(versions: list[DatasetVersion], id_: str, dataset: registry.Dataset) -> DatasetVersion:
    for version in versions:
        if id_ in (version.id, version.snapshot, version.snapshot_uuid):
            return version
    known = ", ".join(version.id for version in versions[-5:]) or "none"
    raise AirflowFailException(
        f"Dataset {dataset.name} has no version {id_!r} on volume {dataset.svm}:{dataset.volume}; newest are: {known}."
    )


def _still_there(versions: list[DatasetVersion], record: dict[str, Any]) -> DatasetVersion:
    wanted = DatasetVersion.from_json(record["dataset_version"])
    for version in versions:
        if version.snapshot_uuid == wanted.snapshot_uuid:
            return version
    raise AirflowFailException(
        f"Run {record['run_key']} (MLflow run {record['mlflow_run_id']}) needs dataset version {wanted.id}, snapshot "
        f"{wanted.snapshot} of volume {wanted.svm}:{wanted.volume}, which has been removed; "
        "restore the volume from a mirror or backup that holds it, or train on another version."
    )


def _event_version(context: Context) -> str | None:
    """Id of the newest dataset version among the events that started the run."""
    events = [e for group in (context.get("triggering_asset_events") or {}).values() for e in group]
    records = [e.extra["dataset_version"] for e in events if e.extra and "dataset_version" in e.extra]
    newest = max(records, key=lambda record: record["created_at"], default=None)
    return newest["id"] if newest else None


def _logical_date(context: Context) -> datetime | None:
    """None for a run that means "now": one without a date, or one that a person started with the present one."""
    run = context["dag_run"]
    if run.logical_date is None:
        return None
    started_now = run.run_type == "manual" and run.run_after - run.logical_date < timedelta(
        seconds=settings.now_within_s()
    )
    return None if started_now else run.logical_date


def _parse_time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise AirflowFailException(
            f"as_of is {text!r}, which is not a time; give it like 2026-11-20 or 2026-11-20T06:00:00Z."
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
