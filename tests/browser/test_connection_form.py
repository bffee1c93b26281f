"""The connection type `ontap` in Airflow's form: its fields, and the button that tests it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from scripts.embedded import environment, secrets
from tests.journey.world import World

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]

CONNECTION = "ontap_of_the_browser_test"


@pytest.fixture
def form(page: Page, world: World) -> Iterator[Locator]:
    """Of a new connection, with the type chosen; whatever is saved goes away again."""
    world.api.call("DELETE", f"connections/{CONNECTION}")
    page.goto("/connections")
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Connection ID").fill(CONNECTION)
    form.get_by_role("combobox").press_sequentially("ontap")
    page.get_by_role("option", name="NetApp ONTAP").click()
    yield form
    world.api.call("DELETE", f"connections/{CONNECTION}")


def save(form: Locator) -> None:
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()


def press_test(page: Page, answer: str) -> None:
    """What Airflow shows after the button "Test Connection" of our row has been pressed."""
    row = page.get_by_role("row").filter(has_text=CONNECTION)
    row.get_by_role("button", name="Test Connection").click()
    expect(page.get_by_text(answer).first).to_be_visible()


def test_the_form_speaks_of_ontap(form):
    for label in ("Management address", "User", "Password", "Port", "Protocol"):
        expect(form.get_by_label(label, exact=True)).to_be_visible()
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    for label in ("SVM", "Verify certificate", "Job time limit (s)"):
        expect(form.get_by_text(label, exact=True)).to_be_visible()
    expect(form.get_by_text("Storage VM to use where a task names none.")).to_be_visible()


def test_the_test_button_tells_a_right_from_a_wrong_password(page, world, form):
    layout = world.stack.layout
    form.get_by_label("Management address").fill(environment.HOST)
    form.get_by_label("Port").fill(str(world.stack.ports["ontap"]))
    form.get_by_label("User").fill(environment.ADMIN)
    form.get_by_label("Password", exact=True).fill(secrets.get(layout, secrets.ONTAP_ADMIN))
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    # These fields are not tied to their labels on Airflow's page.
    form.locator("[name=element_svm]").fill(environment.SVM)
    form.locator("[name=element_verify]").fill(str(layout.ontap_ca))
    save(form)
    press_test(page, f"Connected to ONTAP 9.16.1, cluster 'emulator', SVM '{environment.SVM}'.")

    page.get_by_role("row").filter(has_text=CONNECTION).get_by_role("button", name="Edit Connection").click()
    password = form.get_by_label("Password", exact=True)
    expect(password).to_have_value("***")
    password.fill("not the password")
    save(form)
    press_test(page, "User is not authorized. Check user and password of the connection.")
