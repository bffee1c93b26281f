"""docs/your-own-data.md, followed: photographs of one's own, a page of a few lines, a model that serves.

And docs/governance.md: the model's evidence is locked, a report tells what it was made of, and a person is found in it.
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from scripts import lake, upload
from scripts.systems.system import System
from tests.journey.world import World

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]


class Bottles(System):
    name = "bottles"
    dataset = "bottle_images"
    train_dag = "bottles"


def test_a_folder_of_photographs_becomes_a_model_that_serves(world: World, tmp_path: Path, capsys):
    system = Bottles()
    # As an administrator does once; ONTAP refuses it where it is done.
    world.ontap.post("/api/storage/snaplock/compliance-clocks", json={"node": {"name": "node1"}})
    world.ready(system)
    world.run("provision_ontap")
    photos = take_photographs(world, tmp_path)

    world.step("Upload sends what is new, and a second time nothing")
    assert upload.upload(world.stack, photos, "s3://lake/bottles/")["copied"] == 80
    again = upload.upload(world.stack, photos, "s3://lake/bottles/")
    assert (again["copied"], again["unchanged"]) == (0, 80)

    world.step("The version starts the training of the page, and its model serves under its own name")
    world.api.unpause(system.train_dag)
    run_id = world.run_of(system, world.run(system.ingest_dag))
    summary = world.api.xcom(system.train_dag, run_id, "summary")
    assert summary["dataset_version"]["files"] == 80
    assert summary["deployment"]["proof"]["predicted"] in ("full", "empty")
    assert set(summary["links"]) >= {"Mistakes", "Confusion", "ROC", "Run in MLflow", "Model version in MLflow"}
    served = httpx.get(f"{world.stack.urls['triton']}/v2/models/bottles", trust_env=False, timeout=30).json()
    assert served["versions"] == ["1"]
    assert world.workspaces() == set()

    world.step("Data and model are locked, with what MLflow knows of the run; a page tells what the model was made of")
    locked = summary["evidence"]["locked"]
    assert [each["what"] for each in locked] == ["dataset", "model"]
    for each in locked:
        uuid = world.records("/storage/volumes", name=each["volume"])[0]["uuid"]
        path = f"/api/storage/volumes/{uuid}/snapshots/{each['snapshot_uuid']}"
        refused = world.ontap.delete(path, params={"return_timeout": 60})
        assert refused.status_code == 409 and "locked until" in refused.text
    reported = world.run("model_report", {"model": "bottles", "recompute": True})
    told = world.api.xcom("model_report", reported, "report")
    page = (world.files("governance") / "bottles" / "1" / Path(told["html"]).name).read_text()
    for said in ("All of these hold.", "every file read again", "each as its digest says", "no model was deployed"):
        assert said in page, said

    world.step("A person is found by the name of a file, and what has to be done about it is told")
    searched = world.run("data_subject_search", {"identifiers": ["Jane Doe"], "datasets": ["bottle_images"]})
    found = world.api.xcom("data_subject_search", searched, "search")
    assert (found["files"], found["models"]) == (1, ["bottles 1"])
    page = (world.files("governance") / "data_subject" / Path(found["html"]).name).read_text()
    assert "Train bottles again on a version without it" in page and "nobody can remove it before" in page


def take_photographs(world: World, folder: Path) -> Path:
    """Two folders of pictures that are not called good and defective."""
    samples, photos = folder / "samples", folder / "photos"
    lake.run_program(world.stack, "tasks.tyre.samples", f"--output={samples}", "--count=80", "--seed=3")
    for name, as_ in (("good", "full"), ("defective", "empty")):
        photos.mkdir(exist_ok=True)
        (samples / name).rename(photos / as_)
    picture = next((photos / "full").iterdir())
    picture.rename(picture.with_name(f"jane_doe{picture.suffix}"))
    return photos
