"""Buttons on a task in Airflow's UI that lead to a page about what it worked on.

An operator lists them in ``operator_extra_links``. Addresses in MLflow are made of host and port of its connection, so
they open in a browser wherever these are reachable; those in the data hub are of Airflow itself. A task that has
nothing to show lists none: Airflow would show an empty heading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseHook, BaseOperatorLink
from airflow.sdk.configuration import conf
from airflow.sdk.execution_time.xcom import XCom

from ontap_mlops.hooks import mlflow_pages
from ontap_mlops.hooks.rest import base_url
from ontap_mlops.operators.context import CHOOSE

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

    from ontap_mlops.records import ModelVersion


def _result(ti_key: TaskInstanceKey) -> dict[str, Any]:
    """What the task returned; {} when that is no object."""
    result: Any = XCom.get_value(key="return_value", ti_key=ti_key)
    return result if isinstance(result, dict) else {}


HUB = "/plugin/data-hub/ontap"
"""The data hub below the path of Airflow, inside Airflow's own frame."""


class DatasetVersionLink(BaseOperatorLink):
    """The page in the data hub of the dataset version that a task made, or reads.

    It is what the task returned, alone or as ``dataset_version``, or of a cache; else what the run has chosen.
    """

    name = "Dataset version in the data hub"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        # Airflow hands over the running task itself, which is no key that could be changed for another task's.
        of_run = {"dag_id": ti_key.dag_id, "run_id": ti_key.run_id}
        version = _version(_result(ti_key)) or _version(XCom.get_one(key="return_value", task_id=CHOOSE, **of_run))
        if version is None:
            return ""
        airflow = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
        dataset, id_ = (quote(str(version[name]), safe="") for name in ("dataset", "id"))
        return f"{airflow}{HUB}/datasets/{dataset}/versions/{id_}"


def _version(result: Any) -> dict[str, Any] | None:
    """The dataset version that a record stands on, or is."""
    if not isinstance(result, dict):
        return None
    if {"dataset", "id", "snapshot_uuid"} <= result.keys():
        return result
    return _version(result.get("dataset_version")) or _version(result.get("cache"))


class PersistedLink(BaseOperatorLink):
    """A link whose address its task stored in XCom under ``key``; no button where it stored none."""

    key: ClassVar[str]

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return XCom.get_value(key=self.key, ti_key=ti_key) or ""

    @classmethod
    def _store(cls, context: Context, url: str) -> None:
        context["ti"].xcom_push(key=cls.key, value=url)


class MlflowRunLink(BaseOperatorLink):
    """The tracked run, of any task that returns its ``mlflow_run_id``: a program, a record, a model version."""

    name = "Run in MLflow"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        result = _result(ti_key)
        if url := result.get("mlflow_url"):
            return mlflow_pages.page(url)
        run_id = result.get("mlflow_run_id")
        if not run_id:
            return ""
        conn_id = getattr(operator, "mlflow_conn_id", None) or "mlflow_default"
        return mlflow_pages.run_page(base_url(BaseHook.get_connection(conn_id)), run_id)


class MlflowModelLink(PersistedLink):
    """The registered model version, with its chain of origin as the description."""

    name = "Model version in MLflow"
    key = "mlflow_model_url"

    @classmethod
    def persist(cls, context: Context, mlflow_conn_id: str, version: ModelVersion) -> None:
        server = base_url(BaseHook.get_connection(mlflow_conn_id))
        cls._store(context, mlflow_pages.model_page(server, version.model, version.version))


class _PictureLink(BaseOperatorLink):
    """A picture that the program of the task has left with its MLflow run; no button where there is none.

    The task returns ``pictures``, names of files, and ``mlflow_url``, the run's address.
    """

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        result = _result(ti_key)
        return mlflow_pages.picture_pages(result.get("mlflow_url") or "", result.get("pictures") or ()).get(
            self.name, ""
        )


class MistakesLink(_PictureLink):
    """The rows that the new model judges wrongly, the surest mistakes first."""

    name = "Mistakes"


class ConfusionLink(_PictureLink):
    """How often the new model takes one class for the other."""

    name = "Confusion"


class RocLink(_PictureLink):
    """True against false positives, of the new model and the champion."""

    name = "ROC"


PICTURES = (MistakesLink(), ConfusionLink(), RocLink())


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
