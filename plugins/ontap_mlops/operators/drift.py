"""Operators on drift: what a model was trained on, the comparison with it, what follows, and the alarm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import BranchMixIn
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops import names, registry
from ontap_mlops.drift_watches import NEVER
from ontap_mlops.operators import telling
from ontap_mlops.operators.base import MlopsOperator, OntapOperator
from ontap_mlops.operators.context import needed, result_of, run_record
from ontap_mlops.operators.links import DatasetVersionLink
from ontap_mlops.operators.workload import WorkloadOperator
from ontap_mlops.records import DatasetVersion, ModelVersion

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.compute.workload import Workload

BASELINE, COMPARE, DECIDE, APPROVE, ALARM = "baseline", "compare", "decide", "approve", "raise_alarm"
RUN_FILE_SCHEMA = 1


class DriftBaselineOperator(OntapOperator):
    """Settle what new data is compared with: the model, the version it was trained on, and since when rows are new.

    Where there is no champion yet, or nothing newer than what it was trained on, a run that nobody asked for by hand is
    skipped with a sentence. A version that the model was trained on and that has been removed fails the task: nothing
    can be compared with it.

    :param dataset: name in config/datasets.yaml, a ``registry.Dataset``, or a mapping of its fields.
    :param model: name in the registry.
    :param version: of the model; the champion if empty.
    :param window_days: rows count as new that came in these days before the run's version; 0: since the baseline.
    :param mlflow_conn_id: connection to the registry.
    :return: ``champion`` (a ModelVersion), ``baseline`` and ``since`` (DatasetVersions), as JSON.
    """

    template_fields: Sequence[str] = (*OntapOperator.template_fields, "dataset", "model", "version", "window_days")

    def __init__(
        self,
        *,
        dataset: Any,
        model: str,
        version: int | str | None = None,
        window_days: float | str = 0,
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = registry.as_argument(dataset)
        self.model = model
        self.version = version
        self.window_days = window_days
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import dataset_versions

        champion, newest = self._champion(context), run_record(context).dataset_version
        dataset = registry.as_dataset(self.dataset)
        if champion.dataset_version.dataset != dataset.name:
            raise AirflowFailException(
                f"Version {champion.version} of model {self.model} was trained on dataset "
                f"{champion.dataset_version.dataset}, not on {dataset.name}: correct its entry in config/drift.yaml."
            )
        adopt = dataset_versions.Adoption(*dataset.adopted)
        with self.hook.client() as client:
            known = dataset_versions.list_versions(
                client, svm=newest.svm, volume=newest.volume, dataset=dataset.name, adopt=adopt
            )
        baseline = self._baseline(known, champion)
        if dataset_versions.when(newest) <= dataset_versions.when(baseline):
            self._nothing(
                context,
                f"Version {newest.id} of {dataset.name} is not newer than {baseline.id}, which version "
                f"{champion.version} of model {self.model} was trained on: there is nothing new to compare.",
            )
        before = dataset_versions.when(newest) - timedelta(days=float(self.window_days or 0))
        since = dataset_versions.current_at(known, before) if float(self.window_days or 0) else None
        if since is None or dataset_versions.when(since) < dataset_versions.when(baseline):
            since = baseline
        self.log.info(
            "What is new in %s since %s against %s, which version %s of %s was trained on",
            newest.id,
            since.id,
            baseline.id,
            champion.version,
            self.model,
        )
        return {"champion": champion.to_json(), "baseline": baseline.to_json(), "since": since.to_json()}

    def _champion(self, context: Context) -> ModelVersion:
        from ontap_mlops.hooks.mlflow import MlflowHook

        known = MlflowHook(self.mlflow_conn_id)
        found = known.model_version(self.model, int(self.version)) if self.version else known.champion(self.model)
        if found is None:
            self._nothing(
                context, f"Model {self.model} has no champion yet, so there is nothing to compare with: train one."
            )
        return found

    def _nothing(self, context: Context, sentence: str) -> NoReturn:
        """Skip a run that nobody asked for by hand; fail one that somebody waits for."""
        if context["dag_run"].run_type != "manual":
            self.skip_because(context, sentence)
        raise AirflowFailException(sentence)

    def _baseline(self, known: Sequence[DatasetVersion], champion: ModelVersion) -> DatasetVersion:
        wanted = champion.dataset_version
        for version in known:
            same = (version.id, version.digest) == (wanted.id, wanted.digest)
            if same or version.snapshot_uuid == wanted.snapshot_uuid:
                return version
        raise AirflowFailException(
            f"Version {wanted.id} of {wanted.dataset}, which version {champion.version} of model {self.model} was "
            f"trained on (snapshot {wanted.snapshot} of volume {wanted.svm}:{wanted.volume}), has been removed: "
            "nothing can be compared with it. Train on a version that is there, or restore the volume from a mirror."
        )


class DriftCompareOperator(WorkloadOperator):
    """Run ``tasks.drift.compare`` on the snapshots of three versions, read-only, and on the champion's files.

    :param system: name of the reader in tasks/drift/systems.
    :param alarm_on: kinds of drift that are an alarm, by commas.
    :return: what the program says: ``drift``, ``alarm``, ``reason`` and figures.
    """

    template_fields: Sequence[str] = (
        *(name for name in WorkloadOperator.template_fields if name not in ("arguments", "mounts", "program")),
        "system",
        "alarm_on",
    )
    operator_extra_links = (*WorkloadOperator.operator_extra_links, DatasetVersionLink())

    def __init__(
        self, *, system: str, alarm_on: str = "", mlflow_conn_id: str | None = "mlflow_default", **kwargs: Any
    ) -> None:
        super().__init__(program="tasks.drift.compare", mlflow_conn_id=mlflow_conn_id, **kwargs)
        self.system = system
        self.alarm_on = alarm_on

    def workload(self, context: Context) -> Workload:
        told = needed(context, BASELINE)
        folders = {key: _data_of(DatasetVersion.from_json(told[key])) for key in ("baseline", "since")}
        self.arguments = {"system": self.system, "alarm_on": self.alarm_on, **folders}
        return super().workload(context)

    def run_facts(self, context: Context) -> dict[str, Any]:
        record, told = run_record(context), needed(context, BASELINE)
        champion = ModelVersion.from_json(told["champion"])
        return {
            "schema": RUN_FILE_SCHEMA,
            "run": record.to_json(),
            "step": self.task_id,
            "data": _data_of(record.dataset_version),
            "folders": {key: "{" + key + "}" for key in self.run_mounts(context)},
            "champion": {
                "folder": "{models}/" + champion.folder,
                "version": champion.version,
                "run_key": champion.run_key,
            },
            "baseline": told["baseline"],
            "since": told["since"],
        }

    def run_mounts(self, context: Context) -> dict[str, Any]:
        version = run_record(context).dataset_version
        champion = ModelVersion.from_json(needed(context, BASELINE)["champion"])
        return {
            "data": _mount(version.svm, version.volume),
            "models": _mount(champion.svm, champion.volume),
        }


class DriftDecideOperator(MlopsOperator, BranchMixIn):
    """Go on to a person's approval, to the alarm itself, or no further, by what the comparison has found.

    An alarm of a backfill is shown and starts nothing. The Params ``approval`` and ``start`` are read from the run.

    :return: ``drift``, ``alarm``, ``goes_on`` (``approve``, ``raise_alarm`` or nothing) and ``reason``, a sentence.
    """

    inherits_from_skipmixin = True

    def execute(self, context: Context) -> None:
        found, params = needed(context, COMPARE), context["params"]
        goes_on, reason = decide(found, params, context["dag_run"].run_type)
        self.log.info("%s", reason)
        if found["alarm"] or found["drift"] == "not known":
            telling.add_note(context, reason)
        # Branching ends the task by an exception, so what it returns would be lost.
        facts = {"drift": found["drift"], "alarm": found["alarm"], "goes_on": goes_on, "reason": reason}
        context["ti"].xcom_push("return_value", facts)
        self.do_branch(context, [goes_on] if goes_on else [])


def decide(found: Mapping[str, Any], params: Mapping[str, Any], run_type: str) -> tuple[str, str]:
    """Return the task to go on with, "" for none, and why."""
    if not found["alarm"]:
        return "", f"No alarm. {found['reason']}"
    if run_type == "backfill":
        return "", f"{found['reason']} This is a backfill, which starts no training."
    if params["start"] == NEVER:
        return "", f"{found['reason']} No training is to be started (parameter start)."
    return (APPROVE if params["approval"] else ALARM), str(found["reason"])


class DriftApproveOperator(ApprovalOperator):
    """Ask a person, under *Required actions*, whether an alarm is to start a training. Silence is a no.

    :param subject: the question in a line.
    :param response_timeout: how long a person is waited for.
    """

    def __init__(self, *, doc_md: str | None = None, **kwargs: Any) -> None:
        super().__init__(**{"defaults": self.REJECT, "doc_md": doc_md or telling.page_of(type(self)), **kwargs})

    def execute(self, context: Context) -> Any:
        found = needed(context, COMPARE)
        page = found.get("mlflow_url")
        report = f"\n\nThe report is `drift.html` among the artifacts of [its run]({page})." if page else ""
        self.body = f"{needed(context, DECIDE)['reason']}{report}"
        return super().execute(context)


class DriftAlarmOperator(MlopsOperator):
    """Raise the event on the asset ``drift/<model>`` that starts the training of the model.

    The task is skipped where another version has become the champion since the comparison: what was found is not of it.

    :param mlflow_conn_id: connection to the registry.
    :return: ``model``, ``version``, ``drift``, ``reason``, ``page`` (the report's run), ``approved_by`` and ``start``.
    """

    template_fields: Sequence[str] = (*MlopsOperator.template_fields,)

    def __init__(self, *, mlflow_conn_id: str = "mlflow_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        found = needed(context, COMPARE)
        judged = ModelVersion.from_json(needed(context, BASELINE)["champion"])
        now = MlflowHook(self.mlflow_conn_id).champion(judged.model)
        if now is None or now.version != judged.version:
            other = f"version {now.version} is" if now else "there is none"
            self.skip_because(
                context,
                f"Version {judged.version} of model {judged.model} was compared, and {other} the champion by now: "
                "no training is started. Run the comparison again.",
            )
        answer = result_of(context, APPROVE) or {}
        told = {
            "model": judged.model,
            "version": judged.version,
            "drift": found["drift"],
            "reason": found["reason"],
            "page": found.get("mlflow_url", ""),
            "approved_by": (answer.get("responded_by_user") or {}).get("name", ""),
            "start": context["params"]["start"],
        }
        version = run_record(context).dataset_version
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = {"drift": told, "dataset_version": version.to_json()}
        self.log.info("Drift of %s: %s", judged.model, found["reason"])
        return told


def _data_of(version: DatasetVersion) -> str:
    return "{data}/.snapshot/" + version.snapshot + "/data"


def _mount(svm: str, volume: str) -> dict[str, Any]:
    return {"svm": svm, "junction_path": names.junction_path(volume), "read_only": True}
