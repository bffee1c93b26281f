"""From source images to a deployed model through the real scheduler, and a summary of what came of it.

    python -m scripts.demo                      600 sample photographs; from the second time on, some of them changed
    python -m scripts.demo --full               1,856, as many as the walkthrough's
    python -m scripts.demo --images FOLDER      a user's own, in FOLDER/good and FOLDER/defective

Ends with exit code 0 only when a model is deployed and has answered. The facts are written to demo.json.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from ontap_mlops import registry
from ontap_mlops.ontap import dataset_versions
from ontap_mlops.records import DatasetVersion
from scripts import lake, summary
from scripts.embedded import environment
from scripts.follow import RunFailed, failure
from scripts.pipeline import Pipeline, outcome
from scripts.services import Stack, shown

INGEST, TRAIN = "ingest_tyre_images", "tyre_quality"
DATASET, MODEL = "tyre_images", "tyre"
COUNT, FULL_COUNT = 600, 1856


class Demo(Pipeline):
    ingest_dag, train_dag = INGEST, TRAIN

    def __init__(self, stack: Stack, images: Path | None, full: bool) -> None:
        super().__init__(stack, stack.layout.local / "demo.json")
        self.images = images
        self.count = FULL_COUNT if full else COUNT

    def run(self) -> dict[str, Any]:
        if self.images:
            lake.check(self.images)
        self.start_services(self.fill_lake)
        self.provision()
        ingest_run = self.ingest()
        train_run = self.train(ingest_run, "clone, train, judge, deploy, prove, clean up")
        self.begin("prediction", "Asking the deployed model about one photograph")
        facts = self.facts(ingest_run, train_run)
        self.keep(facts)
        return facts

    def fill_lake(self) -> dict[str, Any]:
        if self.images:
            return lake.fill_with(self.stack, self.images)
        return lake.fill_with_samples(self.stack, self.count, self.number)

    def facts(self, ingest_run: str, train_run: str) -> dict[str, Any]:
        of_run = self.api.xcom(TRAIN, train_run, "summary")
        if of_run is None:
            raise RunFailed(failure(self.api, TRAIN, train_run, self.api.tasks(TRAIN, train_run)))
        deployed = self.deployed_model(train_run, of_run)
        prediction, endpoint = self.predict(deployed)
        self.end()
        versions = self.versions()
        return {
            "demo": self.number,
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": self.timing,
            **of_run,
            "evaluation": self.api.xcom(TRAIN, train_run, "evaluate"),
            "deployed_model": deployed,
            "prediction": prediction,
            "dataset_versions": [version.to_json() for version in versions],
            "time_travel": time_travel(versions),
            "runs": {INGEST: ingest_run, TRAIN: train_run},
            "links": self.links(train_run, of_run, deployed) | {"endpoint": endpoint},
            "password_file": shown(self.stack.password_file),
        }

    def deployed_model(self, train_run: str, of_run: dict[str, Any]) -> dict[str, Any]:
        """The new model, or the one that was better and stayed."""
        if deployment := of_run.get("deployment"):
            return deployment["model_version"]
        champion = self.api.xcom(TRAIN, train_run, "choose")["champion"]
        if champion is None:
            raise RunFailed(f"No model is deployed: {of_run['decision']}. {self.api.run_link(TRAIN, train_run)}")
        return champion

    def predict(self, deployed: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """The deployed model's answer about one image of the lake, asked by HTTP, and the address it was asked at."""
        server, version = self.stack.urls["triton"], deployed["version"]
        folder = self.stack.layout.model_repository.parent / deployed["folder"]
        options = [f"--endpoint={server}", f"--name={MODEL}", f"--version={version}", f"--model={folder}"]
        answer = lake.run_program(self.stack, "tasks.tyre.predict", *options, f"--data={lake.URL}")
        return answer, f"{server}/v2/models/{MODEL}/versions/{version}/infer"

    def versions(self) -> list[DatasetVersion]:
        """All versions of the dataset, oldest first, read from ONTAP as the DAGs do."""
        from ontap_mlops.ontap.client import Client

        connection = environment.connections(self.stack.layout, self.stack.ports)["ontap_default"]
        with Client(
            host=connection["host"],
            port=connection["port"],
            username=connection["login"],
            password=connection["password"],
            verify=connection["extra"]["verify"],
        ) as client:
            return dataset_versions.list_versions(client, registry.dataset(DATASET))

    def links(self, train_run: str, of_run: dict[str, Any], deployed: dict[str, Any]) -> dict[str, str]:
        mlflow = self.stack.urls["mlflow"]
        links = {
            "airflow": self.stack.urls["airflow"],
            "airflow_run": self.api.run_link(TRAIN, train_run),
            "mlflow": mlflow,
            "mlflow_model": f"{mlflow}/#/models/{deployed['model']}/versions/{deployed['version']}",
        }
        path, query = f"{mlflow}/api/2.0/mlflow/runs/get", {"run_id": of_run["mlflow_run_id"]}
        answer = httpx.get(path, params=query, trust_env=False).raise_for_status().json()["run"]["info"]
        links["mlflow_run"] = f"{mlflow}/#/experiments/{answer['experiment_id']}/runs/{answer['run_id']}"
        return links


def time_travel(versions: list[DatasetVersion]) -> list[dict[str, Any]]:
    """Which version training takes as of the moment the last but one was made, and as of now: the product's answer."""
    times = [*(dataset_versions.when(version) for version in versions[-2:-1]), datetime.now(UTC)]
    current = [(at, dataset_versions.current_at(versions, at)) for at in times]
    return [
        {"as_of": at.isoformat(timespec="seconds"), "version": version.id, "files": version.files}
        for at, version in current
        if version is not None
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder that holds good/ and defective/")
    parser.add_argument("--full", action="store_true", help=f"{FULL_COUNT} sample photographs instead of {COUNT}")
    parser.add_argument("--local", help="folder of the services (default: .local)")
    options = parser.parse_args()
    return outcome(Demo(Stack(options.local), options.images and options.images.resolve(), options.full), summary.text)


if __name__ == "__main__":
    sys.exit(main())
