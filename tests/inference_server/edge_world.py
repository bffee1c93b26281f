"""A model at home and many edge sites elsewhere, on two emulators, and runs of model_rollout without a scheduler.

The registry is a real MLflow. The programs run in this process, on the folders that the emulators' clients see.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk.bases.operator import ExecutorSafeguard

from ontap_mlops import names, settings
from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.ontap import volumes
from ontap_mlops.operators import edge
from ontap_mlops.records import ModelVersion
from tasks.edge import arrive, inputs
from tasks.models import repository
from tasks.models.folders import digest_of, model_files
from tests.inference_server.edge_servers import EdgeServer
from tests.inference_server.models import write_onnx
from tests.inference_server.runs import DATA
from tests.ontap_mlops.conftest import GIB, MARK, SVM, Ontap

WAYS = ("flexcache", "snapmirror", "sync")
PROGRAMS: dict[str, Any] = {
    "tasks.edge.arrive": arrive,
    "tasks.edge.inputs": inputs,
    "tasks.models.repository": repository,
}
QUICK = {"poll_interval_s": 0.02, "deferrable": False}


class EdgeWorld:
    def __init__(
        self, here: Ontap, there: Ontap, folder: Path, patch: pytest.MonkeyPatch, count: int, ways: Sequence[str] = WAYS
    ) -> None:
        self.here, self.there, self.patch = here, there, patch
        self.model = f"tyre_{uuid.uuid4().hex[:8]}"
        self.volume = names.model_volume(self.model)
        self.client = here.client()
        self.registry = MlflowHook()
        volumes.ensure(
            self.client,
            svm=SVM,
            name=self.volume,
            size_bytes=GIB,
            comment=MARK,
            junction_path=f"/{self.volume}",
            unix_permissions="777",
        )
        self.sites = {f"edge_{n}": ways[n % len(ways)] for n in range(count)}
        self.servers = {site: EdgeServer(self.at(site) / edge.FOLDER) for site in self.sites}
        entries = {}
        for number, (site, way) in enumerate(self.sites.items()):
            patch.setenv(f"AIRFLOW_CONN_{site.upper()}", self.servers[site].connection)
            entries[site] = {"way": way, "ontap_conn_id": "ontap_remote", "svm": "svm2", "inference_conn_id": site}
            entries[site] |= {"size": "50MB", "group": "first" if number == 0 else "others"}
        (folder / "edge_sites.yaml").write_text(yaml.safe_dump({"edge_sites": entries}, sort_keys=False))
        patch.setenv(settings.variable("config_dir"), str(folder))
        self.runs, self.ready_s = 0, 0.2

    def at(self, site: str) -> Path:
        """The site's volume of the model, as its server sees it."""
        return self.there.emulator.namespace / names.edge_volume(self.model, site)

    def serving(self) -> dict[str, int | None]:
        return {site: server.version(self.model) for site, server in self.servers.items()}

    def states(self) -> dict[str, Any]:
        return edge.states(self.model, "mlflow_default").read()

    def publish(self, factor: float) -> ModelVersion:
        """Register a version whose files are on the model volume, and make it the champion."""
        run_key = names.run_key("tyre_quality", f"run{factor}", datetime.now(UTC))
        folder = self.here.emulator.namespace / self.volume / run_key
        write_onnx(folder / "model.onnx", factor)
        facts = {"volume": self.volume, "folder": run_key, "digest": digest_of(model_files(folder, "*"))}
        version = self.registry.register(
            ModelVersion(
                model=self.model,
                version=0,
                run_key=run_key,
                mlflow_run_id="0" * 32,
                dataset_version=DATA,
                svm=SVM,
                snapshot="s",
                snapshot_uuid="u",
                created_at=datetime.now(UTC).isoformat(),
                code_commit="abc",
                **facts,
            )
        )
        self.registry.set_champion(self.model, version.version)
        return version

    def roll_out(self, **params: Any) -> Play:
        self.runs += 1
        play = Play(self, params)
        play.run()
        return play

    def close(self) -> None:
        for server in self.servers.values():
            server.close()


class Play:
    """One run, task by task, by the rules that the DAG gives its tasks."""

    def __init__(self, world: EdgeWorld, params: dict[str, Any]) -> None:
        self.world = world
        self.params = {"what": edge.ROLL_OUT, "version": "", "groups": (), "share": 0.1, "failures": 0.0} | params
        self.results: dict[tuple[str, str], dict[int, Any]] = {}
        self.failures: dict[str, str] = {}
        self.at = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(hours=world.runs)

    def run(self) -> None:
        what = self.params["what"]
        asked = {"model": self.world.model, "version": self.params["version"], "what": what}
        if not self.step(edge.EdgeVersionOperator(task_id=edge.VERSION, **asked)):
            return
        self.program(edge.EdgePlaceOperator(task_id=edge.PLACE, what=what))
        judged = {key: self.params[key] for key in ("what", "groups", "share", "failures")}
        for number, group in enumerate([*edge.STAGES, None]):
            gate = f"{group}_sites" if group else "judge"
            if not self.step(edge.EdgeStageOperator(task_id=gate, stage=number, **judged)):
                self.put_back()
                return
            if group:
                self.group(group, self.result(gate))
        self.program(edge.EdgeActivateOperator(task_id="activate", what=what))
        self.group("settle", self.result("judge"), serve=False)

    @property
    def failed(self) -> str:
        """The sentence of the gate that failed."""
        return next((said for task, said in self.failures.items() if "." not in task), "")

    def put_back(self) -> None:
        if self.step(edge.EdgeChangedOperator(task_id="changed")):
            self.group("put_back", self.result("changed"), bring=False)

    def group(self, group: str, items: Sequence[Any], *, bring: bool = True, serve: bool = True) -> None:
        for index, item in enumerate(items):
            verify = edge.EdgeSiteVerifyOperator(task_id=f"{group}.verify", site=item)
            steps: list[Any] = [verify]
            if bring:
                steps.insert(0, edge.EdgeSiteBringOperator(task_id=f"{group}.bring", site=item, **QUICK))
            if serve:
                told = {"verified": verify.task_id, "ready_s": self.world.ready_s}
                steps.append(edge.EdgeSiteServeOperator(task_id=f"{group}.serve", site=item, **told))
            for operator in steps:
                done = self.program(operator, index) if operator is verify else self.step(operator, index)
                if not done:
                    break

    def step(self, operator: Any, index: int = -1) -> bool:
        ExecutorSafeguard.tracker.set(operator)
        return self.kept(operator.task_id, index, lambda: operator.execute(self.context(operator, index)))

    def program(self, operator: Any, index: int = -1) -> bool:
        """What a place would run, in this process, with the folders for the volumes."""
        context = self.context(operator, index)

        def work() -> Any:
            program = operator.kind_program(context)
            if program is None:
                return {}
            arguments = [each.format(**self.folders(program.mounts)) for each in program.arguments]
            self.world.patch.setattr(sys, "argv", ["program", *arguments])
            return operator.finish(context, PROGRAMS[program.program].main())

        if hasattr(operator, "telling_why"):
            return self.kept(operator.task_id, index, lambda: operator.telling_why(context, work))
        return self.kept(operator.task_id, index, work)

    def folders(self, mounts: Any) -> dict[str, Path]:
        roots = {"svm2": self.world.there.emulator.namespace}
        return {
            key: roots.get(mount.get("svm"), self.world.here.emulator.namespace) / mount["junction_path"].strip("/")
            for key, mount in mounts.items()
        }

    def kept(self, task_id: str, index: int, work: Any) -> bool:
        try:
            self.results.setdefault((task_id, "return_value"), {})[index] = work()
        except Exception as error:
            self.failures[task_id if index < 0 else f"{task_id}.{index}"] = str(error)
            return False
        return True

    def result(self, task_id: str) -> Any:
        return self.results[task_id, "return_value"][-1]

    def context(self, operator: Any, index: int) -> Any:
        def pull(task_ids: str, key: str = "return_value", map_indexes: int | None = None) -> Any:
            found = self.results.get((task_ids, key), {})
            if map_indexes is not None:
                return found.get(map_indexes)
            return found.get(-1) if -1 in found else [found[each] for each in sorted(found)]

        def push(key: str, value: Any) -> None:
            self.results.setdefault((operator.task_id, key), {})[index] = value

        ti = SimpleNamespace(
            task_id=operator.task_id, map_index=index, xcom_pull=pull, xcom_push=push, max_tries=1, stats_tags={}
        )
        run = SimpleNamespace(dag_id="model_rollout", run_id=f"manual__{self.world.runs}", run_after=self.at)
        return {"ti": ti, "dag_run": run, "params": self.params, "task_state_store": None}
