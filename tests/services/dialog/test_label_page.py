"""A day's messages are looked at and corrected in a real browser, by keyboard alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from talking import MODEL, TOKEN, Served

from scripts import browser as chromium

pytestmark = pytest.mark.triton  # with the tests that need real services beside them, but no scheduler

WAIT_MS = 60_000
HTML = "<img src=x onerror=alert(1)> pasta"


@pytest.fixture
def talk(served: Served) -> str:
    """The id of a conversation of three messages."""
    with httpx.Client(base_url=served.url, trust_env=False) as client:
        name = client.post("api/conversations").json()["conversation"]
        for text in ("best pasta", "new york pizza", HTML):
            client.post(f"api/conversations/{name}/messages", json={"text": text}).raise_for_status()
    return str(name)


@pytest.fixture
def page(browser: Browser, served: Served, talk: str) -> Iterator[Page]:
    page = chromium.open_page(browser, served.url)
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto("/label.html")
    page.fill("#by", "Ada")
    page.fill("#token", TOKEN)
    page.press("#token", "Enter")
    yield page
    page.close()
    assert said == []


def labels(served: Served) -> list[Any]:
    """What is kept of each message, in order."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    text = httpx.get(f"{served.url}api/days/{datetime.now(UTC).date()}", headers=headers, trust_env=False).text
    lines = [line for line in map(json.loads, text.splitlines()) if "words" in line]
    return [line.get("labels") for line in lines]


def test_labels_are_confirmed_and_corrected_with_few_keys(page: Page, served: Served):
    expect(page.locator("li.message")).to_have_count(3, timeout=WAIT_MS)
    expect(page.locator("#messages")).to_be_focused()
    page.keyboard.press("Enter")  # the first is right
    expect(page.locator("#done")).to_have_text("1 of 3 looked at", timeout=WAIT_MS)
    page.keyboard.press("i")
    page.keyboard.type("price")
    page.keyboard.press("Enter")
    page.keyboard.press("s")
    page.keyboard.type("loc")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    page.keyboard.press("Enter")
    expect(page.locator("#done")).to_have_text("2 of 3 looked at", timeout=WAIT_MS)
    first, second, third = labels(served)
    assert first["slots"] == ["B-rating.high", "B-item.type"] and first["by"] == "Ada"
    assert second["intent"] == "price_check" and second["slots"] == ["B-location", "I-location", "O"]
    assert third is None


def test_what_people_say_is_text_on_this_page_too(page: Page):
    expect(page.locator("li.message")).to_have_count(3, timeout=WAIT_MS)
    assert page.locator("#messages img").count() == 0
    assert "<img" in page.locator("li.message").last.inner_text()


def test_a_wrong_token_and_a_model_that_is_down_are_said(page: Page, monkeypatch: pytest.MonkeyPatch):
    expect(page.locator("li.message")).to_have_count(3, timeout=WAIT_MS)
    monkeypatch.setattr(MODEL, "down", True)
    page.press("#by", "Enter")
    expect(page.locator(".state").first).to_have_text("the model suggests nothing", timeout=WAIT_MS)
    page.fill("#token", "wrong")
    page.press("#token", "Enter")
    expect(page.locator("#trouble")).to_contain_text("with the token of the export", timeout=WAIT_MS)
