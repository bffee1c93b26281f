"""The database is killed while calls are written and people watch: the page says so, and nothing is lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import httpx
import pytest
from calling import TOKEN, Served, call, sentence
from playwright.sync_api import Page, expect

from scripts import browser as chromium
from scripts.equipment import postgresql
from services.calls.listen import CallService
from tests.until import until

pytestmark = pytest.mark.triton  # with the tests that need real services beside them, but no scheduler

WAIT_MS = 60_000
CALLS, SENTENCES = 4, 40


@pytest.fixture
def served(database: postgresql.Server) -> Iterator[Served]:
    served = Served(database.url)
    served.start()
    yield served
    served.stop()


@pytest.fixture
def page(served: Served) -> Iterator[Page]:
    if chromium.chromium() is None:
        pytest.skip(chromium.MISSING)
    with chromium.browser() as browser:
        page = chromium.open_page(browser, served.url)
        said: list[str] = []
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
        page.context.close()
        assert said == []


async def write(url: str) -> None:
    """Several calls at once, as those who listen to them send what they hear."""
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:

        async def one(name: str) -> None:
            service = CallService(url, TOKEN, name, client)
            await service.put("", call())
            for index in range(SENTENCES):
                await service.put("/sentences", {"sentences": [sentence(index=index, text=f"{name} {index}")]})
                await asyncio.sleep(0.02)
            await service.put("/finished", {"sentences": SENTENCES})

        await asyncio.gather(*(one(f"c{number}") for number in range(CALLS)))


def test_a_database_that_is_killed_loses_no_call_and_no_sentence(
    page: Page, served: Served, database: postgresql.Server
):
    page.goto("/")
    expect(page.locator("#state")).to_have_text("Live", timeout=WAIT_MS)
    writing = threading.Thread(target=lambda: asyncio.run(write(served.url)), daemon=True)
    writing.start()
    lines, state = page.locator(".sentences > li"), page.locator("#state")
    expect(lines.nth(CALLS)).to_be_attached(timeout=WAIT_MS)
    database.kill()
    assert writing.is_alive(), "killed in the middle"
    expect(state).to_have_text("The database does not answer; trying again.", timeout=WAIT_MS)
    with httpx.Client(base_url=served.url, timeout=60, trust_env=False) as client:
        assert client.get("/health").status_code == 503
        assert lines.count() < CALLS * SENTENCES
        database.start()
        expect(lines).to_have_count(CALLS * SENTENCES, timeout=WAIT_MS)
        expect(state).to_have_text("Live", timeout=WAIT_MS)
        until(lambda: not writing.is_alive(), "those who write do not come to an end")
        for number in range(CALLS):
            kept = client.get(f"/api/calls/c{number}").json()
            assert kept["finished"] == SENTENCES
            assert [one["text"] for one in kept["sentences"]] == [f"c{number} {index}" for index in range(SENTENCES)]
    assert sorted(page.locator(".said").all_inner_texts()) == sorted(
        f"c{number} {index}" for number in range(CALLS) for index in range(SENTENCES)
    )
