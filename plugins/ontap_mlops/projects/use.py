"""What use each project makes of a cluster's GPUs: as figures, as a table for a terminal, and as a page."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from ontap_mlops.projects.config import Projects
from ontap_mlops.projects.jobs import Job

COLUMNS = ("project", "quota", "allocated", "idle", "over quota", "waiting", "GPUs waited for", "longest wait")


@dataclass(frozen=True, kw_only=True)
class Use:
    """One project at one moment. All but ``waiting`` and ``longest_wait_s`` are GPUs.

    ``idle`` are allocated and used by nobody: the rest of a GPU that is held for shares of it.
    """

    project: str
    quota: int
    allocated: float
    idle: float
    over: float
    waiting: int
    waited_for: float
    longest_wait_s: float


def measured(projects: Projects, jobs: Iterable[Job], now: float | None = None) -> list[Use]:
    """Return a row for each project, in the file's order."""
    now, known = time.time() if now is None else now, list(jobs)
    return [
        _of(name, entry.quota, [job for job in known if job.project == name], now)
        for name, entry in projects.projects.items()
    ]


def _of(project: str, quota: int, jobs: Sequence[Job], now: float) -> Use:
    running = [job for job in jobs if job.running]
    # A share without a holder that we know of (KAI Scheduler holds the GPU itself) counts by itself.
    held = sum(job.held for job in running)
    shared = sum(job.gpus for job in running if job.holder)
    alone = sum(job.gpus for job in running if not job.holder)
    waits = [job for job in jobs if not job.running and not job.held]
    allocated = alone + max(held, shared)
    return Use(
        project=project,
        quota=quota,
        allocated=allocated,
        idle=max(0.0, held - shared),
        over=max(0.0, allocated - quota),
        waiting=len(waits),
        waited_for=sum(job.gpus for job in waits),
        longest_wait_s=max((now - job.since for job in waits if job.since is not None), default=0.0),
    )


def table(found: Sequence[Use]) -> str:
    lines = [COLUMNS, *(_row(use) for use in found)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _row(use: Use) -> tuple[str, ...]:
    numbers = [f"{value:g}" for value in (use.quota, use.allocated, use.idle, use.over, use.waiting, use.waited_for)]
    return (use.project, *numbers, f"{use.longest_wait_s / 60:.0f} min" if use.waiting else "-")


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>GPUs of {place} by project</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }} th, td {{ padding: .4rem .6rem; text-align: right }}
th:first-child, td:first-child, td:nth-child(2) {{ text-align: left }} tr + tr {{ border-top: 1px solid #ddd }}
.bar {{ background: #eee; height: 1rem; min-width: 12rem; position: relative }}
.bar i {{ position: absolute; top: 0; bottom: 0 }} .bar i.within {{ background: #2a7de1 }}
.bar i.over {{ background: #f0a030 }} .bar i.quota {{ border-right: 2px solid #333 }}
</style></head><body>
<h1>GPUs of {place} by project</h1>
<p>{sum:g} of {gpus} GPUs are allocated, {idle:g} of them idle; {waiting} workloads wait. As of {when}.</p>
<table><tr><th>project</th><th>GPUs: within the quota (blue), beyond it (orange), quota (line)</th>{heads}</tr>
{rows}
</table></body></html>
"""


def page(place: str, projects: Projects, found: Sequence[Use], at: float | None = None) -> str:
    """Return a page that needs nothing else: a bar for each project, and its figures, as they were ``at`` a time."""
    return _PAGE.format(
        place=escape(place),
        gpus=projects.gpus,
        sum=sum(use.allocated for use in found),
        idle=sum(use.idle for use in found),
        waiting=sum(use.waiting for use in found),
        when=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at)),
        heads="".join(f"<th>{name}</th>" for name in COLUMNS[1:]),
        rows="\n".join(_bar(use, projects.gpus) for use in found),
    )


def _bar(use: Use, gpus: int) -> str:
    within, over, quota = (100 * value / gpus for value in (use.allocated - use.over, use.over, use.quota))
    parts = f'<i class="within" style="left:0;width:{within:g}%"></i>'
    parts += f'<i class="over" style="left:{within:g}%;width:{over:g}%"></i>'
    parts += f'<i class="quota" style="left:0;width:{quota:g}%"></i>'
    name, *figures = _row(use)
    cells = "".join(f"<td>{escape(figure)}</td>" for figure in figures)
    return f'<tr><td>{escape(name)}</td><td><div class="bar">{parts}</div></td>{cells}</tr>'
