"""All that the exporter looks at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scripts.exporter.airflow import Airflow
from scripts.exporter.looking import OF_SOURCES, PREFIX, Subject, Told
from scripts.exporter.projects import Projects
from scripts.exporter.reclaim import Reclaim
from scripts.exporter.serving import Registry, Serving
from scripts.exporter.storage import Homes, Sites
from scripts.exporter.workloads import HELP

LEFT_OUT = {
    "storage": "ask no ONTAP",
    "airflow": "ask no Airflow",
    "serving": "ask no MLflow and no inference server",
    "projects": "ask no scheduler of GPUs",
}
_STEP = ("what", "unit")
_WORKLOAD = {
    "state": ("state",),
    "result": ("name",),
    "progress_done": _STEP,
    "progress_whole": _STEP,
    "progress_time_seconds": _STEP,
}


def chosen(left_out: Sequence[str] = ()) -> list[Subject]:
    """Return what is looked at; what can be reclaimed is judged by all who may need it, so it asks them all."""
    homes, registry = Homes(), Registry()
    found: list[Subject] = []
    if "storage" not in left_out:
        found += [homes, Sites(homes)]
    if "serving" not in left_out:
        found += [registry, Serving(registry)]
    if "airflow" not in left_out:
        found.append(Airflow())
    if not {"storage", "serving", "airflow"} & set(left_out):
        found.append(Reclaim())
    if "projects" not in left_out:
        found.append(Projects())
    return found


def listed() -> Iterator[tuple[str, str, Told]]:
    """Every metric there is: where it comes from, its name as Prometheus has it, and what it tells."""
    for subject in chosen():
        yield from ((subject.kind, _named(name, told), told) for name, told in subject.metrics.items())
    for name, text in HELP.items():
        told = Told(text, ("workload", "program", *_WORKLOAD.get(name, ())))
        yield "workloads", f"{PREFIX}workload_{name}", told
    yield from (("every source", _named(name, told), told) for name, told in OF_SOURCES.items())


def _named(name: str, told: Told) -> str:
    return f"{PREFIX}{name}" + ("_total" if told.counter else "")


def page() -> str:
    """The table of all metrics, as docs/reference/metrics.md has it."""
    parts: dict[str, list[str]] = {}
    for source, name, told in listed():
        labels = ", ".join(f"`{label}`" for label in told.labels)
        parts.setdefault(source, []).append(f"| `{name}` | {labels} | {told.text} |")
    paces = ", ".join(f"{subject.kind} every {subject.every_s:g} s" for subject in chosen())
    head = (
        "# Metrics\n\nWhat the exporter shows at `/metrics` ([monitoring](../monitoring.md)). What is not known has no "
        f"sample. It looks at {paces}, and at workloads when it is scraped.\n"
    )
    table = "| Metric | Labels | What it tells |\n| --- | --- | --- |\n"
    return head + "".join(f"\n## {source}\n\n{table}" + "\n".join(rows) + "\n" for source, rows in parts.items())
