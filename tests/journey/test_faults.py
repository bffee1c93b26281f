"""What goes wrong around a run: a service that is away, a person's hand, a refusal of ONTAP's at the run's edges."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from scripts.follow import RunFailed, follow
from scripts.systems.tyre import SYSTEM
from tests.journey.world import INGEST, QUICK, TRAIN, World, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]

ALONE = {"promote": "never", **QUICK}
LONG = {"promote": "never", "epochs": 200, "limit": 100}


@contextlib.contextmanager
def away(world: World, program: str) -> Iterator[None]:
    """The service is stopped meanwhile, and answers again at the end."""
    world.stack.supervisor.rpc.stopProcess(program)
    try:
        yield
    finally:
        world.stack.supervisor.rpc.startProcess(program)
        world.stack.wait_ready([program])


@contextlib.contextmanager
def refused(world: World, *methods: str, path: str) -> Iterator[None]:
    """ONTAP refuses these requests meanwhile, as it does when an account lacks a right."""
    told = {"kind": "error", "status": 403, "code": "6", "message": "not authorized for that command", "times": 99}
    for method in methods:
        world.ontap.post("/emulator/faults", json={"method": method, "path": path, **told}).raise_for_status()
    try:
        yield
    finally:
        world.ontap.delete("/emulator/faults").raise_for_status()


def fails(world: World, dag_id: str, conf: dict[str, Any] | None = None, *, at: str) -> tuple[str, str]:
    """Start a run that fails in this task; return its id and the end of the task's log."""
    run_id = world.start(dag_id, conf)
    with pytest.raises(RunFailed) as failed:
        follow(world.api, dag_id, run_id)
    assert f"Task {at} of {dag_id} failed" in str(failed.value)
    return run_id, str(failed.value)


def tries_again(world: World, dag_id: str, conf: dict[str, Any] | None = None, *, at: str) -> tuple[str, str]:
    """Start a run and wait until this task has failed once; return the run's id and the log of that try."""
    run_id = world.start(dag_id, conf)
    wait_for(
        lambda: world.states(dag_id, run_id).get(at) == "up_for_retry",
        lambda: f"{at} is not tried again: {world.states(dag_id, run_id)}",
    )
    (task,) = [task for task in world.api.tasks(dag_id, run_id) if task["task_id"] == at]
    return run_id, "\n".join(world.api.log(task, 1))


def clear_failed(world: World, dag_id: str, run_id: str) -> None:
    """Clear what failed with all that comes after it, as the button of the UI does."""
    failed = [task for task, state in world.states(dag_id, run_id).items() if state == "failed"]
    asked = {"dag_run_id": run_id, "task_ids": failed, "include_downstream": True, "only_failed": False}
    world.api.call(
        "POST", f"dags/{dag_id}/clearTaskInstances", json={**asked, "dry_run": False, "reset_dag_runs": True}
    )
    follow(world.api, dag_id, run_id)


def under_way(world: World, conf: dict[str, Any]) -> str:
    """A run whose program is training; returns its id."""
    run_id = world.start(TRAIN, conf)
    wait_for(lambda: programs(world), lambda: f"no program runs: {world.states(TRAIN, run_id)}")
    return run_id


def programs(world: World) -> list[int]:
    """The processes of programs that this set of services has started."""
    home = str(world.stack.layout.workloads).encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"tasks.tyre.train" in (process / "cmdline").read_bytes() and home in (process / "environ").read_bytes():
                found.append(int(process.name))
    return found


def test_a_service_that_is_away_is_named_and_waited_for(world: World):
    world.ready(SYSTEM)
    world.with_a_version()

    world.step("The lake is away while a version shall be made")
    before = world.snapshots("tyre_images")
    world.fill_lake(revision=21)
    with away(world, "lake"):
        run_id, told = tries_again(world, INGEST, at="sync")
    assert world.stack.urls["lake"] in told
    follow(world.api, INGEST, run_id)
    assert len(world.snapshots("tyre_images")) == len(before) + 1

    world.step("MLflow is away while a model is trained")
    with away(world, "mlflow"):
        run_id, told = tries_again(world, TRAIN, ALONE, at="train")
    assert world.stack.urls["mlflow"] in told
    follow(world.api, TRAIN, run_id)
    assert world.workspaces() == set()


def test_what_a_person_does_to_a_run_that_trains(world: World):
    world.ready(SYSTEM)
    world.with_a_version()
    deployed = world.model_versions()

    world.step("A run that goes on cannot be deleted; when it is marked as failed, its program stops")
    run_id = under_way(world, LONG)
    with pytest.raises(RuntimeError, match="cannot be deleted in running state"):
        world.api.call("DELETE", f"dags/{TRAIN}/dagRuns/{run_id}")
    world.api.call("PATCH", f"dags/{TRAIN}/dagRuns/{run_id}", json={"state": "failed"})
    wait_for(lambda: not programs(world), lambda: "the program still runs")
    wait_for(lambda: kept(world), lambda: f"its workspace is not kept: {world.workspaces()}")

    world.step("Deleted then, it leaves a workspace that is kept, or named as one whose run nobody knows")
    wait_for(
        lambda: world.api.run(TRAIN, run_id)["state"] not in ("queued", "running"),
        lambda: f"its teardown is still at work: {world.states(TRAIN, run_id)}",
    )
    world.api.call("DELETE", f"dags/{TRAIN}/dagRuns/{run_id}")
    left = {name for name in world.workspaces() if name.startswith("mlops_ws")}
    ingest = world.run(INGEST)
    collected = world.api.xcom(INGEST, ingest, "collect_workspaces")
    assert left == {f"mlops_ws_{key}" for key in collected["kept"]} | set(collected["unknown"])
    assert world.model_versions() == deployed
    world.remove_workspaces()


def kept(world: World) -> list[str]:
    """The workspaces that are marked as kept."""
    return [v["name"] for v in world.records("/storage/volumes") if " kept " in v.get("comment", "")]


def test_ontap_refuses_at_the_beginning_and_at_the_end(world: World):
    world.ready(SYSTEM)
    world.with_a_version()

    world.step("The clone is made and cannot be mounted")
    with refused(world, "PATCH", path="/api/storage/volumes/"):
        run_id, told = fails(world, TRAIN, ALONE, at="create_workspace")
    assert "not authorized" in told
    left = world.workspaces()
    assert left, "what the failed setup has made"
    world.run(INGEST)
    assert left & set(kept(world)), "it is collected like that of any failed run"
    clear_failed(world, TRAIN, run_id)
    assert world.workspaces() == set()

    world.step("The workspace cannot be removed")
    with refused(world, "DELETE", path="/api/storage/volumes/"):
        run_id, told = fails(world, TRAIN, ALONE, at="delete_workspace")
    assert world.workspaces() != set()
    clear_failed(world, TRAIN, run_id)
    assert world.workspaces() == set()


def test_a_typo_while_a_run_goes_on_is_mended_and_the_run_ends_well(world: World):
    world.ready(SYSTEM)
    world.with_a_version()
    file = world.house / "config" / "datasets.yaml"
    right = file.read_text()

    world.step("The entry of the dataset that a run trains on is broken, and mended after a while")
    run_id = under_way(world, ALONE)
    try:
        rewrite(world, file, right.replace("  tyre_images:", "  tyre_images:\n    sizee: 1GB"))
        wait_for(world.api.import_errors, lambda: "the mistake is not among the import errors")
        assert any("tyre_images" in sentence for sentence in world.api.import_errors().values())
    finally:
        rewrite(world, file, right)
    wait_for(lambda: parsed_since(world, file.stat().st_mtime), lambda: "the DAGs are not read again")
    follow(world.api, TRAIN, run_id)


def rewrite(world: World, file: Path, text: str) -> None:
    """Write a file of the configuration; DAG files that are as new as it are read at once, not within minutes."""
    file.write_text(text)
    for page in (world.house / "dags").glob("*.py"):
        page.touch()


def parsed_since(world: World, moment: float) -> bool:
    """Whether Airflow has read the dataset's DAGs after this time (seconds since 1970), and knows of no mistake."""
    dags = [world.api.dag(dag_id) for dag_id in (INGEST, TRAIN)]
    read = [datetime.fromisoformat(dag["last_parsed_time"]).timestamp() for dag in dags if dag and not dag["is_stale"]]
    return len(read) == 2 and min(read) > moment and not world.api.import_errors()
