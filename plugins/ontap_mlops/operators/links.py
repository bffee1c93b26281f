"""Buttons on a task in Airflow's UI that lead to what it worked on.

An operator lists them in ``operator_extra_links`` and calls ``persist`` while it runs. The address is made of host and
port of the connection, so it opens in a browser wherever these are reachable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from airflow.sdk import BaseHook, BaseOperatorLink
from airflow.sdk.execution_time.xcom import XCom

from ontap_mlops.hooks.rest import base_url

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

    from ontap_mlops.records import DatasetVersion, Deployment, ModelVersion


class PersistedLink(BaseOperatorLink):
    """A link whose address its task stored in XCom under ``key``; no button where it stored none."""

    key: ClassVar[str]

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return XCom.get_value(key=self.key, ti_key=ti_key) or ""

    @classmethod
    def _store(cls, context: Context, url: str) -> None:
        context["ti"].xcom_push(key=cls.key, value=url)


class OntapSnapshotLink(PersistedLink):
    """ONTAP's REST record of the snapshot."""

    name = "Snapshot in ONTAP"
    key = "ontap_snapshot_url"

    @classmethod
    def persist(cls, context: Context, ontap_conn_id: str, version: DatasetVersion | ModelVersion) -> None:
        server = base_url(BaseHook.get_connection(ontap_conn_id), scheme="https")
        url = f"{server}/api/storage/volumes/{version.volume_uuid}/snapshots/{version.snapshot_uuid}"
        cls._store(context, url)


class MlflowRunLink(BaseOperatorLink):
    """The tracked run, of any task that returns its ``mlflow_run_id``: a program, a record, a model version."""

    name = "Run in MLflow"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        result: Any = XCom.get_value(key="return_value", ti_key=ti_key)
        run_id = result.get("mlflow_run_id") if isinstance(result, dict) else None
        if not run_id:
            return ""
        conn_id = getattr(operator, "mlflow_conn_id", None) or "mlflow_default"
        return f"{base_url(BaseHook.get_connection(conn_id))}/#/runs/{run_id}"


class MlflowModelLink(PersistedLink):
    """The registered model version, with its chain of origin as the description."""

    name = "Model version in MLflow"
    key = "mlflow_model_url"

    @classmethod
    def persist(cls, context: Context, mlflow_conn_id: str, version: ModelVersion) -> None:
        server = base_url(BaseHook.get_connection(mlflow_conn_id))
        cls._store(context, f"{server}/#/models/{quote(version.model, safe='')}/versions/{version.version}")


class EndpointLink(PersistedLink):
    """The served model's description: its versions, inputs and outputs."""

    name = "Endpoint"
    key = "inference_endpoint_url"

    @classmethod
    def persist(cls, context: Context, deployment: Deployment) -> None:
        cls._store(context, deployment.endpoint.removesuffix("/infer"))


class DashboardLink(BaseOperatorLink):
    """A page that a program serves about itself, such as Dask's dashboard; a button only while the program runs."""

    name = "Dashboard"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Asked when a task ends, and the page with it, or is deferred, when the page stays."""
        return getattr(operator, "dashboard_url", "")

    @classmethod
    def show(cls, context: Context, url: str) -> None:
        """Airflow itself stores links only at a task's end, so a running task stores this one in their place."""
        context["ti"].xcom_push(key=cls().xcom_key, value=url)
