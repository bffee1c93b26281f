"""The data hub in Chromium, inside Airflow's own pages: by mouse, by keyboard, and by somebody who may only look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from ontap_mlops.records import DatasetVersion
from scripts import browser as chromium
from tests.docker.airflow_here import AirflowHere

pytestmark = [pytest.mark.triton, pytest.mark.timeout(900)]

DATASET = "/plugin/data-hub/ontap/datasets/tyres"
expect.set_options(timeout=chromium.TIMEOUT_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if chromium.chromium() is None:
        pytest.skip(chromium.MISSING)
    with chromium.browser() as running:
        yield running


@pytest.fixture(scope="module")
def session(browser: Browser, airflow: AirflowHere, data: DatasetVersion) -> Iterator[Page]:
    yield from entered(browser, airflow, "admin")


@pytest.fixture(scope="module")
def viewer(browser: Browser, airflow: AirflowHere, data: DatasetVersion) -> Iterator[Page]:
    yield from entered(browser, airflow, "viewer")


def entered(browser: Browser, airflow: AirflowHere, user: str) -> Iterator[Page]:
    page = chromium.open_page(browser, airflow.url)
    chromium.enter(page, user, airflow.passwords[user])
    yield page
    page.context.close()


@pytest.fixture
def page(session: Page) -> Iterator[Page]:
    """Logged in as the administrator; what a page says against its policy, or of a script that failed, is a failure."""
    page, complaints = session.context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    page.close()
    assert complaints == []


def hub(page: Page) -> FrameLocator:
    return page.frame_locator("iframe[title='Data hub']")


def version_page(data: DatasetVersion) -> str:
    return f"{DATASET}/versions/{data.id}"


@pytest.fixture
def started(airflow: AirflowHere) -> Iterator[list[dict]]:
    """Runs of the DAG that the tests start, as Airflow knows them at the end; removed again."""
    runs: list[dict] = []
    yield runs
    with airflow.client("admin") as admin:
        for run in admin.get("/api/v2/dags/workspace/dagRuns").json()["dag_runs"]:
            path = f"/api/v2/dags/workspace/dagRuns/{quote(run['dag_run_id'], safe='')}"
            admin.patch(path, json={"state": "failed"})
            admin.delete(path).raise_for_status()


def test_airflows_menu_leads_to_the_hub_and_its_address_follows_what_is_shown(page: Page, data: DatasetVersion) -> None:
    page.goto("/")
    page.get_by_role("link", name="Data hub").click()
    hub(page).get_by_role("link", name="tyres", exact=True).click()
    expect(hub(page).get_by_role("heading", name="tyres", level=1)).to_be_visible()
    expect(page).to_have_url(re.compile(f"{DATASET}$"))
    hub(page).get_by_role("link", name=data.id, exact=True).click()
    expect(page).to_have_url(re.compile(f"{version_page(data)}$"))
    expect(hub(page).get_by_text(data.snapshot).first).to_be_visible()


def test_links_lead_from_the_hub_to_airflow_and_from_a_dag_back(page: Page) -> None:
    page.goto(DATASET)
    hub(page).get_by_role("link", name="ingest_tyres").click()
    expect(page).to_have_url(re.compile("/dags/ingest_tyres"))
    page.get_by_role("tab", name="Data hub").or_(page.get_by_role("link", name="Data hub")).last.click()
    expect(hub(page).get_by_role("heading", name="tyres", level=1)).to_be_visible()


def test_all_of_it_works_by_keyboard(page: Page, airflow: AirflowHere, data: DatasetVersion, started: list) -> None:
    page.goto(version_page(data))
    button = hub(page).get_by_role("button", name="Workspace")
    button.focus()
    page.keyboard.press("Enter")
    form = hub(page).get_by_role("dialog", name="Workspace")
    expect(form).to_be_visible()
    page.keyboard.press("Escape")
    expect(form).to_be_hidden()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    form.get_by_label("Days").focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    said = hub(page).get_by_role("status").get_by_role("link")
    expect(said).to_be_focused()
    run_id = said.text_content() or ""
    with airflow.client("admin") as admin:
        run = admin.get(f"/api/v2/dags/workspace/dagRuns/{quote(run_id, safe='')}").raise_for_status().json()
    assert run["triggering_user_name"] == "admin"
    assert run["conf"] | {"days": 2, "version": data.id, "dataset": "tyres", "name": "scratch"} == run["conf"]
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/dags/workspace/runs/"))


def test_the_first_key_leads_to_the_content(page: Page) -> None:
    page.goto("/ontap/datasets/tyres")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_what_airflow_refuses_is_told_in_the_form(page: Page, data: DatasetVersion, started: list) -> None:
    page.goto(version_page(data))
    hub(page).get_by_role("button", name="Workspace").click()
    form = hub(page).get_by_role("dialog", name="Workspace")
    form.get_by_label("Name").fill("NOT A NAME")
    form.get_by_role("button", name="Start").click()
    expect(form.get_by_role("alert")).to_contain_text("Airflow refused")
    expect(form).to_be_visible()


def test_a_viewer_sees_all_of_it_and_cannot_act_by_button_or_by_request(
    viewer: Page, airflow: AirflowHere, data: DatasetVersion
) -> None:
    viewer.goto(version_page(data))
    expect(hub(viewer).get_by_text(data.snapshot).first).to_be_visible()
    expect(hub(viewer).get_by_role("button", name="Workspace")).to_have_count(0)
    asked = {"logical_date": None, "conf": {"dataset": "tyres", "version": data.id, "what": "make"}}
    answer = viewer.request.post("/api/v2/dags/workspace/dagRuns", data=asked)
    assert answer.status == 403
    with airflow.client("admin") as admin:
        assert admin.get("/api/v2/dags/workspace/dagRuns").json()["total_entries"] == 0
