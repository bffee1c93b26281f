"""Keep pages and figures on the use of GPUs with an MLflow run.

    python -m tasks.projects.report --experiment gpu_projects

Works on what the DAG `gpu_projects` has put into RUN_FILE. Exit code 2, after all is kept, when a scheduler has
allocated otherwise than published.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.program import BadInput
from tasks.common.progress import say


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.tracking(lambda run: "")
    options = flags.parse()
    if options.run is None or "facts" not in options.run.rest:
        raise BadInput("RUN_FILE has no facts of GPU projects; start the DAG gpu_projects.")
    facts = options.run.rest["facts"]
    for line in lines(facts["scenarios"]):
        say(line)
    with mlflow_run(options, "gpu_projects") as tracked, tempfile.TemporaryDirectory() as folder:
        tracked.metrics(figures(facts["scenarios"]))
        for name, page in facts["pages"].items():
            path = Path(folder, name)
            path.write_text(page, encoding="utf-8")
            tracked.artifact(path)
    if facts["problems"]:
        raise BadInput(
            f"The scheduler of {facts['place']} has not allocated as published: {'; '.join(facts['problems'])}."
        )
    kept = {name: facts[name] for name in ("place", "changes", "scenarios")}
    return {**kept, "pages": list(facts["pages"]), **tracked.identity}


def figures(scenarios: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """GPUs, and workloads that wait, by scenario and project."""
    found: dict[str, float] = {}
    for one in scenarios:
        for team in one["teams"]:
            found[f"{one['section']}.{team['project']}.gpus"] = float(team["gpus"])
            found[f"{one['section']}.{team['project']}.waiting"] = float(len(team["queued"]))
    return found


def lines(scenarios: Sequence[Mapping[str, Any]]) -> list[str]:
    """Who has which GPUs in each scenario, in one line, beside the published numbers."""
    told = []
    for one in scenarios:
        teams = [f"{team['project']} {team['gpus']:g} (published {team['published']:g})" for team in one["teams"]]
        told.append(f"{one['section']} {one['title']}: {', '.join(teams)}")
    return told


if __name__ == "__main__":
    program.run(main)
