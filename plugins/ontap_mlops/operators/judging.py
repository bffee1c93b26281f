"""What becomes of a trained model: decide by metrics on the same held-out rows, or compare a repeat with its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BranchMixIn
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.context import claim_of, needed, result_of, run_record
from ontap_mlops.operators.links import DatasetVersionLink, MlflowRunLink
from ontap_mlops.records import Claim, RunRecord, TrainingRecord

if TYPE_CHECKING:
    from airflow.sdk import Context

JUDGE_BY = {
    "interval": "the interval: better beyond chance on these rows",
    "figure": "the figure alone, as in the walkthrough",
}


class TrainingRecordOperator(MlopsOperator):
    """Keep, with the MLflow run, all that is needed to do the training again exactly.

    :param training: task id of the program that trained; its result, or the ``best`` in it, has ``mlflow_run_id``.
    :param evaluation: task id of the program that judged; the challenger's metrics are the training's.
    :param mlflow_conn_id: connection to the tracking server.
    :return: the TrainingRecord, as JSON.
    """

    template_fields: Sequence[str] = (*MlopsOperator.template_fields, "mlflow_conn_id")
    operator_extra_links = (MlflowRunLink(), DatasetVersionLink())

    def __init__(
        self, *, training: str, evaluation: str, mlflow_conn_id: str = "mlflow_default", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.training = training
        self.evaluation = evaluation
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        run, trained = run_record(context), needed(context, self.training)
        mlflow_run_id = trained.get("best", trained).get("mlflow_run_id")
        if not mlflow_run_id:
            raise AirflowFailException(
                f"Task {self.training} returned no mlflow_run_id, so its training cannot be recorded: let its program "
                "report to the tracking server (tasks.common.tracking) and clear it."
            )
        record = TrainingRecord(
            run_key=run.run_key,
            mlflow_run_id=mlflow_run_id,
            dataset_version=run.dataset_version,
            parameters=run.parameters,
            metrics=_deciding_first(needed(context, self.evaluation)["metrics"]["challenger"], context, run),
            code_commit=run.code_commit,
            dag_id=run.dag_id,
            model=run.model,
        )
        MlflowHook(self.mlflow_conn_id).record_training(record)
        return record.to_json()


def _deciding_first(metrics: Mapping[str, float], context: Context, run: RunRecord) -> dict[str, float]:
    """The metrics with the one first that decides on a promotion: the run's Param, or the first of what it repeats."""
    first = context["params"].get("metric") or next(iter(run.repeat_of.metrics if run.repeat_of else ()), None)
    return {name: metrics[name] for name in sorted(metrics, key=lambda name: name != first)}


class PromotionDecideOperator(MlopsOperator, BranchMixIn):
    """Branch to ``promote``, ``keep`` or, for a repeated run, ``compare``, by metrics on the same held-out rows.

    The challenger replaces the champion when it is better by more than ``minimum_gain``: the whole confidence interval
    of the gain must lie above it, or only the figure itself when the Param ``judge_by`` says so. Where no row was left
    that neither has trained on, the champion stays. So it does, or nothing is deployed, where the evaluation says why
    the challenger is ``unfit``, whatever it would replace. The Params ``metric``, ``judge_by`` and ``minimum_gain`` are
    read from the run.

    :param evaluation: task id of the program that judged.
    :param promote: task or group to go on with after a promotion.
    :param keep: the same when the champion stays.
    :param keep_without_champion: the same when there is none to stay.
    :param compare: the same for a run that repeats another.
    :return: ``decision`` (promote, keep or compare), ``reason`` (a sentence), ``metric``, and ``champion_version``, the
        one it was judged against.
    """

    inherits_from_skipmixin = True

    def __init__(
        self,
        *,
        evaluation: str,
        promote: str = "promote",
        keep: Sequence[str] = ("summary",),
        keep_without_champion: Sequence[str] = ("summary",),
        compare: str = "compare_with_record",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.evaluation = evaluation
        self.promote = promote
        self.keep = keep
        self.keep_without_champion = keep_without_champion
        self.compare = compare

    def execute(self, context: Context) -> None:
        run, claim, judged = run_record(context), claim_of(context), needed(context, self.evaluation)
        decision, reason = decide(run, claim, judged, context["params"])
        self.log.info("%s: %s", decision.capitalize(), reason)
        # Branching ends the task by an exception, so what it returns would be lost.
        champion = claim.champion.version if claim.champion else None
        facts = {
            "decision": decision,
            "reason": reason,
            "metric": context["params"]["metric"],
            "champion_version": champion,
        }
        context["ti"].xcom_push("return_value", facts)
        keep = self.keep if claim.champion else self.keep_without_champion
        ways = {"promote": [self.promote], "keep": list(keep), "compare": [self.compare]}
        self.do_branch(context, ways[decision])


def decide(run: RunRecord, claim: Claim, judged: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[str, str]:
    """(decision, reason). Only what is known promotes: anything unclear keeps the champion."""
    if run.repeat_of:
        return "compare", f"this run repeats {run.repeat_of.run_key}"
    if run.promote == "never" or not claim.held:
        return "keep", "the run may not promote (parameter promote, a backfill, or a site away from home)"
    if run.promote == "always":
        return "promote", "the run always promotes (parameter promote)"
    if unfit := judged.get("unfit"):
        return "keep", str(unfit)
    if claim.champion is None:
        return "promote", "no model is deployed yet"
    if refused := judged.get("refused"):
        return "keep", f"the two models cannot be compared: {refused}"
    if judged.get("champion_version") != claim.champion.version:
        return "keep", (
            f"evaluate judged version {judged.get('champion_version')} of {run.model} and version "
            f"{claim.champion.version} is the champion; clear evaluate to judge again"
        )
    return _by_gain(judged, params)


def _by_gain(judged: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[str, str]:
    metric, minimum = params["metric"], float(params["minimum_gain"])
    metrics, gain = judged["metrics"], judged["comparison"][metric]
    rows = f" on {judged['compared']:,} rows" if "compared" in judged else ""
    figures = f"held-out {metric} {metrics['challenger'][metric]:.4f} against {metrics['champion'][metric]:.4f}{rows}"
    if params["judge_by"] == "figure":
        counts, said = gain["gain"], figures
    else:
        counts = gain["low"]
        said = f"{figures}; gain {gain['low']:+.4f} to {gain['high']:+.4f} at {gain['confidence']:.0%} confidence"
    if counts > minimum:
        return "promote", f"the challenger is better: {said}"
    sure = "" if params["judge_by"] == "figure" else "surely "
    by = f" by more than {minimum:g}" if minimum else ""
    return "keep", f"the challenger is not {sure}better{by}: {said}"


class RunCompareOperator(MlopsOperator):
    """Compare a repeated training with its record; fail when a metric differs.

    :param evaluation: task id of the program that measured the repeated training.
    :param tolerance: greatest difference that still counts as equal.
    :return: ``repeat_of``, the metrics that are ``equal``, and ``tolerance``.
    """

    def __init__(self, *, evaluation: str, tolerance: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.evaluation = evaluation
        self.tolerance = tolerance

    def execute(self, context: Context) -> dict[str, Any]:
        run = run_record(context)
        measured = (result_of(context, self.evaluation) or {}).get("metrics", {}).get("challenger", {})
        if run.repeat_of is None:
            raise AirflowFailException("This run repeats no other, so there is no record to compare it with.")
        return self.compare(run.repeat_of, measured, run.code_commit)

    def compare(self, record: TrainingRecord, repeated: Mapping[str, float], code_commit: str) -> dict[str, Any]:
        rows = {name: (value, repeated.get(name)) for name, value in sorted(record.metrics.items())}
        self.log.info("metric, recorded by %s, repeated by this run:", record.run_key)
        for name, (before, now) in rows.items():
            self.log.info("  %-12s %.6f  %s", name, before, "missing" if now is None else f"{now:.6f}")
        different = [n for n, (before, now) in rows.items() if now is None or abs(before - now) > self.tolerance]
        if different:
            raise AirflowFailException(
                f"Run {record.run_key} did not repeat: {', '.join(different)} differ by over {self.tolerance:g}. "
                f"Recorded with code {record.code_commit}, repeated with {code_commit}; "
                "the data is the same snapshot, so look at code, library versions and processor."
            )
        return {"repeat_of": record.run_key, "equal": sorted(rows), "tolerance": self.tolerance}
