"""The README's picture: the newest finished run of the demo's pipeline, as Airflow shows it.

    python -m scripts.screenshot             writes docs/images/run.png
    python -m scripts.screenshot --local D   of the services in folder D

Needs running services (`make up`), a run that has succeeded (`make demo`), and Chromium.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Locator, Page

from scripts import browser
from scripts.airflow_api import AirflowApi
from scripts.browser import SIZE
from scripts.embedded import environment
from scripts.embedded.layout import ROOT
from scripts.services import Stack, shown

DAG = "tyre_quality"
DEPLOYED = "deploy.confirm"
PICTURE = ROOT / "docs" / "images" / "run.png"
GRAPH_ENDS_AT = 680  # pixels from the left
SETTLE_MS = 3000  # the graph is laid out in steps, without a sign when it is done


def newest_finished(api: AirflowApi) -> str:
    """Id of the newest run that has succeeded and deployed a model, or else has succeeded in training one."""
    finished = [run["dag_run_id"] for run in api.runs(DAG) if run["state"] == "success"]
    states = {run_id: {task["task_id"]: task["state"] for task in api.tasks(DAG, run_id)} for run_id in finished}
    for task in (DEPLOYED, "summary"):
        for run_id in finished:
            if states[run_id].get(task) == "success":
                return run_id
    raise SystemExit(f"No run of {DAG} has finished yet; run `make demo` first.")


def show_run(page: Page, run_id: str) -> None:
    """Graph of the run, from top to bottom, and beside it what became of each task."""
    page.evaluate(f"localStorage.setItem('direction-{DAG}', '\"DOWN\"')")
    page.goto(f"/dags/{DAG}/runs/{quote(run_id)}")
    page.get_by_role("button", name="Show Graph").click()
    page.locator(".react-flow__node").first.wait_for()
    page.get_by_role("row").nth(1).wait_for()
    page.wait_for_timeout(SETTLE_MS)
    drag_to(page, page.get_by_role("separator").first, GRAPH_ENDS_AT)
    page.get_by_role("button", name="Fit View").click()
    page.mouse.move(0, 0)
    page.wait_for_timeout(SETTLE_MS)


def drag_to(page: Page, handle: Locator, x: int) -> None:
    handle.hover()
    page.mouse.down()
    page.mouse.move(x, SIZE["height"] / 2, steps=10)
    page.mouse.up()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--local", help="folder of the set of services (default: .local)")
    parser.add_argument("--output", type=Path, default=PICTURE)
    options = parser.parse_args()
    stack = Stack(options.local)
    if not stack.processes_left():
        raise SystemExit("No service is running; run `make demo` first.")
    run_id = newest_finished(stack.airflow_api())
    with browser.browser() as running:
        page = browser.open_page(running, stack.urls["airflow"])
        browser.enter(page, environment.ADMIN, stack.password_file.read_text())
        show_run(page, run_id)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=options.output)
    print(
        f"Run {run_id} is shown in {shown(options.output.resolve())} ({options.output.stat().st_size / 1000:.0f} kB)."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
