"""Airflow as its users see it: log in, read about a pipeline, start a run by its form, follow links on its tasks."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from scripts import browser as chromium
from scripts.embedded import environment
from tests.journey.world import INGEST, PROVISION, TRAIN, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]

RUN_TIMEOUT_MS = 900_000


def trigger_form(page: Page, dag_id: str) -> Locator:
    page.goto(f"/dags/{dag_id}")
    page.get_by_role("button", name="Trigger").click()
    form = page.get_by_role("dialog")
    expect(form.get_by_role("button", name="Trigger")).to_be_enabled()
    return form


def open_section(form: Locator, name: str) -> None:
    form.get_by_role("button", name=name, exact=True).click()


def pick(page: Page, form: Locator, label: str, choice: str) -> None:
    form.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=choice, exact=True).click()


@pytest.fixture(scope="module")
def run_id(session: BrowserContext) -> str:
    """A small training started by the form, in the hands of the scheduler from then on."""
    page = session.new_page()
    form = trigger_form(page, TRAIN)
    open_section(form, "Training")
    form.get_by_label("Epochs").fill("1")
    form.get_by_label("Images at most").fill("100")
    open_section(form, "Deployment")
    pick(page, form, "Promote", "Always")
    with page.expect_response(re.compile(f"/dags/{TRAIN}/dagRuns$")) as answer:
        form.get_by_role("button", name="Trigger").click()
    expect(page.get_by_text("Dag run has been successfully triggered.").first).to_be_visible()
    started = answer.value.json()["dag_run_id"]
    page.close()
    return started


def task_page(page: Page, run_id: str, task_id: str, tab: str = "") -> None:
    """Once the task has succeeded."""
    page.goto(f"/dags/{TRAIN}/runs/{quote(run_id)}/tasks/{task_id}{tab}")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=RUN_TIMEOUT_MS)


def link(page: Page, run_id: str, task_id: str, name: str) -> str:
    """Address behind the button of this name on the task's page."""
    task_page(page, run_id, task_id, "/details")
    return page.get_by_role("link", name=name, exact=True).get_attribute("href") or ""


def test_a_wrong_password_is_answered_on_the_page(stranger):
    chromium.log_in(stranger, environment.ADMIN, "not the password")
    expect(stranger.get_by_text("Invalid credentials")).to_be_visible()
    expect(stranger.get_by_role("button", name="Sign in")).to_be_visible()


def test_the_generated_password_opens_airflow(stranger, password):
    chromium.log_in(stranger, environment.ADMIN, password)
    expect(stranger.get_by_role("heading", name="Welcome")).to_be_visible()
    for dag_id in (INGEST, TRAIN, PROVISION):
        stranger.goto(f"/dags/{dag_id}")
        expect(stranger.get_by_role("heading", name=dag_id)).to_be_visible()


@pytest.mark.parametrize(
    ("dag_id", "title"), [(TRAIN, "Tyre quality"), (INGEST, "Ingest tyre_images"), (PROVISION, "Provision ONTAP")]
)
def test_every_pipeline_has_a_page_to_read_at_night(page, dag_id, title):
    page.goto(f"/dags/{dag_id}")
    page.get_by_role("button", name="Dag Docs").click()
    docs = page.get_by_role("dialog")
    expect(docs.get_by_role("heading", name=title)).to_be_visible()
    for part in ("What.", "When it runs.", "What it needs.", "What it leaves behind.", "If it fails."):
        expect(docs.locator("strong", has_text=part).first).to_be_attached()


def test_every_form_that_asks_for_nothing_can_be_sent_as_it_opens(page, world):
    dag_ids = [dag["dag_id"] for dag in world.api.call("GET", "dags")["dags"]]
    ready = [dag_id for dag_id in dag_ids if not asked(world, dag_id)]
    assert {INGEST, TRAIN, PROVISION} <= set(ready)
    for dag_id in ready:
        trigger_form(page, dag_id)


def asked(world, dag_id: str) -> list[str]:
    """Names of the Params that have no value and need one, such as the model to roll back."""
    params = world.api.call("GET", f"dags/{dag_id}/details")["params"] or {}
    return [name for name, param in params.items() if param["value"] is None and "null" not in param["schema"]["type"]]


def test_the_form_asks_in_words_and_in_sections(page):
    form = trigger_form(page, TRAIN)
    asked = {
        "Training": ["Network and settings", "Epochs", "Seed", "Images at most", "Compute"],
        "Deployment": ["Promote", "Metric that decides", "Judge by", "Minimum gain", "Confidence"],
        "Run it again": ["Repeat a run"],
    }
    for field in ("Dataset version", "Data as of", "Read data through"):
        expect(form.get_by_text(re.compile(rf"^{field}\s*\*?$")).first).to_be_visible()  # without a click
    for section, fields in asked.items():
        open_section(form, section)
        for field in fields:
            # A field that must be filled in has a star after its title.
            expect(form.get_by_text(re.compile(rf"^{field}\s*\*?$")).first).to_be_visible()
    expect(form.get_by_text("Run key (r...) of a past training")).to_be_visible()
    open_section(form, "Deployment")
    form.get_by_role("combobox", name="Promote").click()
    expect(page.get_by_role("option")).to_have_text(
        [
            "If better than the deployed model (never in a backfill)",
            "If better, in a backfill too",
            "Always",
            "Never",
        ]
    )


def see_success(page: Page, run_id: str) -> None:
    page.goto(f"/dags/{TRAIN}/runs/{quote(run_id)}")
    # Above the list of tasks, each of which has a state of its own, stands the state of the run.
    heading = page.get_by_role("heading", name=run_id).locator("xpath=..")
    expect(heading.get_by_text("Success", exact=True)).to_be_visible(timeout=RUN_TIMEOUT_MS)


def test_a_run_started_by_the_form_succeeds_with_what_was_filled_in(page, world, run_id):
    see_success(page, run_id)
    run = world.api.run(TRAIN, run_id)
    assert run["triggering_user_name"] == environment.ADMIN
    filled_in = {name: run["conf"][name] for name in ("epochs", "limit", "promote", "repeat_run", "dataset_version")}
    assert filled_in == {"epochs": 1, "limit": 100, "promote": "always", "repeat_run": None, "dataset_version": None}
    assert world.api.xcom(TRAIN, run_id, "summary")["deployment"]["model_version"]["model"] == "tyre"


def test_the_log_of_a_training_tells_how_far_it_is(page, run_id):
    task_page(page, run_id, "train")
    expect(page.get_by_text(re.compile(r"Epoch 1: loss [\d.]+ in training"))).to_be_visible()


@pytest.mark.parametrize("task_id", ["evaluate", "summary"])
@pytest.mark.parametrize(
    ("button", "file"),
    [("Mistakes", "mistakes_challenger.png"), ("Confusion", "confusion_challenger.png"), ("ROC", "roc.png")],
)
def test_a_button_leads_to_a_picture_of_the_evaluation(page, run_id, task_id, button, file):
    page.goto(link(page, run_id, task_id, button))
    expect(page.get_by_text(file).first).to_be_visible()
    expect(page.locator("img[src^='blob:']").first).to_be_visible()  # MLflow's page has fetched the file


@pytest.mark.parametrize("task_id", ["choose", "train"])
def test_a_task_leads_to_the_dataset_version_that_it_reads(page, world, run_id, task_id):
    see_success(page, run_id)
    version = world.api.xcom(TRAIN, run_id, "choose")["dataset_version"]
    page.goto(link(page, run_id, task_id, "Dataset version in the data hub"))
    hub = page.frame_locator("iframe[title='Data hub']")
    expect(hub.get_by_text(version["snapshot"]).first).to_be_visible()


def test_a_task_without_a_page_to_show_has_no_heading_for_links(page, run_id):
    for task_id in ("deploy.prove", "promote.publish", "deploy.place"):
        task_page(page, run_id, task_id, "/details")
        expect(page.get_by_role("heading", name="Extra Links")).to_have_count(0)


def test_why_a_run_was_skipped_is_in_its_log_and_its_note(page, world, run_id):
    why = "Dataset tyre_images had no version at 2025-02-01 00:00:00 UTC"
    # After the start of the DAG, before which Airflow runs nothing.
    skipped = world.start(TRAIN, logical_date=datetime(2025, 2, 1, tzinfo=UTC))
    wait_for(lambda: world.states(TRAIN, skipped).get("choose") == "skipped", lambda: "choose was not skipped")
    assert why in world.api.run(TRAIN, skipped)["note"]
    page.goto(f"/dags/{TRAIN}/runs/{quote(skipped)}/tasks/choose")
    expect(page.get_by_text(why).first).to_be_visible()


def test_a_link_leads_to_the_run_in_mlflow(page, world, run_id):
    url = link(page, run_id, "train", "Run in MLflow")
    assert url.startswith(world.stack.urls["mlflow"])
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Run in MLflow", exact=True).click()
    key = world.api.xcom(TRAIN, run_id, "choose")["run_key"]
    expect(opened.value.get_by_role("heading", name=key)).to_be_visible()
    assert "workflowType=machine_learning" in opened.value.url


def test_a_link_leads_to_the_registered_version(page, world, run_id):
    url = link(page, run_id, "deploy.confirm", "Model version in MLflow")
    version = world.api.xcom(TRAIN, run_id, "deploy.confirm")["model_version"]
    page.goto(url)
    expect(page.get_by_text(version["dataset_version"]["id"]).first).to_be_visible()
