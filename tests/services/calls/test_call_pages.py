"""The pages of calls in a real browser: what happens is seen at once, corrected by keyboard, and never lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from calling import MINE, Served, call, sentence
from playwright.sync_api import Browser, Page, expect

from scripts import browser as chromium
from services.calls.records import Sentence
from services.calls.store import Store

pytestmark = pytest.mark.triton  # with the tests that need real services beside them, but no scheduler

WAIT_MS = 60_000
HTML = "<img src=x onerror=alert(1)><b>bold</b>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if chromium.chromium() is None:
        pytest.skip(chromium.MISSING)
    with chromium.browser() as running:
        yield running


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'calls.db'}"


@pytest.fixture
def served(url: str) -> Iterator[Served]:
    served = Served(url)
    served.start()
    yield served
    served.stop()


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    page = chromium.open_page(browser, served.url)
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    yield page
    page.context.close()
    assert said == []


def put(served: Served, name: str, *sentences: dict, agent: str = "Ada", began: str = "2026-11-27T08:00:00Z") -> None:
    with httpx.Client(base_url=served.url, headers=MINE, timeout=60, trust_env=False) as client:
        assert client.put(f"/api/calls/{name}", json=call(agent, began)).is_success
        assert client.put(f"/api/calls/{name}/sentences", json={"sentences": list(sentences)}).is_success


def told(served: Served, name: str) -> dict:
    return httpx.get(f"{served.url}api/calls/{name}", timeout=60, trust_env=False).json()


def said(page: Page) -> list[str]:
    return page.locator(".said").all_inner_texts()


def count(page: Page, number: int) -> None:
    expect(page.locator(".sentences > li")).to_have_count(number, timeout=WAIT_MS)


def test_a_sentence_shows_while_somebody_watches(page: Page, served: Served):
    put(served, "c1", sentence(text="of before"))
    page.goto("/")
    count(page, 1)
    expect(page.locator("#state")).to_have_text("Live", timeout=WAIT_MS)
    put(served, "c1", sentence("agent", text="of now", sentiment="positive"))
    count(page, 2)
    assert said(page) == ["of now", "of before"], "the latest first"
    expect(page.locator(".sentences > li").first).to_have_class("agent positive")
    expect(page.locator("#calls li")).to_have_count(1)
    put(served, "c2", sentence(text="elsewhere"), agent="Bob")
    count(page, 3)
    page.select_option("#agent", "Bob")
    assert page.locator(".sentences > li:visible").count() == 1


def test_a_server_that_is_stopped_and_started_loses_nothing_on_the_page(page: Page, served: Served, url: str):
    put(served, "c1", sentence())
    page.goto("/")
    count(page, 1)
    served.stop()
    expect(page.locator("#state")).to_have_text("The service does not answer; trying again.", timeout=WAIT_MS)
    store = Store(url)
    store.put_sentences("c1", [Sentence.model_validate(sentence(index=index, text=f"no {index}")) for index in (1, 2)])
    store.close()
    served.start()
    count(page, 3)
    put(served, "c1", sentence(index=3, text="no 3"))
    count(page, 4)
    assert said(page) == ["no 3", "no 2", "no 1", "It broke"]
    expect(page.locator("#state")).to_have_text("Live", timeout=WAIT_MS)


def test_a_database_that_is_away_is_said_and_the_page_goes_on_after_it(page: Page, served: Served, url: str):
    put(served, "c1", sentence())
    page.goto("/")
    count(page, 1)
    engine = sa.create_engine(url)

    def rename(old: str, new: str) -> None:
        with engine.begin() as connection:
            connection.execute(sa.text(f"ALTER TABLE {old} RENAME TO {new}"))

    rename("call_feed", "away")
    expect(page.locator("#state")).to_have_text("The database does not answer; trying again.", timeout=WAIT_MS)
    page.goto("/")
    expect(page.locator("#state")).to_have_text("The database does not answer; trying again.", timeout=WAIT_MS)
    rename("away", "call_feed")
    engine.dispose()
    count(page, 1)
    put(served, "c1", sentence(index=1))
    count(page, 2)
    expect(page.locator("#state")).to_have_text("Live", timeout=WAIT_MS)


def test_what_people_say_is_text(page: Page, served: Served):
    put(served, "c1", sentence(text=HTML), agent=HTML)
    for path in ("/", "/call.html?call=c1"):
        page.goto(path)
        count(page, 1)
        assert said(page) == [HTML]
    page.goto("/history.html")
    expect(page.locator("#agents td a")).to_have_text(HTML, timeout=WAIT_MS)
    assert page.locator("main img, main b").count() == 0


@pytest.mark.parametrize("path", ["/", "/call.html?call=c1"])
def test_a_sentence_is_corrected_by_keyboard(page: Page, served: Served, path: str):
    put(served, "c1", sentence())
    page.goto(path)
    count(page, 1)
    page.get_by_role("button", name="Correct: It broke").focus()
    page.keyboard.press("Enter")
    expect(page.locator("textarea")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("form.correction")).to_have_count(0)
    expect(page.get_by_role("button", name="Correct: It broke")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Control+A")
    page.keyboard.type("It woke")
    page.keyboard.press("Tab")
    page.keyboard.type("pos")
    page.keyboard.press("Tab")
    page.keyboard.type("Grace")
    page.keyboard.press("Enter")
    expect(page.locator(".said")).to_have_text("It woke", timeout=WAIT_MS)
    expect(page.locator(".sentences > li")).to_have_class("caller positive")
    expect(page.get_by_role("button", name="Correct: It woke")).to_be_focused()
    expect(page.locator(".sentences")).to_contain_text("Grace corrected “It broke”, negative")
    (kept,) = told(served, "c1")["corrections"]
    assert (kept["text"], kept["sentiment"], kept["by"]) == ("It woke", "positive", "Grace")
    page.reload()
    expect(page.locator(".said")).to_have_text("It woke", timeout=WAIT_MS)


def test_a_correction_is_seen_by_others_but_not_put_over_what_one_is_writing(page: Page, served: Served):
    put(served, "c1", sentence())
    page.goto("/")
    count(page, 1)
    page.get_by_role("button", name="Correct: It broke").click()
    page.fill("textarea", "I am writing")
    path = f"{served.url}api/calls/c1/sentences/caller/0/correction"
    assert httpx.put(path, json={"text": "It woke", "by": "Alan"}, timeout=60, trust_env=False).is_success
    put(served, "c1", sentence(index=1, text="and more"))
    count(page, 2)
    expect(page.locator("textarea")).to_have_value("I am writing")
    page.keyboard.press("Escape")
    expect(page.locator(".said").last).to_have_text("It woke")


def test_a_correction_that_cannot_be_kept_stays_in_the_form(page: Page, served: Served):
    put(served, "c1", sentence())
    page.goto("/")
    count(page, 1)
    page.get_by_role("button", name="Correct: It broke").click()
    page.fill("input[name=by]", "Grace")
    page.fill("textarea", "It woke")
    served.stop()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("form .trouble")).to_have_text("The service does not answer; try again.", timeout=WAIT_MS)
    expect(page.locator("textarea")).to_have_value("It woke")
    served.start()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".said")).to_have_text("It woke", timeout=WAIT_MS)


def test_history_is_by_agent_over_time_and_sentence_by_sentence(page: Page, served: Served):
    put(served, "c1", sentence(), sentence("agent", text="Sorry", sentiment="neutral"), began="2026-11-25T08:00:00Z")
    put(served, "c2", sentence(sentiment="positive"), began="2026-11-26T08:00:00Z")
    put(served, "c3", sentence(), agent="Bob")
    page.goto("/history.html")
    expect(page.locator("#table td:first-child")).to_have_text(["c3", "c2", "c1"], timeout=WAIT_MS)
    expect(page.locator("#agents td:first-child")).to_have_text(["Ada", "Bob"], timeout=WAIT_MS)
    page.locator("#agents a", has_text="Ada").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#table td:first-child")).to_have_text(["c2", "c1"], timeout=WAIT_MS)
    over_time = page.locator("#time svg").get_attribute("aria-label")
    assert over_time == "2026-11-25: agents 0, callers -1; 2026-11-26: agents null, callers 1"
    expect(page.locator("#words p")).to_have_text(
        [f"{kind}no word is said more often than elsewhere" for kind in ("negative", "positive")]
    )
    page.locator("#table a", has_text="c1").click()
    count(page, 2)
    assert said(page) == ["Sorry", "It broke"]
    expect(page.locator("#facts")).to_contain_text("c1.wav of calls v1")
    page.goto("/call.html?call=c9")
    expect(page.locator("#trouble")).to_have_text("There is no call 'c9'.", timeout=WAIT_MS)


def test_pages_are_dark_where_people_like_that(page: Page, served: Served):
    put(served, "c1", sentence())
    shades = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto("/")
        count(page, 1)
        shades.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert shades == ["rgb(255, 255, 255)", "rgb(15, 20, 27)"]


def test_what_is_spoken_of_is_shown_with_its_sentiment_and_looked_for(page: Page, served: Served):
    put(served, "c1", sentence(mentions=[{"kind": "topic", "name": "router"}, {"kind": "company", "name": HTML}]))
    put(served, "c2", sentence(sentiment="positive"))
    page.goto("/history.html")
    expect(page.locator("#about tr")).to_have_count(3, timeout=WAIT_MS)
    assert page.locator("#about img").count() == 0 and HTML in page.locator("#about").inner_text()
    expect(page.locator("#table tr")).to_have_count(3)
    page.locator("#about a", has_text="router").click()
    expect(page.locator("#table tr")).to_have_count(2, timeout=WAIT_MS)
    expect(page.locator("[name=about]")).to_have_value("router")
    page.locator("#table a").click()
    expect(page.locator("#about")).to_contain_text("router", timeout=WAIT_MS)
    assert page.locator("#about img").count() == 0
