"""What the tyre system fills its lake with, and what its demo tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ontap_mlops.records import DatasetVersion
from scripts import demo, lake
from scripts.pipeline import Demo
from scripts.services import Stack
from scripts.systems import tyre
from tests.ontap_mlops.hooks.answering import answering

NOW = datetime.now(UTC)


def test_a_folder_of_images_that_cannot_be_meant_is_told_before_anything_starts(tmp_path: Path):
    local = tmp_path / "local"
    chosen = demo.options(["tyre", "--images", str(tmp_path), "--local", str(local)])
    with pytest.raises(SystemExit, match=r"has no folder good/; it must hold good/ and defective/ with images\."):
        Demo(tyre.SYSTEM, Stack(local), chosen).run()
    for folder in tyre.FOLDERS:
        (tmp_path / folder).mkdir()
    with pytest.raises(SystemExit, match=r"the folder good/ is empty; both classes need images\."):
        tyre.check_images(tmp_path)
    assert not local.exists()


def test_a_users_images_replace_the_samples_and_the_other_way_round(
    tmp_path: Path, apart: None, capsys: pytest.CaptureFixture[str]
):
    images = tmp_path / "images"
    for folder in tyre.FOLDERS:
        (images / folder).mkdir(parents=True)
        (images / folder / "mine.png").write_bytes(b"picture " + folder.encode())
    stack = Stack(tmp_path / "local")
    stack.up(["lake"])
    try:
        tyre.fill_with_samples(stack, 4, revision=1)
        assert "leave the lake" not in capsys.readouterr().out, "nothing of anybody's was there"
        tyre.fill_with(stack, images)
        assert f"4 objects of s3://lake/tyre are not in {images}" in capsys.readouterr().out
        tyre.fill_with(stack, images)
        assert "leave the lake" not in capsys.readouterr().out, "the same images again"
        assert keys(stack) == ["defective/mine.png", "good/mine.png"]
        tyre.fill_with_samples(stack, 4, revision=1)
        said = capsys.readouterr().out
        assert (
            "2 objects of s3://lake/tyre are no samples, such as tyre/defective/mine.png: they leave the lake" in said
        )
        assert len(keys(stack)) == 4 and "good/mine.png" not in keys(stack)
        assert sorted(p.name for p in images.iterdir()) == ["defective", "good"], "the user's folder is left as it was"
    finally:
        stack.down()


def keys(stack: Stack) -> list[str]:
    names = [each.key.removeprefix(f"{tyre.PREFIX}/") for each in lake.bucket(stack).objects.all()]
    return sorted(name for name in names if not name.startswith(".mlops/"))


def version(number: int, at: datetime) -> DatasetVersion:
    names = {name: name for name in ("dataset", "svm", "volume", "volume_uuid", "snapshot", "snapshot_uuid", "digest")}
    return DatasetVersion(id=f"v{number}", created_at=at.isoformat(), files=number, bytes=1, **names)


def test_time_travel_shows_the_version_of_yesterday_and_that_of_now():
    day = timedelta(days=1)
    versions = [version(1, NOW - 2 * day), version(2, NOW - day), version(3, NOW)]
    assert [fact["version"] for fact in tyre.time_travel(versions)] == ["v2", "v3"]
    assert [fact["version"] for fact in tyre.time_travel(versions[:1])] == ["v1"]


@pytest.fixture
def facts() -> dict[str, Any]:
    metrics = {"accuracy": 0.9, "precision": 0.8, "recall": 0.7, "f1": 0.75, "roc_auc": 0.95}
    versions = [version(1, NOW - timedelta(days=1)), version(2, NOW)]
    return {
        "run_key": "r20261121t120000z0123abcd",
        "dataset_version": versions[-1].to_json(),
        "time_travel": tyre.time_travel(versions),
        "metrics": {"challenger": metrics, "champion": metrics | {"accuracy": 0.85}},
        "evaluation": {"held_out": 120},
        "decision": {"decision": "promote", "reason": "the challenger is better"},
        "deployed_model": {"model": "tyre", "version": 2},
        "prediction": {"image": "s3://lake/a.jpg", "predicted": "good", "probability": 0.97, "actual": "good"},
        "links": {"endpoint": "http://x/infer", "airflow_run": "http://a", "mlflow_run": "http://m"},
        "password_file": ".local/secrets/airflow_admin",
    }


def test_the_summary_sets_champion_and_challenger_side_by_side(facts: dict[str, Any]):
    lines = tyre.SYSTEM.text(facts).splitlines()
    rows = [line.split() for line in lines if line.strip().startswith(("champion", "challenger"))]
    assert [row[:2] for row in rows] == [["champion", "0.850"], ["challenger", "0.900"]]
    assert "Judged on the same held-out images (120 of them, seen by neither in training)" in lines
    assert "Deployed: tyre version 2 at http://x/infer" in lines
    assert max(map(len, lines)) <= 120


def test_the_first_demo_has_no_champion_and_nowhere_to_travel(facts: dict[str, Any]):
    del facts["metrics"]["champion"]
    facts["time_travel"] = facts["time_travel"][:1]
    text = tyre.SYSTEM.text(facts)
    assert "champion" not in text and "Time travel" not in text and "the same" not in text


def test_the_page_of_the_evaluation_shows_the_three_pictures_of_the_demos_run():
    with answering() as server:
        server.answers(200, "a picture")
        stack = SimpleNamespace(urls={"mlflow": f"http://127.0.0.1:{server.port}"})
        page = tyre.evaluation(stack, {"mlflow_run_id": "m1"})
        asked = [request for request, _ in server.seen]
    for name in ("Mistakes", "Confusion", "ROC"):
        assert f"<figcaption>{name}</figcaption>" in page
    assert len(asked) == 3
    assert all("run_uuid=m1" in request and "path=evaluation%2F" in request for request in asked)
