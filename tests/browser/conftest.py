"""Chromium on the pages of the services that the journey tests run too; whatever they leave behind may lie there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from scripts import browser as chromium
from scripts.embedded import environment
from tests.journey import world as worlds
from tests.journey.world import INGEST, TRAIN, World

expect.set_options(timeout=chromium.TIMEOUT_MS)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These run last: the journey begins with services that have seen no data yet."""
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    items[:] = [item for item in items if item not in ours] + ours


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if chromium.chromium() is None:
        pytest.skip(chromium.MISSING)
    with chromium.browser() as running:
        yield running


@pytest.fixture(scope="session")
def world(browser: Browser) -> World:
    """With one dataset version at least."""
    world = worlds.world()
    world.kill({})
    if not world.snapshots("tyre_images"):
        world.pause(TRAIN)  # the form shall start the training, not the new version
        world.fill_lake(revision=1)
        world.run(INGEST)
    return world


@pytest.fixture(scope="session")
def password(world: World) -> str:
    """What a person reads in the file that `make up` names."""
    return world.stack.password_file.read_text()


@pytest.fixture
def stranger(browser: Browser, world: World) -> Iterator[Page]:
    """A page of somebody who has not logged in."""
    page = chromium.open_page(browser, world.stack.urls["airflow"])
    yield page
    page.context.close()


@pytest.fixture(scope="session")
def session(browser: Browser, world: World, password: str) -> Iterator[BrowserContext]:
    """The administrator's session: every page in it is logged in."""
    page = chromium.open_page(browser, world.stack.urls["airflow"])
    chromium.enter(page, environment.ADMIN, password)
    page.close()
    yield page.context
    page.context.close()


@pytest.fixture
def page(session: BrowserContext) -> Iterator[Page]:
    page = session.new_page()
    yield page
    page.close()
