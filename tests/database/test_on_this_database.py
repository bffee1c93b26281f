"""What reaches Airflow's database: DAGs, rows, results, events. On SQLite; by `scripts.tests postgresql` on that."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from scripts.embedded import connections
from scripts.pools import pools
from tests.conftest import REPOSITORY
from tests.databases import SERVER

BUNDLE = "tests"


def test_it_is_the_one_that_was_asked_for(migrated: str) -> None:
    assert migrated == ("postgresql" if os.environ.get(SERVER) else "sqlite")


def stored(folder: Path, session: Any) -> dict[str, Any]:
    """Every DAG of a folder, written to the database and read from it again."""
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.serialized_dag import SerializedDagModel

    bag = DagBag(str(folder), bundle_name=BUNDLE)
    assert bag.import_errors == {}
    session.merge(DagBundleModel(name=BUNDLE))
    session.commit()
    sync_bag_to_db(bag, BUNDLE, None, session=session)
    session.commit()
    session.expire_all()
    return {dag_id: (bag.dags[dag_id], SerializedDagModel.get(dag_id, session=session)) for dag_id in bag.dags}


def test_every_dag_is_read_as_it_was_written(session: Any) -> None:
    for dag_id, (written, row) in stored(REPOSITORY / "dags", session).items():
        assert row, dag_id
        read = row.dag
        assert sorted(read.task_ids) == sorted(written.task_ids), dag_id
        assert read.params.dump() == written.params.dump(), dag_id
        assert read.doc_md == written.doc_md, dag_id


def test_the_schedules_of_assets_are_known(session: Any) -> None:
    from airflow.models.asset import AssetModel, DagScheduleAssetReference

    stored(REPOSITORY / "dags", session)
    assert session.scalar(select(func.count()).select_from(AssetModel)) > 0
    scheduled = session.scalars(select(DagScheduleAssetReference.dag_id)).all()
    assert {"tyre_quality", "click_through"} <= set(scheduled)


def test_pools_of_the_places_are_made_and_changed(migrated: str, tmp_path: Path, session: Any) -> None:
    from airflow.cli.cli_parser import get_parser
    from airflow.models.pool import Pool

    for slots in (2, 3):
        file = tmp_path / "pools.json"
        file.write_text(json.dumps({name: facts | {"slots": slots} for name, facts in pools().items()}))
        arguments = get_parser().parse_args(["pools", "import", str(file)])
        arguments.func(arguments)
    session.expire_all()
    rows = {row.pool: row for row in session.scalars(select(Pool))}
    assert pools().keys() <= rows.keys()
    for name, facts in pools().items():
        assert (rows[name].slots, rows[name].include_deferred) == (3, facts["include_deferred"])


def test_connections_are_rows_that_airflow_reads(session: Any, tmp_path: Path) -> None:
    from airflow.models.connection import Connection

    facts = {"conn_type": "ontap", "host": "h", "port": 443, "login": "admin", "password": "s'ec%ret"}
    wanted = {"ontap_row": facts | {"extra": {"verify": "/a b/ca.pem", "svm": "svm1"}}}
    kept = tmp_path / "connections.json"
    assert len(connections.write(wanted, {}, kept, session)) == 1
    assert connections.write(wanted, {}, kept, session) == []
    session.expire_all()
    row = session.scalars(select(Connection).where(Connection.conn_id == "ontap_row")).one()
    assert (row.password, row.port, row.extra_dejson["svm"]) == ("s'ec%ret", 443, "svm1")
    session.delete(row)
    session.commit()


def ran(dag: Any) -> Any:
    """A run of the DAG in this process, as `airflow dags test` makes one: its rows, results and events are real."""
    run = dag.test(logical_date=datetime.now(UTC))
    assert run.state == "success", {one.task_id: one.state for one in run.get_task_instances()}
    return run


@pytest.fixture
def examples(session: Any, ontap: Any) -> dict[str, Any]:
    return {dag_id: written for dag_id, (written, _) in stored(REPOSITORY / "examples", session).items()}


def test_operators_results_come_back_as_they_were(examples: dict[str, Any], session: Any) -> None:
    from airflow.models.xcom import XComModel

    run = ran(examples["example_snapshot_and_clone"])
    rows = session.scalars(select(XComModel).where(XComModel.dag_id == run.dag_id, XComModel.run_id == run.run_id))
    told = {row.task_id: XComModel.deserialize_value(row) for row in rows if row.key == "return_value"}
    assert told["volume"]["name"] == "example" and told["clone"]["name"].startswith("example_")
    assert told["clone"]["uuid"] != told["volume"]["uuid"]


def test_a_version_is_an_event_that_a_later_run_reads(examples: dict[str, Any], session: Any) -> None:
    from airflow.models.asset import AssetEvent

    ran(examples["example_dataset_version"])
    event = session.scalars(select(AssetEvent).order_by(AssetEvent.id.desc())).first()
    version = event.extra["dataset_version"]
    assert version["volume"] == "example_texts" and version["snapshot"]
    ran(examples["example_retrain_on_version"])
