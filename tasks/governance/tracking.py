"""What MLflow knows of a run, as files beside its model, so that it is frozen and locked with it.

``<model volume>/evidence/<run key>/``: for each of the run's MLflow runs ``<id>/run.json`` (parameters, tags, last
metrics), ``<id>/metrics.json`` (every metric with all its steps and times) and ``<id>/artifacts/`` (small files, such
as pictures of the evaluation); ``logs/`` with the small text files that the programs left in the run's folder; and
``index.json``: size and SHA-256 of every file, and what was left out, and why.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.common.mlflow_rest import MlflowError, MlflowRest, equals
from tasks.common.progress import say
from tasks.common.result import write_whole
from tasks.models.folders import place_whole

FOLDER, INDEX = "evidence", "index.json"
LARGEST = 4 << 20  # bytes of a file that is kept
MODEL = "model"  # artifacts of the model itself, which lies beside
TEXTS = frozenset({".txt", ".log", ".json", ".jsonl", ".csv", ".md", ".yaml", ".yml"})
RUN_KEY_TAG = "run_key"


def export(server: MlflowRest, *, experiment: str, run_key: str, run_folder: Path, destination: Path) -> dict[str, Any]:
    """Fill ``destination`` with what MLflow knows of the run, anew at each try; return counts: ``runs``, ``files``."""
    runs = list(runs_of(server, experiment, run_key))
    left_out: dict[str, str] = {}

    def build(folder: Path) -> None:
        for run in runs:
            _keep_run(server, run, folder / run["info"]["run_id"], left_out)
        _keep_logs(run_folder, folder / "logs", left_out)
        listed = {path.relative_to(folder).as_posix(): facts_of(path) for path in _files(folder)}
        told = {"schema": 1, "run_key": run_key, "experiment": experiment, "mlflow": server.uri}
        write_whole(folder / INDEX, _json({**told, "files": listed, "left_out": left_out}))

    shutil.rmtree(destination, ignore_errors=True)
    place_whole(destination, build)
    files = len(_files(destination))
    say(f"{files} files of what MLflow knows of run {run_key} ({len(runs)} runs there) are in {destination}")
    return {"runs": len(runs), "files": files}


def runs_of(server: MlflowRest, experiment: str, run_key: str) -> Iterator[dict[str, Any]]:
    """Every MLflow run with this run key in an experiment; none where there is no such experiment."""
    try:
        id_ = server.get("experiments/get-by-name", experiment_name=experiment)["experiment"]["experiment_id"]
    except MlflowError as error:
        if error.code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return
    query: dict[str, Any] = {"experiment_ids": [id_], "filter": equals(f"tags.{RUN_KEY_TAG}", run_key)}
    while True:
        answer = server.post("runs/search", **query)
        for run in answer.get("runs", []):
            if _pairs(run["data"].get("tags")).get(RUN_KEY_TAG) == run_key:
                yield run
        if not answer.get("next_page_token"):
            return
        query["page_token"] = answer["next_page_token"]


def facts_of(path: Path) -> dict[str, Any]:
    """Size in bytes and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"size": path.stat().st_size, "sha256": digest}


def _keep_run(server: MlflowRest, run: Mapping[str, Any], folder: Path, left_out: dict[str, str]) -> None:
    info, data = run["info"], run["data"]
    last = {metric["key"]: metric["value"] for metric in data.get("metrics", ())}
    known = {"info": info, "parameters": _pairs(data.get("params")), "tags": _pairs(data.get("tags")), "metrics": last}
    write_whole(folder / "run.json", _json(known))
    write_whole(folder / "metrics.json", _json({name: _history(server, info["run_id"], name) for name in sorted(last)}))
    for name, size in _artifacts(server, info["run_id"]):
        if size > LARGEST or name.split("/", 1)[0] == MODEL:
            reason = "part of the model, which lies beside" if size <= LARGEST else f"{size} bytes, which is too large"
            left_out[f"{info['run_id']}/artifacts/{name}"] = reason
        else:
            write_whole(folder / "artifacts" / name, server.artifact(info["artifact_uri"], name))


def _history(server: MlflowRest, run_id: str, metric: str) -> list[dict[str, Any]]:
    """Every value with its step and time in milliseconds."""
    points: list[dict[str, Any]] = []
    query = {"run_id": run_id, "metric_key": metric, "max_results": "25000"}
    while True:
        answer = server.get("metrics/get-history", **query)
        points += [
            {key: point.get(key) for key in ("value", "step", "timestamp")} for point in answer.get("metrics", ())
        ]
        if not answer.get("next_page_token"):
            return points
        query["page_token"] = answer["next_page_token"]


def _artifacts(server: MlflowRest, run_id: str, path: str = "") -> Iterator[tuple[str, int]]:
    """Name and size in bytes of each file, with those of all folders."""
    query = {"run_id": run_id, **({"path": path} if path else {})}
    while True:
        answer = server.get("artifacts/list", **query)
        for entry in answer.get("files", ()):
            if entry.get("is_dir"):
                yield from _artifacts(server, run_id, entry["path"])
            else:
                yield entry["path"], int(entry.get("file_size") or 0)
        if not answer.get("next_page_token"):
            return
        query["page_token"] = answer["next_page_token"]


def _keep_logs(run_folder: Path, folder: Path, left_out: dict[str, str]) -> None:
    for path in _files(run_folder):
        if path.suffix.lower() not in TEXTS:
            continue
        name = path.relative_to(run_folder)
        if path.stat().st_size > LARGEST:
            left_out[f"logs/{name}"] = f"{path.stat().st_size} bytes, which is too large"
        else:
            write_whole(folder / name, path.read_bytes())


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _pairs(items: Any) -> dict[str, str]:
    return {item["key"]: item["value"] for item in items or ()}


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()
