"""The Dask clusters that programs run now, as targets for Prometheus' HTTP service discovery."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from ontap_mlops.compute.following import DASHBOARD
from ontap_mlops.compute.kinds.local import LocalRunner
from scripts.exporter.workloads import NEWEST, homes, labels_of

ANSWER_TIMEOUT_S = 2.0

_WORKER_PAGE = re.compile(r"/proxy/(\d+)/([^/\"]+)/status")


def targets(folder: Path, newest: int = NEWEST) -> list[dict[str, Any]]:
    """Scheduler and workers of each running workload that names a dashboard in its log."""
    found = []
    for home in homes(folder, newest):
        if not LocalRunner(folder=folder).status(home.name).state.active:
            continue
        pages = DASHBOARD.findall((home / "log").read_text(errors="replace")) if (home / "log").exists() else []
        if not pages:
            continue
        scheduler, labels = urlsplit(pages[-1]).netloc, labels_of(home)
        found.append({"targets": [scheduler], "labels": labels | {"component": "scheduler"}})
        if workers := _workers(scheduler):
            found.append({"targets": workers, "labels": labels | {"component": "worker"}})
    return found


def _workers(scheduler: str) -> list[str]:
    """``host:port`` of the pages of a Dask scheduler's workers; none when it does not answer.

    From its list for people: ``/json/identity.json`` has them too, but fails (distributed 2026.8) once a worker has
    told what it spent its time on.
    """
    try:
        with urlopen(f"http://{scheduler}/info/main/workers.html", timeout=ANSWER_TIMEOUT_S) as answer:
            listed = answer.read().decode(errors="replace")
    except OSError:
        return []
    return sorted(f"{host}:{port}" for port, host in _WORKER_PAGE.findall(listed))
