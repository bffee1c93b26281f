"""The form of a JupyterLab workspace on Kubernetes, and which tasks each choice in it begins with."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dags.conftest import DAGS
from tests.dags.inventory import ON_KUBERNETES

PLACE = {"kind": "kubernetes", "connection": "gpus", "namespaces": {"default": {"nfs": "10.0.0.5"}}}


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The DAGs of a house with a place on Kubernetes."""
    from airflow.dag_processing.dagbag import DagBag

    for name in ("datasets.yaml", "sites.yaml"):
        (tmp_path / name).write_text((DAGS.parent / "config" / name).read_text())
    known = {"places": {"local": {"kind": "local"}, "gpu-cluster": PLACE}}
    (tmp_path / "compute.yaml").write_text(yaml.safe_dump(known))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    bag = DagBag(str(DAGS / "jupyterlab.py"))
    assert bag.import_errors == {}
    return bag.dags


def test_it_is_there_where_a_place_is_on_kubernetes_and_nowhere_else(found, dags):
    assert set(found) == ON_KUBERNETES
    assert not ON_KUBERNETES & set(dags)


def test_what_it_does_by_itself_every_day_is_to_end_what_is_over(found):
    dag = found["jupyterlab"]
    assert dag.doc_md.strip().startswith("# ")
    assert dag.params.validate()["what"] == "collect"
    assert dag.params.get_param("place").schema["enum"] == ["gpu-cluster"]


@pytest.mark.parametrize(
    ("what", "tasks"),
    [
        ("make", ["copy", "claim", "lab"]),
        ("end", ["find", "end_lab", "end_claim", "end_copy"]),
        ("collect", ["collect", "collected_claims"]),
    ],
)
def test_each_choice_begins_with_its_own_tasks_and_with_no_others(found, what, tasks):
    dag = found["jupyterlab"]
    choice = dag.get_task("what")
    first = choice.python_callable({"what": what})
    assert first == tasks[0] and first in choice.downstream_task_ids
    assert dag.get_task(first).get_flat_relative_ids(upstream=False) == set(tasks[1:])
    for before, after in itertools.pairwise(tasks):
        assert before in dag.get_task(after).upstream_task_ids


def test_its_tasks_work_on_the_cluster_of_the_place(found):
    lab = found["jupyterlab"].get_task("lab")
    lab.place = "gpu-cluster"
    assert lab.where() == {"kubernetes_conn_id": "gpus"}
