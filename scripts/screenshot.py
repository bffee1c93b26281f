"""The pictures of README and docs, taken of what has run here.

    python -m scripts.screenshot            of every system
    python -m scripts.screenshot tyre       the newest finished run of its DAG, as Airflow shows it: run.png
    python -m scripts.screenshot ctr        likewise, run-ctr.png, and the page its last demo left in MLflow

With the run of each system comes the data hub's page on the version that it trained on, hub-SYSTEM.png, and where the
run froze an experiment the page on that, hub-SYSTEM-experiment.png; of all of them,
the hub's pages in Airflow's frame, on caches and on models: hub.png, hub-caches.png, hub-models.png.

Needs Chromium and running services in which the demos have run; `--local D` means the services in folder D.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Browser, Locator, Page

from scripts import browser, systems
from scripts.airflow_api import AirflowApi
from scripts.browser import SIZE
from scripts.embedded import environment
from scripts.embedded.layout import ROOT
from scripts.pipeline import facts_file
from scripts.services import Stack, shown
from scripts.systems.system import System

PROOF = ("deploy.confirm", "summary")  # the best picture is of a run in which this task has succeeded
IMAGES = ROOT / "docs" / "images"
GRAPH_ENDS_AT = 680  # pixels from the left
SETTLE_MS = 3000  # the graph is laid out in steps, without a sign when it is done


def newest_finished(api: AirflowApi, system: System) -> str:
    """Return the id of the newest run that has deployed a model, or else of one that has trained one."""
    dag_id = system.train_dag
    finished = [run["dag_run_id"] for run in api.runs(dag_id) if run["state"] == "success"]
    states = {run_id: {task["task_id"]: task["state"] for task in api.tasks(dag_id, run_id)} for run_id in finished}
    for task in PROOF:
        for run_id in finished:
            if states[run_id].get(task) == "success":
                return run_id
    raise SystemExit(f"No run of {dag_id} has finished yet; run `make demo SYSTEM={system.name}` first.")


def show_run(page: Page, dag_id: str, run_id: str) -> None:
    """Show the graph of the run, from top to bottom, and beside it what became of each task."""
    page.evaluate(f"localStorage.setItem('direction-{dag_id}', '\"DOWN\"')")
    page.goto(f"/dags/{dag_id}/runs/{quote(run_id)}")
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


def in_airflow(running: Browser, stack: Stack) -> Page:
    """A page of its own, logged in as the administrator."""
    page = browser.open_page(running, stack.urls["airflow"])
    browser.enter(page, environment.ADMIN, stack.password_file.read_text())
    return page


def take_run(running: Browser, stack: Stack, system: System, output: Path) -> None:
    run_id = newest_finished(stack.airflow_api(), system)
    page = in_airflow(running, stack)
    show_run(page, system.train_dag, run_id)
    page.screenshot(path=output)
    said(f"Run {run_id} of {system.train_dag}", output)


def take_pages(running: Browser, stack: Stack, system: System, folder: Path) -> None:
    facts = facts_file(system, stack)
    if system.pages and not facts.exists():
        raise SystemExit(f"There is no {facts.name} yet; run `make demo SYSTEM={system.name}` first.")
    for name, html_of in system.pages.items():
        page = running.new_page(viewport={"width": 1000, "height": 600})
        page.set_content(html_of(stack, json.loads(facts.read_text())))
        page.screenshot(path=folder / f"{name}.png", full_page=True)
        said(f"The {name} of the last demo of {system.name}", folder / f"{name}.png")


def take_version(page: Page, stack: Stack, system: System, output: Path) -> None:
    """The page on the dataset version that the newest run trained on, as it looks outside Airflow's frame."""
    api = stack.airflow_api()
    run_id = newest_finished(api, system)
    chosen = api.xcom(system.train_dag, run_id, "choose")["dataset_version"]["id"]
    show_hub(page, f"/ontap/datasets/{system.dataset}/versions/{chosen}")
    page.screenshot(path=output, full_page=True)
    said(f"Version {chosen} of {system.dataset}", output)


def take_experiment(page: Page, stack: Stack, system: System, output: Path) -> None:
    """The hub's page on what the newest run froze; nothing of a system whose runs freeze nothing."""
    api = stack.airflow_api()
    frozen = api.xcom(system.train_dag, newest_finished(api, system), "summary").get("experiment")
    if frozen:
        show_hub(page, f"/ontap/experiments/{frozen['run_key']}")
        page.screenshot(path=output, full_page=True)
        said(f"The experiment {frozen['run_key']}", output)


def take_hub(page: Page, folder: Path) -> None:
    page.goto("/plugin/data-hub")
    page.frame_locator("iframe[title='Data hub']").get_by_role("heading", level=1).wait_for()
    page.screenshot(path=folder / "hub.png")
    said("The data hub in Airflow", folder / "hub.png")
    for name in ("caches", "models"):
        show_hub(page, f"/ontap/{name}")
        page.screenshot(path=folder / f"hub-{name}.png", full_page=True)
        said(f"The data hub's page on {name}", folder / f"hub-{name}.png")


def show_hub(page: Page, path: str) -> None:
    """Open a page of the hub, asked for until nothing on it is still being asked for."""
    page.set_viewport_size({"width": 1200, "height": 700})
    page.goto(f"{path}?refresh=true")
    page.wait_for_timeout(SETTLE_MS)
    page.goto(path)
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_load_state("networkidle")


def said(what: str, output: Path) -> None:
    print(f"{what} is shown in {shown(output.resolve())} ({output.stat().st_size / 1000:.0f} kB).")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("systems", nargs="*", metavar="SYSTEM", help=f"of {', '.join(systems.names())} (default: all)")
    parser.add_argument("--local", help="folder of the set of services (default: .local)")
    parser.add_argument("--folder", type=Path, default=IMAGES, help="where the pictures go")
    options = parser.parse_args()
    chosen = [systems.find(name) for name in options.systems or systems.names()]
    stack = Stack(options.local)
    if not stack.processes_left():
        raise SystemExit("No service is running; run `make demo` first.")
    options.folder.mkdir(parents=True, exist_ok=True)
    with browser.browser() as running:
        for system in chosen:
            picture = system.picture_of_run or f"run-{system.name}"
            take_run(running, stack, system, options.folder / f"{picture}.png")
            take_pages(running, stack, system, options.folder)
        page = in_airflow(running, stack)
        take_hub(page, options.folder)
        for system in (each for each in chosen if each.dataset):
            take_version(page, stack, system, options.folder / f"hub-{system.name}.png")
            take_experiment(page, stack, system, options.folder / f"hub-{system.name}-experiment.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
