"""The pictures of README and docs, taken of what has run here.

    python -m scripts.screenshot run          the newest finished run of `make demo`, as Airflow shows it: run.png
    python -m scripts.screenshot comparison   the page that the last `make demo-ctr` has left in MLflow: comparison.png

Without a name, both. Needs running services (`make up`) and Chromium; `--local D` means the services in folder D.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from urllib.parse import quote

import httpx
from playwright.sync_api import Browser, Locator, Page

from scripts import browser
from scripts.airflow_api import AirflowApi
from scripts.browser import SIZE
from scripts.embedded import environment
from scripts.embedded.layout import ROOT
from scripts.services import Stack, shown

DAG = "tyre_quality"
DEPLOYED = "deploy.confirm"
IMAGES = ROOT / "docs" / "images"
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


def take_run(running: Browser, stack: Stack, output: Path) -> str:
    run_id = newest_finished(stack.airflow_api())
    page = browser.open_page(running, stack.urls["airflow"])
    browser.enter(page, environment.ADMIN, stack.password_file.read_text())
    show_run(page, run_id)
    page.screenshot(path=output)
    return f"Run {run_id}"


def take_comparison(running: Browser, stack: Stack, output: Path) -> str:
    facts = stack.layout.local / "demo-ctr.json"
    if not facts.exists():
        raise SystemExit("No engines have been compared yet; run `make demo-ctr` first.")
    of_run, _, path = json.loads(facts.read_text())["links"]["comparison"].partition("/artifacts/")
    wanted = {"path": path, "run_uuid": of_run.rpartition("/")[2]}
    answer = httpx.get(f"{stack.urls['mlflow']}/get-artifact", params=wanted, trust_env=False).raise_for_status()
    page = running.new_page(viewport={"width": 1000, "height": 600})
    page.set_content(answer.text)
    page.screenshot(path=output, full_page=True)
    return f"The comparison of run {wanted['run_uuid']}"


PICTURES = {"run": take_run, "comparison": take_comparison}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PICTURES)}")
    parser.add_argument("--local", help="folder of the set of services (default: .local)")
    parser.add_argument("--folder", type=Path, default=IMAGES, help="where the pictures go")
    options = parser.parse_args()
    names = options.names or list(PICTURES)
    if unknown := [name for name in names if name not in PICTURES]:
        parser.error(f"no picture is called {', '.join(unknown)}; there are {', '.join(PICTURES)}")
    stack = Stack(options.local)
    if not stack.processes_left():
        raise SystemExit("No service is running; run `make demo` first.")
    options.folder.mkdir(parents=True, exist_ok=True)
    with browser.browser() as running:
        for name in names:
            output = options.folder / f"{name}.png"
            what = PICTURES[name](running, stack, output)
            print(f"{what} is shown in {shown(output.resolve())} ({output.stat().st_size / 1000:.0f} kB).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
