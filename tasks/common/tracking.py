"""The record of a run in MLflow: parameters, metrics, tags and artefacts, joined again by a retry."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tasks.common.lineage import Dataset
from tasks.common.mlflow_rest import MlflowError, MlflowRest, equals
from tasks.common.program import BadInput, Stopped
from tasks.common.progress import say

EXPERIMENT = "ontap-mlops"
IDENTITY_TAG = "workload"  # one run per value, so that a retry finds the run of the first try
_LONGEST_PARAMETER = 6000
# Else MLflow 3 shows its pages for traces of language models.
_TRAINING_VIEW = "?workflowType=machine_learning"


class Run:
    """One MLflow run as a context manager; it does nothing at all when there is no tracking server.

    Leaving the block ends the run: FINISHED, FAILED, or KILLED after SIGTERM. Starting the same ``name`` again goes on
    with the same run, whatever its state.
    """

    def __init__(self, name: str, *, experiment: str = EXPERIMENT, tags: Mapping[str, str] | None = None) -> None:
        self.name, self.experiment, self.tags = name, experiment, dict(tags or {})
        self.run_id = ""
        self._experiment_id = ""
        self._artifact_uri = ""
        uri = os.environ.get("MLFLOW_TRACKING_URI", "")
        self._server = MlflowRest(uri) if uri else None

    @property
    def url(self) -> str:
        """The run's page; "" without a server."""
        return f"{self._server.uri}/#/experiments/{self._experiment_id}/runs/{self.run_id}" if self._server else ""

    @property
    def identity(self) -> dict[str, str]:
        """For the program's result; {} without a server."""
        if not self._server:
            return {}
        names = {"mlflow_experiment": self.experiment, "mlflow_run_name": self.name}
        return {"mlflow_run_id": self.run_id, "mlflow_url": self.url, **names}

    def __enter__(self) -> Self:
        if self._server:
            self._experiment_id = _experiment_id(self._server, self.experiment)
            info = self._find(self._server) or self._create(self._server)
            self.run_id, self._artifact_uri = info["run_id"], info["artifact_uri"]
            self._server.post("runs/update", run_id=self.run_id, status="RUNNING")
            say(f"MLflow run: {self.url}{_TRAINING_VIEW}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        status = "FINISHED" if kind is None else "KILLED" if issubclass(kind, Stopped) else "FAILED"
        if self._server:
            self._server.post("runs/update", run_id=self.run_id, status=status, end_time=_now_ms())

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Written once: MLflow refuses another value for a parameter that a first try has written."""
        items = [{"key": k, "value": str(v)[:_LONGEST_PARAMETER]} for k, v in values.items()]
        self._log(params=items)

    def tag(self, values: Mapping[str, str]) -> None:
        """Keep what may have another value when the run is joined again, such as the version of a library."""
        self._log(tags=_pairs(values))

    def reads(self, dataset: Dataset, context: str) -> None:
        """Say that the run read this dataset, to train or to judge."""
        if self._server:
            self._server.post("runs/log-inputs", run_id=self.run_id, datasets=[dataset.as_input(context)])

    def metrics(self, values: Mapping[str, float], *, step: int = 0, time_ms: int | None = None) -> None:
        """MLflow keeps one of equal points, so a retry that passes the first try's ``time_ms`` doubles nothing."""
        at = _now_ms() if time_ms is None else time_ms
        self._log(metrics=[{"key": k, "value": float(v), "timestamp": at, "step": step} for k, v in values.items()])

    def artifact(self, path: Path, folder: str = "") -> None:
        """Store a file with the run, under ``folder``; an earlier one of the same name is replaced."""
        if self._server:
            name = f"{folder}/{path.name}" if folder else path.name
            self._server.put_artifact(self._artifact_uri, name, path.read_bytes())

    def drawn(self, output: str | None, draw: Callable[[Path], list[Path]]) -> list[str]:
        """Store the pictures of an evaluation that ``draw`` leaves in a folder, and return the names of their files.

        The folder is ``output``, or one that is gone afterwards. Nothing is drawn where neither it nor a run keeps it.
        """
        if not output and not self.run_id:
            return []
        with tempfile.TemporaryDirectory() as folder:
            files = draw(Path(output or folder))
            for file in files:
                self.artifact(file, "evaluation")
        return [file.name for file in files]

    def _log(self, **fields: Any) -> None:
        if self._server:
            self._server.post("runs/log-batch", run_id=self.run_id, **fields)

    def _find(self, server: MlflowRest) -> dict[str, Any] | None:
        """The oldest run whose tag is this very name, as MLflow's info of it."""
        found = next((run for run in self._search(server) if _named(run) == self.name), None)
        if found and self.tags:
            server.post("runs/log-batch", run_id=found["info"]["run_id"], tags=_pairs(self.tags))
        return found["info"] if found else None

    def _search(self, server: MlflowRest) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = {
            "experiment_ids": [self._experiment_id],
            "filter": equals(f"tags.{IDENTITY_TAG}", self.name),
            "order_by": ["attributes.start_time ASC"],
        }
        while True:
            answer = server.post("runs/search", **query)
            yield from answer.get("runs", [])
            if not answer.get("next_page_token"):
                return
            query["page_token"] = answer["next_page_token"]

    def _create(self, server: MlflowRest) -> dict[str, Any]:
        tags = _pairs({**self.tags, IDENTITY_TAG: self.name})
        facts = {"experiment_id": self._experiment_id, "run_name": self.name, "start_time": _now_ms(), "tags": tags}
        # Sent once: a run whose making got no answer is found, not doubled, when the program is started again.
        return server.post("runs/create", once=True, **facts)["run"]["info"]


def parse_tags(pairs: Iterable[str]) -> dict[str, str]:
    """``key=value`` flags as a mapping."""
    tags = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise BadInput(f"--tag {pair!r} is not of the form key=value.")
        tags[key] = value
    return tags


def _experiment_id(server: MlflowRest, name: str) -> str:
    """Raises BadInput for an experiment that was deleted: MLflow keeps its name, and takes no run for it."""
    try:
        return _active(server, server.get("experiments/get-by-name", experiment_name=name)["experiment"])
    except MlflowError as error:
        if error.code != "RESOURCE_DOES_NOT_EXIST":
            raise
    try:
        return server.post("experiments/create", name=name)["experiment_id"]
    except MlflowError as error:
        if error.code != "RESOURCE_ALREADY_EXISTS":  # another program made it in between
            raise
        return _active(server, server.get("experiments/get-by-name", experiment_name=name)["experiment"])


def _active(server: MlflowRest, experiment: Mapping[str, Any]) -> str:
    number = experiment["experiment_id"]
    if experiment.get("lifecycle_stage", "active") != "active":
        raise BadInput(
            f"Experiment {experiment.get('name')!r} of MLflow at {server.uri} was deleted. Restore it with `mlflow "
            f"experiments restore --experiment-id {number}`, or remove it for good with `mlflow gc --experiment-ids "
            f"{number}`, and run this again; or name another one with --experiment."
        )
    return number


def _named(run: Mapping[str, Any]) -> str | None:
    return next((tag["value"] for tag in run["data"].get("tags", ()) if tag["key"] == IDENTITY_TAG), None)


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _now_ms() -> int:
    return int(time.time() * 1000)
