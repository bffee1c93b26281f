"""A conversation in a real browser: by keyboard alone, and through a restart of the service in its middle."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from talking import Served

from scripts import browser as chromium

pytestmark = pytest.mark.triton  # with the tests that need real services beside them, but no scheduler

WAIT_MS = 60_000


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    page = chromium.open_page(browser, served.url)
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto("/")
    expect(page.locator("li.assistant")).to_have_count(1, timeout=WAIT_MS)
    yield page
    page.close()
    assert said == []


def lines(page: Page) -> list[str]:
    return page.locator("#talk li").all_inner_texts()


def heard(page: Page, count: int) -> str:
    expect(page.locator("li.assistant")).to_have_count(count, timeout=WAIT_MS)
    return page.locator("li.assistant").last.inner_text()


def test_a_conversation_is_held_by_keyboard_and_is_there_after_a_reload(page: Page):
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type("best pasta")
    page.keyboard.press("Enter")
    assert heard(page, 2) == "Near which city?"
    page.keyboard.type("Boston")
    page.keyboard.press("Enter")
    assert heard(page, 3) == "Retail about find_the_store in Boston"
    before = lines(page)
    page.reload()
    heard(page, 3)
    assert lines(page) == before
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")  # Start over
    expect(page.locator("#talk li")).to_have_count(1, timeout=WAIT_MS)


def test_what_people_say_is_text(page: Page):
    page.fill("#text", "how much")
    page.press("#text", "Enter")
    heard(page, 2)
    page.fill("#text", "<img src=x onerror=alert(1)>")
    page.press("#text", "Enter")
    heard(page, 3)
    assert "<img src=x onerror=alert(1)>" in lines(page)
    assert page.locator("#talk img").count() == 0


def test_a_service_that_is_stopped_in_the_middle_loses_no_message(page: Page, served: Served):
    page.fill("#text", "best pasta")
    page.press("#text", "Enter")
    heard(page, 2)
    served.stop()
    page.fill("#text", "Boston")
    page.press("#text", "Enter")
    expect(page.locator("#trouble")).to_have_text("The assistant does not answer; trying again.", timeout=WAIT_MS)
    served.start()
    assert heard(page, 3) == "Retail about find_the_store in Boston"
    assert lines(page)[-2:] == ["Boston", "Retail about find_the_store in Boston"], "answered once"
    expect(page.locator("#trouble")).to_be_hidden()


def test_without_a_microphone_the_page_says_so_and_goes_on(page: Page):
    page.locator("#speak").press("Enter")
    says = "There is no microphone that this page may use; please allow one, or type it."
    expect(page.locator("#trouble")).to_have_text(says, timeout=WAIT_MS)
    page.fill("#text", "best pasta")
    page.press("#text", "Enter")
    assert heard(page, 2) == "Near which city?"
