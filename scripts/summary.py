"""What a demo has come to: facts for ``demo.json``, and the same for a person to read."""

from __future__ import annotations

from typing import Any

METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc")
DECISIONS = {"promote": "Promoted", "keep": "Not promoted", "compare": "Only compared"}


def text(facts: dict[str, Any]) -> str:
    """All of it as plain lines, at most 120 characters wide."""
    sections = [_version(facts), _time_travel(facts), _metrics(facts), _deployment(facts), _links(facts)]
    return "\n\n".join("\n".join(section) for section in sections if section)


def _version(facts: dict[str, Any]) -> list[str]:
    version = facts["dataset_version"]
    return [
        f"Dataset version {version['id']}",
        f"  snapshot {version['snapshot']} ({version['snapshot_uuid']}) of volume {version['svm']}:{version['volume']}",
        f"  {version['files']} files, {version['bytes'] / 1e6:.1f} MB, made {version['created_at']}",
    ]


def _time_travel(facts: dict[str, Any]) -> list[str]:
    """Only from the second demo on: with one version there is nowhere to travel."""
    lines = [f"  as of {fact['as_of']}: {fact['version']} ({fact['files']} files)" for fact in facts["time_travel"]]
    return ["Time travel: the version that training takes", *lines] if len(lines) > 1 else []


def _metrics(facts: dict[str, Any]) -> list[str]:
    metrics = facts["metrics"]
    models = [model for model in ("champion", "challenger") if metrics.get(model)]
    names = [name for name in METRICS if any(name in metrics[model] for model in models)]
    lines = [f"  {'':<12}" + "".join(f"{name:>11}" for name in names)]
    for model in models:
        values = "".join(f"{metrics[model].get(name, float('nan')):>11.3f}" for name in names)
        lines.append(f"  {model:<12}{values}")
    on = "on the same held-out images" if len(models) > 1 else "on held-out images"
    held_out = (facts.get("evaluation") or {}).get("held_out")
    judged = f"Judged {on}" + (f" ({held_out} of them, seen by neither in training)" if held_out else "")
    decision = facts["decision"]
    return [judged, *lines, f"  {DECISIONS[decision['decision']]}: {decision['reason']}"]


def _deployment(facts: dict[str, Any]) -> list[str]:
    model, prediction = facts["deployed_model"], facts["prediction"]
    return [
        f"Deployed: {model['model']} version {model['version']} at {facts['links']['endpoint']}",
        f"  asked over HTTP with {prediction['image']}: {prediction['predicted']}"
        f" ({prediction['probability']:.0%}); its folder says {prediction['actual']}",
    ]


def _links(facts: dict[str, Any]) -> list[str]:
    links = facts["links"]
    names = {"airflow_run": "Airflow run", "mlflow_run": "MLflow run", "mlflow_model": "MLflow model"}
    shown = [f"  {label:<13} {links[key]}" for key, label in names.items() if links.get(key)]
    return [*shown, f"  Airflow's user is admin; the password is in {facts['password_file']}"]
