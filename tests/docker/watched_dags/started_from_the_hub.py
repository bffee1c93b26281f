"""DAGs that the data hub starts, of the names that it knows; nobody runs them here."""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param

PARAMS = {
    "what": Param("make", type="string"),
    "dataset": Param("tyres", type="string", enum=["tyres"]),
    "version": Param(None, type=["null", "string"]),
    "name": Param("scratch", type="string", pattern="^[a-z0-9]+$"),
    "person": Param(None, type=["null", "string"]),
    "days": Param(7, type="number"),
}

with DAG("workspace", schedule=None, params=PARAMS):
    EmptyOperator(task_id="workspace")

with DAG("ingest_tyres", schedule=None):
    EmptyOperator(task_id="sync")
