"""The DAGs that cache a dataset version at another site and remove what nobody uses, run as the scheduler does."""

from __future__ import annotations

import copy
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard

from ontap_mlops import settings
from ontap_mlops.ontap import dataset_caches, dataset_versions, volumes
from tests.ontap_mlops.conftest import GIB, MARK, Ontap

DAGS = Path(__file__).parents[2] / "dags"
DATASETS = 'datasets:\n  tyre: {source: "s3://lake/tyre/", volume: tyre}\n'
SITES = "sites:\n  west: {ontap_conn_id: ontap_remote, svm: svm2, cache_bytes: 1GB}\n"


@pytest.fixture
def world(peered, tmp_path, monkeypatch):
    """A dataset with one version here, the site `west` there, and the DAGs over both."""
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "datasets.yaml").write_text(DATASETS)
    (tmp_path / "sites.yaml").write_text(SITES)
    place = f"{{kind: local, grace_s: 1, namespace_roots: {{svm2: {peered.there.namespace}}}}}"
    (tmp_path / "compute.yaml").write_text(f"places:\n  west: {place}\n")
    for name in ("ONTAP_MLOPS_CONFIG_DIR", settings.variable("config_dir")):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv(settings.variable("workloads_dir"), str(tmp_path / "workloads"))
    with peered.here.client() as one, peered.there.client() as other:
        here, there = Ontap(peered.here, one), Ontap(peered.there, other)
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", here.connection())
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_REMOTE", there.connection())
        home = here.client()
        volumes.ensure(home, svm="svm1", name="tyre", size_bytes=GIB, comment=MARK, junction_path="/tyre")
        (peered.here.namespace / "tyre" / "good").mkdir()
        (peered.here.namespace / "tyre" / "good" / "1").write_bytes(b"x" * 2_000_000)
        digest = f"sha256:{hashlib.sha256(b'x').hexdigest()}"
        facts = {"source": "s", "digest": digest, "files": 1, "size": 2_000_000, "run_key": "r0"}
        dataset_versions.freeze(home, svm="svm1", volume="tyre", dataset="tyre", **facts)
        dags: dict[str, Any] = {}
        for name in ("cache_dataset", "evict_caches"):
            dags |= DagBag(str(DAGS / f"{name}.py")).dags
        yield dags, there
        for client in here.clients + there.clients:
            client.close()


def test_the_form_offers_the_datasets_and_sites_there_are(world):
    dags, _ = world
    params = dags["cache_dataset"].params
    assert params.get_param("dataset").schema["enum"] == ["tyre"]
    assert params.get_param("site").schema["enum"] == ["west"]
    assert set(dags["evict_caches"].task_ids) == {"evict_at_west"}
    assert dags["evict_caches"].schedule == "@daily"


def run(dag: Any, task_id: str, conf: dict[str, Any] | None = None, **replaced: Any) -> Any:
    """One task as a worker runs it: its templates filled from the form, then executed."""
    operator = copy.copy(dag.get_task(task_id))
    for name, value in replaced.items():
        setattr(operator, name, value)
    params = {name: dag.params.get_param(name).value for name in dag.params} | (conf or {})
    ti = SimpleNamespace(
        task_id=task_id,
        max_tries=3,
        map_index=-1,
        stats_tags={},
        get_dr_count=lambda **_: 0,
        xcom_push=lambda *_, **__: None,
    )
    dag_run = SimpleNamespace(dag_id=dag.dag_id, run_id="manual", run_after=datetime(2026, 7, 1, tzinfo=UTC))
    context: Any = {"ti": ti, "dag_run": dag_run, "params": params, "task_state_store": Store()}
    operator.render_template_fields(context)
    ExecutorSafeguard.tracker.set(operator)
    return operator.execute(context)


class Store(dict[str, Any]):
    """The store that Airflow gives each task."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


def test_cached_measured_kept_and_removed(world):
    dags, there = world
    peer = run(dags["cache_dataset"], "peer", {"dataset": "tyre"})
    assert (peer["svm"], peer["peer_svm"], peer["name"]) == ("svm2", "svm1", "svm1")
    cached = run(dags["cache_dataset"], "cache", {"dataset": "tyre"}, home_svm=peer["name"])
    assert cached["used_bytes"] >= 2_000_000
    measured = run(dags["cache_dataset"], "measure", {"measure_at": "west"}, mounts={"cache": cached})
    assert (measured["files"], measured["bytes"]) == (1, 2_000_000)
    for conf, gone, left in (({"days": 0, "dry_run": True}, 1, 1), ({}, 0, 1), ({"days": 0}, 1, 0)):
        done = run(dags["evict_caches"], "evict_at_west", conf)
        assert (len(done["removed"]), done["dry"]) == (gone, conf.get("dry_run", False))
        assert len(dataset_caches.list_cached(there.client(), svm="svm2")) == left, conf


def test_nothing_is_copied_ahead_where_no_folder_is_named_and_an_old_date_is_answered(world):
    dags, _ = world
    cached = run(dags["cache_dataset"], "cache", {"dataset": "tyre", "prepopulate": None}, home_svm="")
    assert cached["used_bytes"] == 0
    with pytest.raises(ValueError, match="had no version at 2001-01-01"):
        run(dags["cache_dataset"], "cache", {"dataset": "tyre", "as_of": "2001-01-01"}, home_svm="")


@pytest.mark.parametrize(("place", "goes_on"), [(None, False), ("west", True)])
def test_it_is_measured_where_the_form_names_a_place(world, place, goes_on):
    dags, _ = world
    decide = dags["cache_dataset"].get_task("asked_to_measure").python_callable
    assert decide(params={"measure_at": place}) is goes_on
