"""Workloads of a local place as Prometheus metrics: state, time, progress, and every number of their results."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ontap_mlops.compute.kinds.local import LocalRunner
from ontap_mlops.compute.workload import State

NEWEST = 200  # workloads shown, so that a month's do not become thousands of series

HELP = {
    "state": "1 for the state the workload is in.",
    "start_time_seconds": "When it started, in seconds since 1970.",
    "seconds": "How long it ran, or has been running.",
    "progress_done": "How much of its present step is done, in the unit of the label.",
    "progress_whole": "How much there is to do in its present step.",
    "progress_time_seconds": "When it last told its progress, in seconds since 1970.",
    "result": "A number of its result, such as metrics.roc_auc.",
}


class Sample(NamedTuple):
    metric: str
    labels: dict[str, str]
    value: float


class WorkloadCollector(Collector):
    """The newest workloads below ``folder``, looked at anew for each scrape."""

    def __init__(self, folder: Path, newest: int = NEWEST) -> None:
        self.folder, self.newest = folder, newest

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = [sample for home in homes(self.folder, self.newest) for sample in samples(self.folder, home)]
        for name, text in HELP.items():
            these = [sample for sample in found if sample.metric == name]
            labels = sorted({label for sample in these for label in sample.labels})
            family = GaugeMetricFamily(f"ontap_mlops_workload_{name}", text, labels=labels)
            for sample in these:  # a label that others of the family have is empty
                family.add_metric([sample.labels.get(label, "") for label in labels], sample.value)
            yield family


def homes(folder: Path, newest: int = NEWEST) -> list[Path]:
    """Folders of the workloads started last, the oldest of them first."""
    started = []
    for spec in folder.glob("*/spec.json"):
        try:
            started.append((spec.stat().st_mtime, spec.parent))
        except FileNotFoundError:  # forgotten meanwhile
            continue
    return [home for _, home in sorted(started)][-newest:]


def samples(folder: Path, home: Path) -> Iterator[Sample]:
    labels = labels_of(home)
    status = LocalRunner(folder=folder).status(home.name)
    ended = {} if status.state.active else read(home / "status.json")
    started = ended.get("started_at") or _modified(home / "spec.json")
    yield Sample("state", labels | {"state": status.state.value}, 1)
    yield Sample("start_time_seconds", labels, started)
    if status.state.active or ended:
        yield Sample("seconds", labels, (ended.get("ended_at") or time.time()) - started)
    if status.state is State.RUNNING and (progress := read(home / "progress.json")):
        step = labels | {"what": progress["what"], "unit": progress["unit"]}
        yield Sample("progress_time_seconds", step, progress["at"])
        yield Sample("progress_done", step, progress["done"])
        if progress["total"] is not None:
            yield Sample("progress_whole", step, progress["total"])
    for name, value in _numbers(read(home / "result.json")):
        yield Sample("result", labels | {"name": name}, value)


def labels_of(home: Path) -> dict[str, str]:
    """Name and program; DAG, model and step where it belongs to a run; and the labels its task gave it."""
    spec, record = read(home / "spec.json"), read(home / "run.json")
    run = record.get("run") or {}
    facts = {"dag_id": run.get("dag_id"), "model": run.get("model"), "step": record.get("step")}
    own = {re.sub(r"\W", "_", name): value for name, value in (spec.get("labels") or {}).items()}
    known = {name: str(value) for name, value in {**facts, **own}.items() if value}
    return {**known, "workload": home.name, "program": spec.get("program") or ""}


def read(path: Path) -> dict[str, Any]:
    """The JSON object of a file; {} while there is none, or none that is whole."""
    try:
        value = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, int | float):
        yield name, float(value)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
