"""The database is killed while people talk: the page says so, and every message is kept and answered once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect
from talking import Served

from scripts import browser as chromium
from scripts.equipment import postgresql
from tests.until import until

pytestmark = pytest.mark.triton  # with the tests that need real services beside them, but no scheduler

WAIT_MS = 60_000
TALKS, MESSAGES = 6, 25


@pytest.fixture
def served(database: postgresql.Server) -> Iterator[Served]:
    served = Served(database.url)
    served.start()
    yield served
    served.stop()


class Talk(threading.Thread):
    """A conversation of somebody who sends a message again, by its id, until it is answered."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__(daemon=True)
        self.says = [f"talk {number} message {each}" for each in range(MESSAGES)]
        self.answered = self.refused = 0
        self._client = httpx.Client(base_url=f"{url}api", timeout=60, trust_env=False)
        self._talk = f"/conversations/{self._client.post('/conversations').raise_for_status().json()['conversation']}"

    def run(self) -> None:
        for place, text in enumerate(self.says):
            sent = {"text": text, "message": f"m{place}"}
            while (answer := self._client.post(f"{self._talk}/messages", json=sent)).status_code == 503:
                self.refused += 1
                time.sleep(0.05)
            assert answer.raise_for_status().json()["heard"] == text
            self.answered += 1

    def kept(self) -> list[str]:
        turns = self._client.get(self._talk).raise_for_status().json()["turns"]
        assert [turn["turn"] for turn in turns] == list(range(len(turns)))
        return [turn["heard"] for turn in turns if "heard" in turn]


def test_a_database_that_is_killed_twice_loses_no_message_and_doubles_none(served: Served, database: postgresql.Server):
    talks = [Talk(served.url, number) for number in range(TALKS)]
    for talk in talks:
        talk.start()
    for share in (5, 15):
        until(lambda: all(talk.answered >= share for talk in talks), "nobody is answered")  # noqa: B023
        before = sum(talk.refused for talk in talks)
        database.kill()
        until(lambda: sum(talk.refused for talk in talks) > before, "nobody is told")  # noqa: B023
        database.start()
    until(lambda: not any(talk.is_alive() for talk in talks), "not every message is answered")
    assert [talk.kept() for talk in talks] == [talk.says for talk in talks]


def test_the_page_says_so_and_goes_on(browser: Browser, served: Served, database: postgresql.Server):
    page = chromium.open_page(browser, served.url)
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto("/")
    heard, trouble = page.locator("li.assistant"), page.locator("#trouble")
    expect(heard).to_have_count(1, timeout=WAIT_MS)
    page.fill("#text", "best pasta")
    page.press("#text", "Enter")
    expect(heard).to_have_count(2, timeout=WAIT_MS)
    database.kill()
    page.fill("#text", "Boston")
    page.press("#text", "Enter")
    expect(trouble).to_have_text("The assistant's database does not answer; trying again.", timeout=WAIT_MS)
    database.start()
    expect(heard).to_have_count(3, timeout=WAIT_MS)
    expect(trouble).to_be_hidden()
    before = page.locator("#talk li").all_inner_texts()
    assert before[-2:] == ["Boston", "Retail about find_the_store in Boston"]
    page.reload()
    expect(heard).to_have_count(3, timeout=WAIT_MS)
    assert page.locator("#talk li").all_inner_texts() == before, "kept, and kept once"
    page.close()
    assert said == []
