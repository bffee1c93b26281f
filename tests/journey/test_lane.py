"""Two processes train on road scenes, the experiment is frozen, and a clone of it trains to equal metrics."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from scripts import browser, lake
from scripts.embedded import environment
from scripts.follow import RunFailed
from scripts.systems.lane import RESTORE, SYSTEM, URL
from tests.journey.world import World

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

SMALL = {"workers": 2, "epochs": 1, "batch_size": 4, "promote": "always"}


def test_an_experiment_of_two_processes_is_frozen_and_repeated_from_its_clone(world: World):
    world.ready(SYSTEM)
    world.step("Road scenes make a version")
    lake.bucket(world.stack)
    lake.run_program(world.stack, "tasks.lane.samples", f"--output={URL}", "--count=40", "--width=160")
    world.run(SYSTEM.ingest_dag)

    world.step("Two processes train on it; data, model and log are frozen together, and the model is deployed")
    summary = world.api.xcom(SYSTEM.train_dag, world.run(SYSTEM.train_dag, SMALL), "summary")
    experiment, key = summary["experiment"], summary["run_key"]
    assert summary["deployment"]["model_version"]["model"] == "lane_detection"
    kept = world.files(experiment["volume"]) / ".snapshot" / experiment["snapshot"]
    for name in (
        "data/label_data_day01.json",
        ".mlops/run/model.onnx",
        ".mlops/run/log.jsonl",
        ".mlops/experiment.json",
    ):
        assert (kept / name).is_file(), name
    assert world.workspaces() == set()
    assert {run["experiment"] for run in world.hub("runs")["runs"] if run["run_key"] == key} == {key}

    world.step("A clone of it trains again, with as many processes, to equal metrics")
    run_id = world.run(RESTORE, {"experiment": key})
    compared = world.api.xcom(RESTORE, run_id, "compare")
    assert (compared["repeat_of"], compared["equal"]) == (key, ["accuracy", "false_negatives", "false_positives"])
    assert world.api.xcom(RESTORE, run_id, "train")["processes"] == 2
    difference = world.api.xcom(RESTORE, run_id, "difference")
    assert (difference["other"], difference["same"]) == (key, True)
    assert world.workspaces() == set()
    assert experiment["snapshot"] in world.snapshots(experiment["volume"])
    shown = world.hub(f"experiments/{key}")
    assert (shown["there"], shown["training"]["dag_id"]) == (True, SYSTEM.train_dag)
    assert next(iter(shown["training"]["metrics"])) == "accuracy", "what decides comes first"
    assert [run["run_id"] for run in shown["repeated"]] == [run_id]

    world.step("The hub leads from the run to what it froze, and trains it again by keyboard")
    look_at_experiment(world, key, run_id)

    world.step("An experiment whose snapshot was removed is named in one sentence")
    (uuid,) = (volume["uuid"] for volume in world.records("/storage/volumes", name=experiment["volume"]))
    path = f"/api/storage/volumes/{uuid}/snapshots/{experiment['snapshot_uuid']}"
    world.ontap.delete(path, params={"return_timeout": 60}).raise_for_status()
    with pytest.raises(RunFailed, match=f"The experiment of run {key} .* which has been removed"):
        world.run(RESTORE, {"experiment": key})
    world.ontap.delete(f"/api/storage/volumes/{uuid}", params={"return_timeout": 60}).raise_for_status()


def look_at_experiment(world: World, key: str, repeated: str) -> None:
    """As a person does, up to the form that would begin; nothing is looked at where there is no Chromium."""
    if browser.chromium() is None:
        return
    with browser.browser() as running:
        expect.set_options(timeout=browser.TIMEOUT_MS)
        page = browser.open_page(running, world.stack.urls["airflow"])
        browser.enter(page, environment.ADMIN, world.stack.password_file.read_text())
        page.goto("/plugin/data-hub/ontap/runs")
        hub = page.frame_locator("iframe[title='Data hub']")
        hub.get_by_role("row").filter(has_text=key).get_by_role("link", name="experiment", exact=True).first.click()
        expect(hub.get_by_role("heading", name=f"Experiment {key}", level=1)).to_be_visible()
        expect(hub.get_by_role("listitem").filter(has_text="restore_experiment")).to_contain_text("success")
        hub.get_by_role("button", name="Train it again").focus()
        page.keyboard.press("Enter")
        form = hub.get_by_role("dialog", name="Train it again")
        expect(form).to_be_visible()
        page.keyboard.press("Escape")
        expect(form).to_be_hidden()
        hub.get_by_role("link", name="restore_experiment").click()
        expect(page).to_have_url(re.compile(f"/dags/restore_experiment/runs/{re.escape(quote(repeated, safe=''))}"))
