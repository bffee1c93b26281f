"""Sections of a demo's summary that every system has, as plain lines at most 120 characters wide."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

WIDTH = 120
DECISIONS = {"promote": "Promoted", "keep": "Not promoted", "compare": "Only compared"}
_LINKS = {
    "airflow_run": "Airflow run",
    "mlflow_run": "MLflow run",
    "mlflow_model": "MLflow model",
    "mistakes": "Mistakes",
    "confusion": "Confusion",
    "roc": "ROC",
    "comparison": "Comparison",
}


def joined(*sections: list[str]) -> str:
    """Join the sections that have lines, with an empty line between them."""
    return "\n\n".join("\n".join(section) for section in sections if section)


def version(facts: dict[str, Any]) -> list[str]:
    of = facts["dataset_version"]
    return [
        f"Dataset version {of['id']}",
        f"  snapshot {of['snapshot']} ({of['snapshot_uuid']}) of volume {of['svm']}:{of['volume']}",
        f"  {of['files']} files, {of['bytes'] / 1e6:.1f} MB, made {of['created_at']}",
    ]


def decision(facts: dict[str, Any]) -> str:
    """Return what was decided, and why, as one sentence."""
    return f"{DECISIONS[facts['decision']['decision']]}: {facts['decision']['reason']}"


def judged(facts: dict[str, Any], what: str, metrics: Sequence[str]) -> list[str]:
    """Set champion and challenger side by side; ``what`` they were judged on, and the metrics that are shown."""
    models = [model for model in ("champion", "challenger") if facts["metrics"].get(model)]
    names = [name for name in metrics if any(name in facts["metrics"][model] for model in models)]
    on = f"the same held-out {what}" if len(models) > 1 else f"held-out {what}"
    held_out = (facts.get("evaluation") or {}).get("held_out")
    return [
        f"Judged on {on}" + (f" ({held_out:,} of them, seen by neither in training)" if held_out else ""),
        f"  {'':<12}" + "".join(f"{name:>{_width(name)}}" for name in names),
        *(_row(model, facts["metrics"][model], names) for model in models),
        *textwrap.wrap(decision(facts), WIDTH, initial_indent="  ", subsequent_indent="  "),
    ]


def _row(model: str, metrics: dict[str, float], names: list[str]) -> str:
    shown = {name: f"{metrics[name]:.3f}" if name in metrics else "-" for name in names}
    values = "".join(f"{value:>{_width(name)}}" for name, value in shown.items())
    return f"  {model:<12}{values}"


def _width(name: str) -> int:
    return max(11, len(name) + 2)


def links(facts: dict[str, Any]) -> list[str]:
    shown = [f"  {label:<13} {facts['links'][key]}" for key, label in _LINKS.items() if facts["links"].get(key)]
    key = [f"  {'Run key':<13} {facts['run_key']}"] if "run_key" in facts else []  # a run that trains has one
    return [
        *key,
        *shown,
        f"  Airflow's user is admin; the password is in {facts['password_file']}",
    ]
