"""Buttons lead to a page that a person can read, in MLflow's training view, and are there only when there is one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.types import TaskInstanceKey

from ontap_mlops.hooks import mlflow_pages
from ontap_mlops.operators import links
from ontap_mlops.operators.program import ProgramOperator
from ontap_mlops.ui import PREFIX
from ontap_mlops.ui.plugin import ROUTE

KEY = TaskInstanceKey(dag_id="d", task_id="train", run_id="manual__1")
RUN = "http://127.0.0.1:5000/#/experiments/3/runs/m1"
VIEW = "?workflowType=machine_learning"


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", "http://127.0.0.1:5000")

    def address(kind: Any, result: Any) -> str:
        monkeypatch.setattr(links.XCom, "get_value", lambda key, ti_key: result)
        return kind().get_link(SimpleNamespace(), ti_key=KEY)

    return address


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        (links.MistakesLink, "mistakes_challenger.png"),
        (links.ConfusionLink, "confusion_challenger.png"),
        (links.RocLink, "roc.png"),
    ],
)
def test_a_picture_has_a_button_where_the_run_has_the_picture(link, kind, file) -> None:
    result = {"mlflow_url": RUN, "pictures": [file, "other.png"]}
    assert link(kind, result) == f"{RUN}/artifacts/evaluation/{file}{VIEW}"
    for without in ({**result, "pictures": ["other.png"]}, {"mlflow_url": RUN}, {}, None, "text", [1]):
        assert link(kind, without) == ""


def test_a_run_is_shown_in_the_training_view_by_its_whole_address_or_its_id(link) -> None:
    assert link(links.MlflowRunLink, {"mlflow_url": RUN, "mlflow_run_id": "m1"}) == f"{RUN}{VIEW}"
    assert link(links.MlflowRunLink, {"mlflow_run_id": "m1"}) == f"http://127.0.0.1:5000/#/runs/m1{VIEW}"
    assert link(links.MlflowRunLink, {"files": 3}) == link(links.MlflowRunLink, None) == ""


VERSION = {"dataset": "tyre images", "id": "v1", "snapshot_uuid": "s1"}


@pytest.mark.parametrize(
    "result",
    [VERSION, {"dataset_version": VERSION, "run_key": "r1"}, {"site": "west", "cache": {"dataset_version": VERSION}}],
)
def test_what_made_or_reads_a_dataset_version_leads_to_its_page_in_the_hub(link, monkeypatch, result) -> None:
    assert link(links.DatasetVersionLink, result) == f"{links.HUB}/datasets/tyre%20images/versions/v1"
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/team/")
    assert link(links.DatasetVersionLink, result).startswith(f"/team{links.HUB}/")


def test_a_program_leads_to_the_version_that_its_run_has_chosen(monkeypatch) -> None:
    told = {"train": {"mlflow_run_id": "m1"}, "choose": {"dataset_version": VERSION}}
    monkeypatch.setattr(links.XCom, "get_one", lambda key, task_id, **of_run: told.get(task_id))
    button = links.DatasetVersionLink()
    # What Airflow hands over has no more of a key than this.
    running = SimpleNamespace(dag_id=KEY.dag_id, run_id=KEY.run_id, task_id=KEY.task_id, map_index=-1)
    assert button.get_link(SimpleNamespace(), ti_key=running).endswith("/versions/v1")
    del told["choose"]
    assert button.get_link(SimpleNamespace(), ti_key=running) == ""


def test_the_address_of_the_hub_is_the_one_that_it_has() -> None:
    assert links.HUB == f"/plugin/{ROUTE}{PREFIX}"


def test_programs_on_the_workspace_have_the_button_and_others_have_not() -> None:
    def buttons(**settings) -> set[str]:
        made = ProgramOperator(task_id="t", program="p", mlflow_conn_id=None, **settings)
        return {button.name for button in made.operator_extra_links}

    name = links.DatasetVersionLink().name
    assert name in buttons(volumes={"workspace": ""})
    assert name not in buttons(volumes={"models": "m"}) | buttons(volumes={"workspace": ""}, buttons=())


def test_every_button_has_a_key_of_its_own() -> None:
    kinds = (*links.PICTURES, links.MlflowRunLink(), links.MlflowModelLink(), links.DashboardLink())
    kinds += (links.DatasetVersionLink(),)
    assert len({kind.xcom_key for kind in kinds}) == len({kind.name for kind in kinds}) == len(kinds)


def test_the_training_view_is_named_once_and_names_are_quoted() -> None:
    model = mlflow_pages.model_page("http://m:5000", "my model/1", 3)
    assert model == f"http://m:5000/#/models/my%20model%2F1/versions/3{VIEW}"
    assert mlflow_pages.page(model) == model
    assert mlflow_pages.artifact_page(f"{RUN}{VIEW}", "comparison/page.html") == (
        f"{RUN}/artifacts/comparison/page.html{VIEW}"
    )
