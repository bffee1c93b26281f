"""docs/your-own-data.md, followed: photographs of one's own, a page of a few lines, a model that serves."""

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


def take_photographs(world: World, folder: Path) -> Path:
    """Two folders of pictures that are not called good and defective."""
    samples, photos = folder / "samples", folder / "photos"
    lake.run_program(world.stack, "tasks.tyre.samples", f"--output={samples}", "--count=80", "--seed=3")
    for name, as_ in (("good", "full"), ("defective", "empty")):
        photos.mkdir(exist_ok=True)
        (samples / name).rename(photos / as_)
    return photos
