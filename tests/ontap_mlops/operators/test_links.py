"""Buttons lead to a page that a person can read, in MLflow's training view, and are there only when there is one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ontap_mlops.hooks import mlflow_pages
from ontap_mlops.operators import links

RUN = "http://127.0.0.1:5000/#/experiments/3/runs/m1"
VIEW = "?workflowType=machine_learning"


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", "http://127.0.0.1:5000")

    def address(kind: Any, result: Any) -> str:
        monkeypatch.setattr(links.XCom, "get_value", lambda key, ti_key: result)
        return kind().get_link(SimpleNamespace(), ti_key=SimpleNamespace())

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


def test_every_button_has_a_key_of_its_own() -> None:
    kinds = (*links.PICTURES, links.MlflowRunLink(), links.MlflowModelLink(), links.DashboardLink())
    assert len({kind.xcom_key for kind in kinds}) == len({kind.name for kind in kinds}) == len(kinds)


def test_the_training_view_is_named_once_and_names_are_quoted() -> None:
    model = mlflow_pages.model_page("http://m:5000", "my model/1", 3)
    assert model == f"http://m:5000/#/models/my%20model%2F1/versions/3{VIEW}"
    assert mlflow_pages.page(model) == model
    assert mlflow_pages.artifact_page(f"{RUN}{VIEW}", "comparison/page.html") == (
        f"{RUN}/artifacts/comparison/page.html{VIEW}"
    )
