"""What a program's run is: the JSON file that RUN_FILE names, written by whoever started it.

    {"schema": 1, "run": {...}, "step": "train", "data": "s3://bucket/data",
     "folders": {"workspace": "/mnt/ws", "models": "/mnt/models"},
     "champion": {"folder": "/mnt/models/r1", "version": 3, "run_key": "r1"}}

``run`` is the record of what was settled for the whole run: its key, dataset version, parameters and code. A program
started by hand has no RUN_FILE, and then takes everything from its flags.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.common.program import BadInput

SCHEMA = 1
RUN_FOLDER = ".mlops/run"  # in the workspace: checkpoint, model and pictures of the run


@dataclass(frozen=True)
class Champion:
    """The registered model that serves now: its ``folder``, and which version and run it is."""

    folder: str
    version: int | None = None
    run_key: str = ""


@dataclass(frozen=True)
class RunFile:
    """``run`` is the run's record as it came; the properties below are what programs need of it.

    ``rest`` holds the fields that this release gives no meaning of its own.
    """

    run: Mapping[str, Any]
    step: str = ""
    data: str | None = None
    folders: Mapping[str, str] = field(default_factory=dict)
    champion: Champion | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def run_key(self) -> str:
        return str(self.run.get("run_key", ""))

    @property
    def experiment(self) -> str | None:
        """In MLflow: the DAG's name."""
        return self.run.get("dag_id") or None

    @property
    def model(self) -> str | None:
        """The name under which the run's model is registered and served."""
        return self.run.get("model") or None

    @property
    def parameters(self) -> Mapping[str, Any]:
        return self.run.get("parameters") or {}

    @property
    def dataset_version(self) -> Mapping[str, Any]:
        return self.run.get("dataset_version") or {}

    @property
    def version_id(self) -> str:
        return str(self.dataset_version.get("id", ""))

    @property
    def run_folder(self) -> str | None:
        return self.inside("workspace", RUN_FOLDER)

    @property
    def tags(self) -> dict[str, str]:
        """What lets an MLflow run be found by run, data or code; nothing that is not known."""
        airflow = "/".join(filter(None, (self.run.get("dag_id"), self.run.get("run_id"))))
        tags = {
            "run_key": self.run_key,
            "dataset_version": self.version_id,
            "snapshot_uuid": self.dataset_version.get("snapshot_uuid"),
            "code_commit": self.run.get("code_commit"),
            "airflow_run": airflow,
            "compute_place": self.rest.get("place"),
            "compute_tried": "; ".join(self.rest.get("tried") or ()),
        }
        return {name: str(value) for name, value in tags.items() if value}

    @property
    def page_tags(self) -> dict[str, str]:
        """What MLflow's page of a run shows as its description, source and user."""
        if not self.run_key:
            return {}
        of, dag_id = self.dataset_version, self.run.get("dag_id")
        commit = self.run.get("code_commit")
        data = f"{of.get('dataset')} version `{self.version_id}` of {of.get('created_at')}" if of else "not known"
        lines = {
            "Run": f"`{self.run_key}`, {dag_id or 'by hand'}, {self.run.get('run_id') or ''}".rstrip(", "),
            "Data": f"{data}, snapshot `{of.get('snapshot')}` of volume `{of.get('svm')}:{of.get('volume')}`",
            "Code": f"commit `{commit or 'unknown'}`",
        }
        tags = {
            "mlflow.note.content": "\n".join(f"- **{title}**: {text}" for title, text in lines.items()),
            "mlflow.source.name": f"Airflow DAG {dag_id}" if dag_id else None,
            "mlflow.source.type": "JOB",
            "mlflow.source.git.commit": commit,
            "mlflow.user": "airflow",
        }
        return {name: str(value) for name, value in tags.items() if value}

    def inside(self, folder: str, *parts: str) -> str | None:
        """Return a path in one of the mounted ``folders``; None where that is not mounted."""
        root = self.folders.get(folder)
        return str(Path(root, *parts)) if root else None

    def mlflow_name(self, part: str | None) -> str | None:
        """Name of an MLflow run, unique to this run and the ``part`` of it, such as an engine; None without either."""
        return "-".join(filter(None, (self.run_key, part))) if self.run_key and part is not None else None


def read() -> RunFile | None:
    """Return the run of this process; None when RUN_FILE is not set.

    Raises BadInput for a file that is missing or says something else. Unknown fields are let pass, and so is a newer
    schema as long as it has what this release needs.
    """
    name = os.environ.get("RUN_FILE")
    if not name:
        return None
    try:
        told = json.loads(Path(name).read_text())
    except OSError as error:
        raise BadInput(
            f"RUN_FILE names {name}, which cannot be read ({error.strerror}); unset it or name a file."
        ) from error
    except ValueError as error:
        raise BadInput(f"RUN_FILE {name} is not JSON ({error}); start the program again through its DAG.") from error
    return _checked(told, name)


def _checked(told: Any, name: str) -> RunFile:
    kinds = {"run": dict, "step": str, "data": str, "folders": dict, "champion": dict}
    optional = {"step", "data", "folders", "champion"}
    if not isinstance(told, dict):
        raise BadInput(
            f"RUN_FILE {name} holds {type(told).__name__}, not an object; start the program through its DAG."
        )
    for key, kind in kinds.items():
        value = told.get(key)
        if isinstance(value, kind) or (value is None and key in optional):
            continue
        schema = told.get("schema", SCHEMA)
        newer = f"; it has schema {schema} of a newer release, this one reads {SCHEMA}" if schema != SCHEMA else ""
        raise BadInput(f"RUN_FILE {name} has {value!r} as its {key!r}, and an object or text is expected{newer}.")
    return RunFile(
        run=told["run"],
        step=told.get("step") or "",
        data=told.get("data"),
        folders=told.get("folders") or {},
        champion=_champion(told.get("champion"), name),
        rest={key: value for key, value in told.items() if key not in kinds},
    )


def _champion(told: Mapping[str, Any] | None, name: str) -> Champion | None:
    if told is None:
        return None
    if not isinstance(told.get("folder"), str):
        raise BadInput(f"RUN_FILE {name} names a champion without its folder; start the program through its DAG.")
    return Champion(told["folder"], told.get("version"), str(told.get("run_key") or ""))
