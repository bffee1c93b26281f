"""The first step of a training run: settle once what all later steps work on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from ontap_mlops import registry, settings
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import code_commit, run_key
from ontap_mlops.operators.links import OntapSnapshotLink
from ontap_mlops.records import DatasetVersion, RunRecord, TrainingRecord

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.hooks.mlflow import MlflowHook

PROMOTE = {
    "if_better": "If better than the deployed model (never in a backfill)",
    "if_better_even_in_backfill": "If better, in a backfill too",
    "always": "Always",
    "never": "Never",
}
AUTOMATIC = ("scheduled", "asset_triggered")  # runs that nobody asked for by hand


class RunChooseOperator(OntapOperator):
    """Settle once, for all later tasks of the run, which dataset version to train on, with which parameters.

    The version is, in this order: the one of the run to repeat, the one a user names, the one current at a date a user
    names, the one whose asset event started the run, the one current at the run's logical date, the newest.
    A scheduled or backfilled date before the first version skips the run, with a message. So does a run that nobody
    asked for by hand when the same training has been done before.

    The values come from the run's Params of the same names (see ``pipelines.params``).

    :param dataset: name in config/datasets.yaml, a ``registry.Dataset``, or a mapping of its fields.
    :param model: registered model whose champion the new one is judged against.
    :param parameters: names of the Params that the training depends on; their values become part of its record.
    :param mlflow_conn_id: connection to the tracking server that keeps the records of past trainings.
    :return: the RunRecord, as JSON.
    """

    template_fields: Sequence[str] = (*OntapOperator.template_fields, "dataset", "model", "mlflow_conn_id")
    operator_extra_links = (OntapSnapshotLink(),)

    def __init__(
        self,
        *,
        dataset: Any,
        model: str,
        parameters: Sequence[str],
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = registry.as_argument(dataset)
        self.model = model
        self.parameters = parameters
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        mlflow = MlflowHook(self.mlflow_conn_id)
        params, commit = context["params"], code_commit(context)
        repeat_of = self._past_training(context, mlflow, params.get("repeat_run"), commit)
        version = self._version(context, repeat_of)
        record = RunRecord(
            run_key=run_key(context),
            dag_id=context["dag_run"].dag_id,
            run_id=context["dag_run"].run_id,
            model=self.model,
            dataset_version=version,
            parameters=dict(repeat_of.parameters) if repeat_of else {name: params[name] for name in self.parameters},
            promote=_policy(params.get("promote", "if_better"), context["dag_run"].run_type, repeat_of),
            code_commit=commit,
            repeat_of=repeat_of,
        )
        self._skip_if_done(context, mlflow, record)
        OntapSnapshotLink.persist(context, self.ontap_conn_id, version)
        self.log.info("Run %s trains on dataset version %s of %s", record.run_key, version.id, version.created_at)
        return record.to_json()

    def _past_training(
        self, context: Context, mlflow: MlflowHook, key: str | None, commit: str
    ) -> TrainingRecord | None:
        """Raises AirflowFailException when the run to repeat is a training of another DAG."""
        if not key:
            return None
        record, dag_id = mlflow.training_record(key), context["dag_run"].dag_id
        if record.dag_id not in ("", dag_id):
            raise AirflowFailException(
                f"Run {key} is a training of DAG {record.dag_id}, not of {dag_id}: trigger that DAG to repeat it."
            )
        if record.code_commit != commit:
            self.log.warning(
                "Run %s was made by code %s, this one by %s: metrics may differ for that reason.",
                key,
                record.code_commit,
                commit,
            )
        return record

    def _version(self, context: Context, repeat_of: TrainingRecord | None) -> DatasetVersion:
        from ontap_mlops.ontap import dataset_versions

        dataset = registry.as_dataset(self.dataset)
        with self.hook.client() as client:
            svm = self.hook.svm(dataset.svm)
            versions = dataset_versions.list_versions(client, svm=svm, volume=dataset.volume, dataset=dataset.name)
        if repeat_of:
            return _still_there(versions, repeat_of)
        params = context["params"]
        if named := params.get("dataset_version"):
            return _named(versions, named, dataset)
        at = _parse_time(params["as_of"]) if params.get("as_of") else None
        if at is None and (event := _event_version(context, dataset.name)):
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
            by_hand = AirflowFailException(sentence)
            raise by_hand if params.get("as_of") else AirflowSkipException(sentence + " Nothing to train.")
        self.log.info("Dataset version %s of %s was current at %s", found.id, found.created_at, at or "now")
        return found

    def _skip_if_done(self, context: Context, mlflow: MlflowHook, record: RunRecord) -> None:
        """The midnight run of a day whose version has already started a run by its event has nothing to add."""
        if context["dag_run"].run_type not in AUTOMATIC:
            return
        done = mlflow.find_training(
            dag_id=record.dag_id,
            model=record.model,
            snapshot_uuid=record.dataset_version.snapshot_uuid,
            parameters=record.parameters,
            code_commit=record.code_commit,
        )
        if done is not None and done.run_key != record.run_key:
            raise AirflowSkipException(
                f"Run {done.run_key} has trained on dataset version {record.dataset_version.id} with the same "
                "parameters and code. Nothing to train; trigger the DAG by hand to train again all the same."
            )


def _policy(wanted: str, run_type: str, repeat_of: TrainingRecord | None) -> str:
    """The policy that holds for this run: a repeated run never promotes, a backfill only where asked to."""
    if wanted not in PROMOTE:
        raise AirflowFailException(f"promote is {wanted!r}; choose one of {', '.join(PROMOTE)}.")
    if repeat_of or (run_type == "backfill" and wanted == "if_better"):
        return "never"
    return "if_better" if wanted == "if_better_even_in_backfill" else wanted


def _named(versions: list[DatasetVersion], id_: str, dataset: registry.Dataset) -> DatasetVersion:
    for version in versions:
        if id_ in (version.id, version.snapshot, version.snapshot_uuid):
            return version
    known = ", ".join(version.id for version in versions[-5:]) or "none"
    raise AirflowFailException(
        f"Dataset {dataset.name} has no version {id_!r} on volume {dataset.svm}:{dataset.volume}; newest are: {known}."
    )


def _still_there(versions: list[DatasetVersion], record: TrainingRecord) -> DatasetVersion:
    wanted = record.dataset_version
    for version in versions:
        if version.snapshot_uuid == wanted.snapshot_uuid:
            return version
    raise AirflowFailException(
        f"Run {record.run_key} (MLflow run {record.mlflow_run_id}) needs dataset version {wanted.id}, snapshot "
        f"{wanted.snapshot} of volume {wanted.svm}:{wanted.volume}, which has been removed; "
        "restore the volume from a mirror or backup that holds it, or train on another version."
    )


def _event_version(context: Context, dataset: str) -> str | None:
    """Id of the newest version of this dataset among the events that started the run."""
    events = [e for group in (context.get("triggering_asset_events") or {}).values() for e in group]
    records = [e.extra["dataset_version"] for e in events if e.extra and "dataset_version" in e.extra]
    ours = [record for record in records if record["dataset"] == dataset]
    newest = max(ours, key=lambda record: record["created_at"], default=None)
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
