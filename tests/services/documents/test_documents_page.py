"""The page in a real browser: asked by keyboard, citations opened, a past date, another person; all of it is text."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from reading_room import NEW, NOVEMBER, TOKENS, Room, listening

from scripts import browser as chromium
from services.documents import app

pytestmark = pytest.mark.triton  # with the tests that need real services beside them, but no scheduler

WAIT_MS = 60_000
HTML = "<img src=x onerror=alert(1)> costs 99 euros."


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if chromium.chromium() is None:
        pytest.skip(chromium.MISSING)
    with chromium.browser() as running:
        yield running


@pytest.fixture
def page(browser: Browser, room: Room) -> Iterator[Page]:
    room.index("r3", NOVEMBER, {**NEW, "prices.md": HTML})
    service, store = room.service()
    with listening(lambda: app.make(service)) as url:
        page = chromium.open_page(browser, url)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(dialog.message))
        page.goto("/")
        yield page
        page.close()
    store.close()
    assert faults == []


def answer(page: Page, question: str) -> str:
    before = page.locator("li.assistant").count()
    page.fill("#text", question)
    page.press("#text", "Enter")
    expect(page.locator("li.assistant")).to_have_count(before + 1, timeout=WAIT_MS)
    return page.locator("li.assistant").last.inner_text()


def test_a_question_by_keyboard_alone_and_its_source_opened(page: Page):
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type("What may a hotel cost a night?")
    page.keyboard.press("Enter")
    expect(page.locator("li.assistant")).to_have_count(1, timeout=WAIT_MS)
    assert "Hotels cost up to 120 euros a night." in page.locator("li.assistant").inner_text()
    page.get_by_role("button", name="open source 1").press("Enter")
    expect(page.locator("#opened .cited")).to_have_text("Hotels cost up to 120 euros a night.", timeout=WAIT_MS)
    expect(page.locator("#opened_where")).to_have_text("travel.md, line 2, version documents-r3")
    assert "second class" in page.locator("#opened_text").inner_text()
    page.keyboard.press("Escape")
    expect(page.locator("#opened")).to_be_hidden()


def test_a_past_date_and_what_no_document_tells(page: Page):
    assert "thirty days" in answer(page, "How many days of annual leave a year?")
    page.fill("#as_of", "2026-06-01")
    told = answer(page, "How many days of annual leave a year?")
    assert "twenty-five days" in told and "2026-05-01" in told
    assert answer(page, "Who won the football match?").startswith("That is not in these documents.")
    page.fill("#as_of", "2026-01-01")
    page.fill("#text", "How many days of annual leave a year?")
    page.press("#text", "Enter")
    expect(page.locator("#trouble")).to_have_text("No index of the documents serves for that date.", timeout=WAIT_MS)
    expect(page.locator("#text")).to_have_value("How many days of annual leave a year?")


def test_a_person_by_their_token(page: Page):
    question = "Which company does the board want to buy?"
    assert "Northwind" not in answer(page, question)
    page.fill("#token", TOKENS["anna"])
    page.press("#token", "Tab")
    expect(page.locator("#me")).to_have_text("anna (board)", timeout=WAIT_MS)
    assert "Northwind" in answer(page, question)
    page.fill("#token", "guess")
    page.press("#token", "Tab")
    expect(page.locator("#me")).to_have_text("unknown", timeout=WAIT_MS)


def test_what_people_and_documents_say_is_text(page: Page):
    told = answer(page, "What costs 99 euros? <b>bold</b>")
    assert HTML in told
    assert "<b>bold</b>" in page.locator("li.person").last.inner_text()
    assert page.locator("#talk img, #talk b").count() == 0
    page.get_by_role("button", name="open source 1").last.click()
    expect(page.locator("#opened .cited")).to_have_text(HTML, timeout=WAIT_MS)
    assert page.locator("#opened img").count() == 0
