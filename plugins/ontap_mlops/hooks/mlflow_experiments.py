"""Experiments that were frozen, each kept with the MLflow run of its training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ontap_mlops.hooks.mlflow_service import equals, tags
from ontap_mlops.hooks.mlflow_trainings import Trainings
from ontap_mlops.hooks.rest import ServiceRefused
from ontap_mlops.records import Experiment

EXPERIMENT_TAG, MODEL_TAG = "experiment", "experiment_model"


class Experiments(Trainings):
    """The tag ``experiment`` of a run is its experiment as JSON, ``experiment_model`` the model it trained."""

    def freeze(self, experiment: Experiment) -> None:
        """Keep the experiment with its run."""
        run_id = experiment.mlflow_run_id
        # The record last: a run that has it has both.
        for key, value in {MODEL_TAG: experiment.model, EXPERIMENT_TAG: json.dumps(experiment.to_json())}.items():
            self.service.change(
                "POST", "runs/set-tag", f"tag run {run_id}", json={"run_id": run_id, "key": key, "value": value}
            )

    def frozen(self, run_key: str) -> Experiment | None:
        """The experiment of this run; None where it has frozen none."""
        run = self.find_run(run_key)
        return self.of_run(run) if run else None

    def of_run(self, run: Mapping[str, Any]) -> Experiment | None:
        """The experiment that an MLflow run, as it was found, has frozen."""
        return self._experiment(run) if EXPERIMENT_TAG in tags(run["data"]) else None

    def of_model(self, model: str) -> list[Experiment]:
        """All experiments of a model, the oldest first."""
        found = self._search(equals(f"tags.{MODEL_TAG}", model), f"find the experiments of {model}")
        runs = [run for run in found if tags(run["data"]).get(MODEL_TAG) == model]
        experiments = [self._experiment(run) for run in runs if EXPERIMENT_TAG in tags(run["data"])]
        return sorted(experiments, key=lambda experiment: experiment.run_key)

    def _experiment(self, run: Mapping[str, Any]) -> Experiment:
        try:
            return Experiment.from_json(json.loads(tags(run["data"])[EXPERIMENT_TAG]))
        except ValueError as error:
            raise ServiceRefused(
                f"The experiment of MLflow run {run['info']['run_id']} at {self.service.url} cannot be read: {error}."
            ) from error
