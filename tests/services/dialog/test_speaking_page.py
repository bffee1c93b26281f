"""A message said aloud in a real browser, whose microphone hears a machine speak."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from talking import ASKED, Served

from scripts import browser as chromium
from tasks.common.audio import RATE_HZ
from tests.speech import Say, quiet, write_wav

pytestmark = pytest.mark.triton  # with the tests that need real services beside them, but no scheduler

WAIT_MS = 60_000


@pytest.fixture
def microphone(say: Say, tmp_path: Path) -> Path:
    """What is said over and over, with a pause in which the test ends the recording."""
    return write_wav(tmp_path / "said.wav", np.concatenate([quiet(1.5), say(ASKED), quiet(30)]))


@pytest.fixture
def page(microphone: Path, served: Served) -> Iterator[Page]:
    if chromium.chromium() is None:
        pytest.skip(chromium.MISSING)
    with chromium.browser(chromium.hearing(microphone)) as running:
        page = chromium.open_page(running, served.url)
        said: list[str] = []
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto("/")
        expect(page.locator("li.assistant")).to_have_count(1, timeout=WAIT_MS)
        yield page
        page.close()
        assert said == []


def say_it(page: Page, seconds: float) -> None:
    """Speak for as long as what the microphone hears goes on."""
    speak = page.locator("#speak")
    speak.press("Enter")
    expect(speak).to_have_text("Stop", timeout=WAIT_MS)
    page.wait_for_timeout(1000 * seconds)
    speak.press("Enter")
    expect(speak).to_have_text("Speak")


@pytest.fixture
def seconds(say: Say) -> float:
    return 1.5 + len(say(ASKED)) / RATE_HZ + 1


def test_what_is_said_to_the_page_is_answered(page: Page, seconds: float):
    say_it(page, seconds)
    expect(page.locator("li.assistant")).to_have_count(2, timeout=WAIT_MS)
    assert page.locator("li.assistant").last.inner_text() == "Near which city?"
    assert page.locator("li.person").inner_text() == f"{ASKED}\nspoken"
    page.fill("#text", "Boston")
    page.press("#text", "Enter")
    expect(page.locator("li.assistant")).to_have_count(3, timeout=WAIT_MS)
    page.reload()
    expect(page.locator("li.person").first).to_have_text(f"{ASKED}spoken", timeout=WAIT_MS)


def test_what_is_said_while_the_service_is_away_is_answered_once_when_it_is_back(
    page: Page, served: Served, seconds: float
):
    served.stop()
    say_it(page, seconds)
    expect(page.locator("#trouble")).to_have_text("The assistant does not answer; trying again.", timeout=WAIT_MS)
    served.start()
    expect(page.locator("li.assistant")).to_have_count(2, timeout=WAIT_MS)
    assert page.locator("li.person").all_inner_texts() == [f"{ASKED}\nspoken"]
    expect(page.locator("#trouble")).to_be_hidden()
