"""The first step of a training run: settle once what all later steps work on."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from ontap_mlops import assets, locations, registry, settings
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import code_commit, run_key
from ontap_mlops.operators.links import DatasetVersionLink
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
CHAMPION, ANEW = "champion", "anew"
AUTOMATIC = ("scheduled", "asset_triggered")  # runs that nobody asked for by hand


class RunChooseOperator(OntapOperator):
    """Settle once, for all later tasks of the run, which dataset version to train on, with which parameters.

    The version is, in this order: the one of the run to repeat, the one a user names, the one current at a date a user
    names, the one whose asset event started the run, the one current at the run's logical date, the newest.
    A scheduled or backfilled date before the first version skips the run, with a message. So does a run that nobody
    asked for by hand when the same training has been done before.

    The values come from the run's Params of the same names (see ``pipelines.params``). At another site than home, the
    version is looked for in the volume that a mirror keeps there, and the run never promotes: the claim on the model
    and its versions are at home (decision 24).

    :param dataset: name in config/datasets.yaml, a ``registry.Dataset``, or a mapping of its fields.
    :param model: registered model whose champion the new one is judged against.
    :param parameters: names of the Params that the training depends on; their values become part of its record.
    :param champion_parameters: those of them whose value ``champion`` stands for the champion's run key, so that a
        repeated run gets the same one; ``anew`` where there is no champion yet.
    :param site: ``home``, or a name in config/sites.yaml; ``ontap_conn_id`` is that site's.
    :param mlflow_conn_id: connection to the tracking server that keeps the records of past trainings.
    :return: the RunRecord, as JSON.
    """

    template_fields: Sequence[str] = (*OntapOperator.template_fields, "dataset", "model", "site", "mlflow_conn_id")
    operator_extra_links = (DatasetVersionLink(),)

    def __init__(
        self,
        *,
        dataset: Any,
        model: str,
        parameters: Sequence[str],
        champion_parameters: Sequence[str] = (),
        site: str = locations.HOME,
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = registry.as_argument(dataset)
        self.model = model
        self.parameters = parameters
        self.champion_parameters = champion_parameters
        self.site = site
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        _refuse_unknown(context)
        mlflow = MlflowHook(self.mlflow_conn_id)
        params, commit = context["params"], code_commit(context)
        repeat_of = self._past_training(context, mlflow, params.get("repeat_run"), commit)
        version, why = self._version(context, repeat_of)
        record = RunRecord(
            run_key=run_key(context),
            dag_id=context["dag_run"].dag_id,
            run_id=context["dag_run"].run_id,
            model=self.model,
            dataset_version=version,
            parameters=dict(repeat_of.parameters) if repeat_of else self._parameters(context, mlflow),
            promote=_policy(params.get("promote", "if_better"), context["dag_run"].run_type, repeat_of, self.site),
            code_commit=commit,
            repeat_of=repeat_of,
            site=self.site,
        )
        self._skip_if_done(context, mlflow, record)
        self.log.info("%s", self._said(record, why, mlflow))
        return record.to_json()

    def _parameters(self, context: Context, mlflow: MlflowHook) -> dict[str, Any]:
        """Return the values as they hold for good. What the registry does not say is asked again by the next try."""
        values = {name: context["params"][name] for name in self.parameters}
        if _drift_starts_from_champion(context):
            values |= dict.fromkeys(self.champion_parameters, CHAMPION)
        asked = [name for name in self.champion_parameters if values.get(name) == CHAMPION]
        champion = mlflow.champion(self.model) if asked else None
        return {**values, **dict.fromkeys(asked, champion.run_key if champion else ANEW)}

    def _said(self, record: RunRecord, why: str, mlflow: MlflowHook) -> str:
        """What the run works on and why, in one line that fits a page."""
        from ontap_mlops.hooks.rest import ServiceError

        version = record.dataset_version
        try:
            found = mlflow.champion(self.model)
            champion = f"version {found.version}" if found else "none yet"
        except (ServiceError, AirflowNotFoundException) as error:  # the run needs it later, and will say so
            self.log.debug("The champion of %s is not known: %s", self.model, error)
            champion = "not known, MLflow does not say"
        where = "" if record.site == locations.HOME else f" at site {record.site}"
        return (
            f"Version {version.id}{where}, {why}: {version.files:,} files, {version.bytes / 1e6:,.1f} MB; "
            f"champion of {self.model}: {champion}; promote: {record.promote}"
        )

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

    def _version(self, context: Context, repeat_of: TrainingRecord | None) -> tuple[DatasetVersion, str]:
        """The version, and why it is this one."""
        from ontap_mlops.ontap import dataset_versions

        dataset, params = registry.as_dataset(self.dataset), context["params"]
        place = locations.of(dataset, self.site)
        with self.hook.client() as client:
            svm = self.hook.svm(place.svm)
            versions = dataset_versions.list_versions(
                client,
                svm=svm,
                volume=dataset.volume,
                dataset=dataset.name,
                adopt=dataset_versions.Adoption(*dataset.adopted),
            )
        if not versions and not place.is_home:
            raise AirflowFailException(
                f"Dataset {dataset.name} has no version at site {place.site}, in volume {svm}:{dataset.volume}: run "
                "the DAG replicate for this dataset and site first."
            )
        if repeat_of:
            return _still_there(versions, repeat_of, place), f"as in run {repeat_of.run_key}, which is repeated"
        if named := params.get("dataset_version"):
            return _named(versions, named, dataset, place), "named by whoever started the run"
        asked = _parse_time(params["as_of"]) if params.get("as_of") else None
        if asked is None and (event := _event_version(context, dataset)):
            return _named(versions, event, dataset, place), "whose event started the run"
        at = asked or _logical_date(context)
        if at is not None:
            found = dataset_versions.current_at(versions, at)
            return found or self._too_early(context, versions, dataset, at), f"current at {_shown(at)}"
        if not versions:
            raise AirflowFailException(
                f"Dataset {dataset.name} has no version yet; run the DAG ingest_{dataset.name} first."
            )
        return versions[-1], "the newest"

    def _too_early(
        self, context: Context, versions: list[DatasetVersion], dataset: registry.Dataset, at: datetime
    ) -> NoReturn:
        """Skip the run of a date before the first version, or fail it when a person has named the date."""
        first = versions[0] if versions else None
        known = f"the first one is {first.id} of {first.created_at}" if first else "it has none yet"
        sentence = f"Dataset {dataset.name} had no version at {_shown(at)}: {known}."
        if context["params"].get("as_of"):
            raise AirflowFailException(sentence)
        self.skip_because(context, sentence + " Nothing to train.")

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
            self.skip_because(
                context,
                f"Run {done.run_key} has trained on dataset version {record.dataset_version.id} with the same "
                "parameters and code. Nothing to train; trigger the DAG by hand to train again all the same.",
            )


def _refuse_unknown(context: Context) -> None:
    """Airflow takes a configuration with any keys, and puts those that are no Params of the DAG among the run's all the
    same; nothing would read a misspelt one.

    Raises AirflowFailException that names them.
    """
    known = list(context["dag"].params)
    unknown = [key for key in getattr(context["dag_run"], "conf", None) or {} if key not in known]
    if not unknown:
        return
    meant = {key: difflib.get_close_matches(key.lower(), known, n=1) for key in unknown}
    shown = ", ".join(f"{key!r} (did you mean {meant[key][0]!r}?)" if meant[key] else repr(key) for key in unknown)
    raise AirflowFailException(
        f"The run was started with {shown}, which {context['dag_run'].dag_id} does not know. "
        f"It knows {', '.join(known)}. Trigger it again with one of these."
    )


def _policy(wanted: str, run_type: str, repeat_of: TrainingRecord | None, site: str = locations.HOME) -> str:
    """The policy that holds for this run: one that repeats another or is away from home never promotes, a backfill only
    where asked to."""
    if wanted not in PROMOTE:
        raise AirflowFailException(f"promote is {wanted!r}; choose one of {', '.join(PROMOTE)}.")
    if repeat_of or site != locations.HOME or (run_type == "backfill" and wanted == "if_better"):
        return "never"
    return "if_better" if wanted == "if_better_even_in_backfill" else wanted


def _named(
    versions: list[DatasetVersion], id_: str, dataset: registry.Dataset, place: locations.Location
) -> DatasetVersion:
    for version in versions:
        if id_ in (version.id, version.snapshot, version.snapshot_uuid):
            return version
    known = ", ".join(version.id for version in versions[-5:]) or "none"
    raise AirflowFailException(
        f"Dataset {dataset.name} has no version {id_!r} on volume {place.svm}:{dataset.volume}; newest are: {known}."
        + _behind(place)
    )


def _behind(place: locations.Location) -> str:
    return "" if place.is_home else f" Site {place.site} may be behind home: run the DAG replicate to update it."


def _same(version: DatasetVersion, wanted: DatasetVersion) -> bool:
    """A snapshot that was brought to another volume has another UUID there, and the same name and content."""
    if version.snapshot_uuid == wanted.snapshot_uuid:
        return True
    elsewhere = version.volume_uuid != wanted.volume_uuid
    return elsewhere and (version.id, version.digest) == (wanted.id, wanted.digest)


def _still_there(versions: list[DatasetVersion], record: TrainingRecord, place: locations.Location) -> DatasetVersion:
    wanted = record.dataset_version
    for version in versions:
        if _same(version, wanted):
            return version
    raise AirflowFailException(
        f"Run {record.run_key} (MLflow run {record.mlflow_run_id}) needs dataset version {wanted.id}, snapshot "
        f"{wanted.snapshot} of volume {wanted.svm}:{wanted.volume}, which "
        + (
            "has been removed; restore the volume from a mirror or backup that holds it, or train on another version."
            if place.is_home
            else f"is not at site {place.site}.{_behind(place)}"
        )
    )


def _event_version(context: Context, dataset: registry.Dataset) -> str | None:
    """Id of the newest version of this dataset among the events that started the run.

    Our own events carry a version's record. One that a person made by hand may carry its id alone; what is neither is
    no version, and then the run's date decides.
    """
    found = list(_told_versions(context, dataset))
    newest = max(found, key=lambda version: str(version.get("created_at") or version["id"]), default=None)
    return newest["id"] if newest else None


def _told_versions(context: Context, dataset: registry.Dataset) -> Iterator[Mapping[str, Any]]:
    ours = assets.dataset_asset(dataset).uri
    for asset, events in (context.get("triggering_asset_events") or {}).items():
        # Without a dataset in it, what is told belongs to the asset of the event.
        owner = dataset.name if getattr(asset, "uri", ours) == ours else ""
        for event in events:
            told = assets.told(event).get("dataset_version")
            version = {"id": told} if isinstance(told, str) else told
            if not isinstance(version, Mapping) or not isinstance(version.get("id"), str) or not version["id"].strip():
                continue
            if version.get("dataset", owner) == dataset.name:
                yield {**version, "id": version["id"].strip()}


def _drift_starts_from_champion(context: Context) -> bool:
    """Whether drift has started the run, by an event that asks for a training from the champion's weights."""
    events = context.get("triggering_asset_events") or {}
    told = [assets.told(event).get("drift") for each in events.values() for event in each]
    return any(isinstance(drift, Mapping) and drift.get("start") == CHAMPION for drift in told)


def _logical_date(context: Context) -> datetime | None:
    """None for a run that means "now": one without a date, or one that a person started with the present one."""
    run = context["dag_run"]
    if run.logical_date is None:
        return None
    started_now = run.run_type == "manual" and run.run_after - run.logical_date < timedelta(
        seconds=settings.now_within_s()
    )
    return None if started_now else run.logical_date


def _shown(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC")


def _parse_time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise AirflowFailException(
            f"as_of is {text!r}, which is not a time; give it like 2026-11-20 or 2026-11-20T06:00:00Z."
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
