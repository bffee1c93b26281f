"""The hub's application as Airflow mounts it, with a person whose rights each test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ontap_mlops.records import DatasetVersion
from ontap_mlops.ui import access
from ontap_mlops.ui.app import create_app
from ontap_mlops.ui.facts import airflow, models, storage
from ontap_mlops.ui.facts.kept import Kept
from ontap_mlops.ui.facts.shapes import Cache, Experiment, Model, Run, Training
from ontap_mlops.ui.hub import Hub

FIRST = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


def dataset_version(number: int, dataset: str = "tyre_images", **facts: Any) -> DatasetVersion:
    at = FIRST + timedelta(days=number)
    id_ = f"v{at:%Y%m%dt%H%M%Sz}{number:08x}"
    return DatasetVersion(
        **{
            "dataset": dataset,
            "id": id_,
            "svm": "svm1",
            "volume": dataset,
            "volume_uuid": "u1",
            "snapshot": f"mlops_{id_}",
            "snapshot_uuid": f"s{number}",
            "created_at": at.isoformat(),
            "digest": f"sha256:{number:064x}",
            "files": 600 + 10 * number,
            "bytes": 9_000_000 + 1000 * number,
            "source": "s3://lake/tyre/",
            **facts,
        }
    )


def model(version: DatasetVersion, number: int = 1, state: str = "serving", name: str = "tyre") -> Model:
    return Model(
        model=name,
        version=number,
        state=state,  # type: ignore[arg-type]
        dataset=version.dataset,
        dataset_version=version.id,
        run_key=f"r20261110t063000z{number:08x}",
        created_at=FIRST,
        metrics={"accuracy": 0.97},
        parameters={"epochs": 3},
        mlflow_url="http://mlflow/#/models/tyre",
    )


def training(version: DatasetVersion, number: int = 1, dag_id: str = "tyre_quality") -> Training:
    return Training(
        run_key=f"r20261110t063000z{number:08x}",
        dag_id=dag_id,
        run_id="manual__1",
        dataset_version=version.id,
        state="finished",
        repeatable=True,
        mlflow_url="http://mlflow/#/runs/1",
    )


class Facts:
    """What the services tell; an exception in place of a value is what they raise. ``asked`` counts each question."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.versions: Any = {"tyre_images": [dataset_version(n) for n in range(3)]}
        self.volumes: Any = []
        self.caches: list[Cache] = []
        self.models: Any = []
        self.trainings: Any = []
        self.runs: list[Run] = []
        self.experiments: dict[str, tuple[Experiment, Training]] = {}
        self.events: dict[str, Any] = {}
        self.results: dict[str, Any] = {}
        self.dags: dict[str, bool] = dict.fromkeys(
            ("workspace", "cache_dataset", "restore_dataset", "replicate", "roll_back", "evict_caches", "reclaim_space")
            + ("ingest_tyre_images", "tyre_quality", "restore_experiment"),
            False,
        )
        self.consumers = ["tyre_quality"]
        self.asked: list[str] = []
        say = self._say
        monkeypatch.setattr(storage, "versions", say("versions", lambda entry: self.versions[entry.name]))
        monkeypatch.setattr(storage, "volumes", say("volumes", lambda conn_id, svm: self.volumes))
        monkeypatch.setattr(storage, "caches", say("caches", lambda site: self.caches))
        monkeypatch.setattr(models, "registered", say("models", lambda: self.models))
        monkeypatch.setattr(models, "trainings", say("trainings", lambda version: self.trainings))
        monkeypatch.setattr(airflow, "runs", say("runs", lambda: self.runs))
        monkeypatch.setattr(airflow, "newest_versions", say("events", lambda names: self.events))
        monkeypatch.setattr(airflow, "consumers", say("consumers", lambda name: self.consumers))
        monkeypatch.setattr(airflow, "dags", say("dags", lambda ids: {i: self.dags[i] for i in ids if i in self.dags}))
        told = say("results", lambda dag_id, tasks, runs=1: self.results.get(dag_id, []))
        monkeypatch.setattr(airflow, "last_results", told)
        monkeypatch.setattr(models, "experiment", say("experiment", lambda run_key: self.experiments.get(run_key)))

    def _say(self, what: str, told: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*given: Any) -> Any:
            self.asked.append(what)
            value = told(*given)
            if isinstance(value, Exception):
                raise value
            return value

        return ask


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> Facts:
    return Facts(monkeypatch)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return FIRST + timedelta(seconds=self.seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hub(facts: Facts, clock: Clock) -> Iterator[Hub]:
    hub = Hub(Kept(now=clock.now, clock=clock))
    yield hub
    hub.kept.close()


class Rights(SimpleNamespace):
    """An auth manager that says what the test wants."""

    assets = True
    read: Any = staticmethod(lambda dag_id: True)
    trigger: Any = staticmethod(lambda dag_id: True)

    def is_authorized_asset(self, *, method: str, user: Any, details: Any = None) -> bool:
        return self.assets

    def is_authorized_dag(self, *, method: str, user: Any, access_entity: Any = None, details: Any = None) -> bool:
        return self.read(details.id) if method == "GET" else self.trigger(details.id)


@pytest.fixture
def rights(monkeypatch: pytest.MonkeyPatch) -> Rights:
    rights = Rights()
    monkeypatch.setattr(access, "get_auth_manager", lambda: rights)
    return rights


@pytest.fixture
def stranger(hub: Hub) -> Iterator[TestClient]:
    with TestClient(mounted(create_app(hub))) as client:
        yield client


@pytest.fixture
def client(hub: Hub, rights: Rights) -> Iterator[TestClient]:
    app = create_app(hub)
    app.dependency_overrides[access.get_user] = lambda: SimpleNamespace(get_name=lambda: "ada")
    with TestClient(mounted(app)) as client:
        yield client


def mounted(app: FastAPI) -> FastAPI:
    """As Airflow does."""
    outer = FastAPI()
    outer.mount("/ontap", app)
    return outer


@pytest.fixture
def namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this machine has the SVM's namespace mounted."""
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__HUB_NAMESPACE_ROOTS", str(tmp_path))
    return tmp_path
