"""GPU projects: a real Slurm with 16 GPUs that are names only, on which the published scenarios are played."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ontap_mlops.hooks import mlflow_pages
from scripts import lake
from scripts.embedded.layout import ROOT
from scripts.equipment import slurm_cluster
from scripts.equipment.slurm_cluster import PACKAGES, Cluster, free_ports
from scripts.systems import text
from scripts.systems.system import System

if TYPE_CHECKING:
    from scripts.pipeline import Demo
    from scripts.services import Stack

PLACE = "slurm"
CONFIG = "AIRFLOW__ONTAP_MLOPS__CONFIG_DIR"
WORKERS = ["airflow-scheduler", "airflow-triggerer"]  # whose tasks and triggers read the configuration


class Projects(System):
    name = "projects"
    number = 9
    train_dag = "gpu_projects"
    told_by = "report"
    steps = "apply the projects, play the published scenarios, compare, remove"
    first = ("ontap", "lake", "airflow")

    def check(self, options: argparse.Namespace) -> None:
        reason = slurm_cluster.unavailable()
        if slurm_cluster.missing():
            reason = f"Slurm was not found; install it, on Debian as root with `apt-get install {' '.join(PACKAGES)}`"
        if reason:
            raise SystemExit(f"{reason}.")

    def fill_lake(self, stack: Stack, day: int, options: argparse.Namespace) -> dict[str, Any]:
        """Make the bucket that the other systems share; GPU projects have no data."""
        lake.bucket(stack)
        return {"bucket": lake.BUCKET}

    @contextlib.contextmanager
    def beside(self, stack: Stack) -> Iterator[None]:
        """A Slurm, and the place ``slurm`` that leads there, in a configuration of this demo's own."""
        # Sockets lie in it, so its path must be short; what a demo that was killed has left is ended first.
        folder = Path(tempfile.gettempdir()) / f"mlops-slurm-{stack.layout.instance[:8]}"
        cluster, jobs = Cluster(folder, free_ports(5), patient=True), stack.layout.local / "slurm-jobs"
        cluster.down()
        try:
            print(f"         A Slurm of {cluster.nodes} nodes with {cluster.gpus} GPUs each starts", flush=True)
            cluster.up()
            jobs.mkdir(exist_ok=True)
            with configured(stack, place(cluster, jobs)):
                yield
        finally:
            cluster.down()
            shutil.rmtree(jobs, ignore_errors=True)

    def conf(self, stack: Stack) -> dict[str, Any]:
        return {"place": PLACE}

    def facts(self, demo: Demo) -> dict[str, Any]:
        url, pages = demo.summary.get("mlflow_url", ""), demo.summary["pages"]
        return {"links": {page: mlflow_pages.artifact_page(url, page) for page in pages if url}}

    def text(self, facts: dict[str, Any]) -> str:
        tables = [line for one in facts["scenarios"] for line in _table(one)]
        pages = [f"  {'Page':<13} {facts['links'][page]}" for page in facts["pages"] if page in facts["links"]]
        return text.joined(
            ["GPUs by team, beside the published numbers, on a real Slurm", *tables], [*text.links(facts), *pages]
        )


def place(cluster: Cluster, jobs: Path) -> dict[str, Any]:
    """The entry of compute.yaml that leads to this cluster."""
    programs = {"python": sys.executable, "working_directory": str(ROOT), "grace_s": 2}
    return {"kind": "slurm", "slurm_conf": str(cluster.conf), "folder": str(jobs), **programs}


@contextlib.contextmanager
def configured(stack: Stack, entry: dict[str, Any]) -> Iterator[None]:
    """Have tasks find this place in a copy of the configuration, until this block ends."""
    own, kept = stack.layout.local / "config-projects", stack.layout.local / "settings.json"
    settings = json.loads(kept.read_text()) if kept.exists() else {}
    if settings.get(CONFIG) == str(own):  # of a demo that was killed
        settings.pop(CONFIG)
        stack.layout.keep_settings(settings)
    shutil.rmtree(own, ignore_errors=True)
    shutil.copytree(stack.env()[CONFIG], own)
    file = own / "compute.yaml"
    known = yaml.safe_load(file.read_text())
    known["places"][PLACE] = entry
    file.write_text(yaml.safe_dump(known, sort_keys=False))
    try:
        stack.layout.keep_settings({**settings, CONFIG: str(own)})
        restart(stack)
        yield
    finally:
        stack.layout.keep_settings(settings)
        restart(stack)
        shutil.rmtree(own, ignore_errors=True)


def restart(stack: Stack) -> None:
    """Have Airflow's workers begin anew with the settings as they are now."""
    stack.supervisor.restart(WORKERS)
    stack.wait_ready(["airflow"])


def _table(one: dict[str, Any]) -> list[str]:
    lines = [f"{one['section']} {one['title']}", f"  {'':<8}{'quota':>6}{'GPUs':>6}{'published':>11}  waiting"]
    for team in one["teams"]:
        waits = ", ".join(team["queued"]) or "none"
        numbers = f"{team['quota']:>6}{team['gpus']:>6g}{team['published']:>11g}"
        lines.append(f"  {team['project']:<8}{numbers}  {waits} (published {team['published_queued'] or 'none'})")
    return lines


SYSTEM = Projects()
