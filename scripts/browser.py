"""A browser, logged in to Airflow, for pictures and for tests that use the pages as a person does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
MISSING = "Chromium was not found; install it, on Debian with `apt-get install chromium`."
ARGUMENTS = (
    # Chromium's own sandbox needs user namespaces, which root and containers often lack; only our own pages are opened.
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"),
    # Nothing but those pages is asked for.
    *("--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
)
# Two cores under load need long for a page of this size.
TIMEOUT_MS = 60_000
SIZE: ViewportSize = {"width": 1600, "height": 1000}


def chromium() -> str | None:
    """Path of the installed Chromium."""
    return next((path for path in map(shutil.which, PROGRAMS) if path), None)


def hearing(file: Path) -> tuple[str, ...]:
    """Arguments with which a page hears a WAV file, over and over, as its microphone, and may do so."""
    devices = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    return (*devices, f"--use-file-for-fake-audio-capture={file}")


@contextmanager
def browser(more: Sequence[str] = ()) -> Iterator[Browser]:
    """SystemExit with a sentence when there is no Chromium."""
    from playwright.sync_api import sync_playwright

    program = chromium()
    if program is None:
        raise SystemExit(MISSING)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=[*ARGUMENTS, *more], timeout=TIMEOUT_MS)
        try:
            yield running
        finally:
            running.close()


def open_page(running: Browser, url: str) -> Page:
    """Open a page of Airflow at ``url``, in English, in a session of its own that is not yet logged in."""
    context = running.new_context(base_url=url, viewport=SIZE, locale="en-US")
    context.set_default_timeout(TIMEOUT_MS)
    return context.new_page()


def log_in(page: Page, user: str, password: str) -> None:
    """Fill in the form that Airflow shows to everybody who is not logged in; the answer is still to come."""
    page.goto("/")
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def enter(page: Page, user: str, password: str) -> None:
    """Logs in and waits for Airflow's first page with all its words."""
    log_in(page, user, password)
    page.get_by_role("link", name="Dags", exact=True).wait_for()
