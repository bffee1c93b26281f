"""Operators that tell what a model version was made of, and hand it to the program that writes the report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from ontap_mlops import names, registry
from ontap_mlops.operators import model_statements as statements
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.links import MlflowModelLink
from ontap_mlops.records import Evidence, ModelVersion

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.hooks.mlflow import MlflowHook


class ModelReportCollectOperator(OntapOperator):
    """Collect what MLflow, ONTAP and Airflow know of a model version, each statement with where it can be checked.

    What a service does not tell is a statement too: that it is not known. Only MLflow has to answer.

    :param model: name in the registry.
    :param version: number; empty for the champion.
    :param api_conn_id: connection to Airflow's own REST API, for who triggered and approved the run.
    :return: ``model``, ``version``, ``statements`` (``part``, ``name``, ``value``, ``where``, ``checked``, ``holds``),
        ``record`` (the ModelVersion), and ``mounts`` of the volumes.
    """

    template_fields: Sequence[str] = ("model", "version")
    operator_extra_links = (MlflowModelLink(),)

    def __init__(
        self,
        *,
        model: str,
        version: int | str | None = None,
        mlflow_conn_id: str = "mlflow_default",
        api_conn_id: str = "airflow_api",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.version = version
        self.mlflow_conn_id = mlflow_conn_id
        self.api_conn_id = api_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        hook = MlflowHook(self.mlflow_conn_id)
        known = {each.version: (each, tags) for each, tags in hook.versions_with_tags(self.model)}
        version, tags = self._chosen(hook, known)
        if dataset := registry.find(version.dataset_version.dataset):
            self.ontap_conn_id = dataset.ontap_conn_id
        told = statements.Told()
        statements.identity(told, version, hook.tracking_uri)
        training = statements.training(told, hook, version)
        self._judged_and_triggered(told, training)
        statements.service(told, version, tags, known)
        evidence = Evidence.from_json(json.loads(tags["evidence"])) if "evidence" in tags else None
        with self.hook.client() as client:
            statements.snapshots_of(told, client, version, evidence)
        self.log.info("%s statements on version %s of %s", len(told.statements), version.version, version.model)
        MlflowModelLink.persist(context, self.mlflow_conn_id, version)
        data = version.dataset_version
        mounts = {"data": _mount(data.svm, data.volume), "models": _mount(version.svm, version.volume)}
        facts = {"model": version.model, "version": version.version, "record": version.to_json(), "mounts": mounts}
        return {**facts, "statements": told.statements, "asked_at": datetime.now(UTC).isoformat(timespec="seconds")}

    def _chosen(self, hook: MlflowHook, known: Mapping[int, Any]) -> tuple[ModelVersion, Mapping[str, str]]:
        champion = None if self.version else hook.champion(self.model)
        number = int(self.version) if self.version else champion.version if champion else None
        if number is None:
            raise AirflowFailException(f"Model {self.model} has no champion; name the version that the report is on.")
        if number not in known:
            listed = ", ".join(map(str, sorted(known))) or "none"
            raise AirflowFailException(
                f"Model {self.model} has no version {number} from a promotion; it has: {listed}."
            )
        return known[number]

    def _judged_and_triggered(self, told: statements.Told, airflow_run: str) -> None:
        from ontap_mlops.hooks.airflow_rest import AirflowRest
        from ontap_mlops.hooks.rest import ServiceRefused, ServiceUnavailable

        dag_id, _, run_id = airflow_run.partition("/")
        where = f"Airflow, run {run_id} of {dag_id}"
        try:
            if not run_id:
                raise ServiceRefused("MLflow does not say which run of Airflow it was.")
            rest, path = (
                AirflowRest(self.api_conn_id, may="read runs"),
                f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}",
            )
            run = rest.call("GET", path, asked=f"tell of run {run_id}")[1]
            _, answers = rest.call("GET", f"{path}/hitlDetails", asked="tell who approved", accept=(200, 404))
            judged = {name: _xcom(rest, path, name) for name in statements.JUDGED}
        except (ServiceRefused, ServiceUnavailable, AirflowNotFoundException) as error:
            for part, name in (("Judgement", "Judged against"), ("Who", "Started by")):
                told.say(part, name, f"not known: {error}", where)
            return
        statements.judgement(told, judged, where)
        statements.who(told, run, answers.get("hitl_details") or answers.get("hitlDetails") or [], where)


def _xcom(rest: Any, path: str, task_id: str) -> Any:
    _, found = rest.call(
        "GET",
        f"{path}/taskInstances/{task_id}/xcomEntries/return_value",
        asked=f"tell what {task_id} returned",
        accept=(200, 404),
        params={"deserialize": "false", "stringify": "false"},
    )
    value = found.get("value")
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None


def _mount(svm: str, volume: str) -> dict[str, Any]:
    return {"svm": svm, "junction_path": names.junction_path(volume), "read_only": True}
