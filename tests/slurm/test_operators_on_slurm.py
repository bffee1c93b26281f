"""What a task leaves on a real Slurm when its program succeeds, fails, is cleared, killed or finds no room: nothing."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.compute import places
from ontap_mlops.compute.workload import State
from ontap_mlops.operators.context import run_key
from ontap_mlops.operators.ending import WORKLOAD, end_programs
from ontap_mlops.operators.running import PLACEMENT
from ontap_mlops.operators.workload import WorkloadFailed
from tests.ontap_mlops.operators.conftest import PROGRAM, Store
from tests.ontap_mlops.operators.workloads import deferred, operator, resumed
from tests.slurm.conftest import Site, wait_until


@dataclass
class Run:
    """A DAG run with one task, as its tries see it; its jobs are those whose names begin with its key."""

    site: Site
    context: Any

    @property
    def key(self) -> str:
        return run_key(self.context).replace("_", "-")

    @property
    def name(self) -> str:
        return self.context["ti"].pushed[WORKLOAD]["workload"]

    def clear(self) -> None:
        """As a user does: the task gets as many tries more."""
        self.context["ti"].max_tries += 4

    def left(self) -> list[str]:
        """Jobs that wait or run, and folders of jobs."""
        found = [*self.site.queue(), *(path.name for path in self.site.shared.iterdir())]
        return [name for name in found if name.startswith(self.key)]

    def ended(self, count: int) -> dict[str, str]:
        """The states of so many jobs, once the accounting has heard of their ends, by the end of their names."""

        def told() -> dict[str, str]:
            asked = ("sacct", "-X", "-n", "-P", "--starttime=2000-01-01", "--format=JobName,State,End")
            lines = [line.split("|") for line in self.site.say(*asked).splitlines() if line.startswith(self.key)]
            over = {name.removeprefix(f"{self.key}-"): state for name, state, end in lines if end != "Unknown"}
            return over if len(lines) == len(over) == count else {}

        return wait_until(told, what=f"the end of {count} jobs in the accounting")

    def marked_as_failed(self) -> None:
        """What the teardown of its workspace does when a user has marked it so while the task waited for its retry."""
        ti = SimpleNamespace(xcom_pull=lambda **_: [self.context["ti"].pushed[WORKLOAD]])
        end_programs({"ti": ti, "dag": SimpleNamespace(task_ids=["train.fit"])}, {"train.fit": "skipped"})  # type: ignore[typeddict-item]


@pytest.fixture
def run(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    (tmp_path / "program.py").write_text(PROGRAM)
    here = {"working_directory": str(tmp_path), "grace_s": 5}
    shared = {"kind": "slurm", "folder": str(site.shared), "slurm_conf": str(site.cluster.conf), **here}
    full = {**shared, "options": ["--nodelist=node2"], "pending_limit_s": 1}
    known = {
        "slurm": {**shared, "options": ["--nodelist=node1"]},
        "slurm-full": full,
        "local": {"kind": "local", **here},
    }
    (tmp_path / "compute.yaml").write_text(yaml.safe_dump({"places": known}))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__WORKLOADS_DIR", str(tmp_path / "workloads"))
    pushed: dict[str, Any] = {}
    made = Run(
        site,
        {
            "ti": SimpleNamespace(
                max_tries=3,
                map_index=-1,
                stats_tags={},
                xcom_push=lambda key, value: pushed.update({key: value}),
                pushed=pushed,
            ),
            "dag_run": SimpleNamespace(dag_id="d", run_id=uuid.uuid4().hex, run_after=datetime(2026, 7, 1, tzinfo=UTC)),
            "task_state_store": Store(),
        },
    )
    yield made
    assert made.left() == [], "nothing is left on the cluster"


@pytest.fixture
def full(site: Site) -> Iterator[None]:
    """Nothing starts on the second node."""
    site.say("scontrol", "update", "NodeName=node2", "State=DRAIN", "Reason=full")
    yield
    site.say("scontrol", "update", "NodeName=node2", "State=RESUME")


def test_what_has_failed_leaves_nothing_and_cleared_it_runs_anew(run: Run) -> None:
    with pytest.raises(AirflowFailException, match=r"cannot work with its input: No images today\."):
        operator("2", "0", "No images today.", compute="slurm").execute(run.context)
    assert run.left() == []

    run.clear()
    made = operator("0", "0", "trained", compute="slurm", deferrable=True)
    assert resumed(made, run.context, deferred(made, run.context))["said"] == "trained"
    assert run.ended(2) == {"train-fit": "FAILED", "train-fit-c2": "COMPLETED"}


def test_what_finds_no_room_is_withdrawn_and_goes_on_at_the_next_place(run: Run, full: None) -> None:
    made = operator("0", "0", "here", compute=["slurm-full", "local"])
    assert made.execute(run.context)["said"] == "here"
    placement = run.context["ti"].pushed[PLACEMENT]
    assert placement["place"] == "local" and placement["tried"][0]["place"] == "slurm-full"
    assert placement["tried"][0]["why"].startswith("no room within 1 s (job ")
    assert run.left() == [] and run.ended(1) == {"train-fit": "CANCELLED by 0"}


def test_a_task_that_is_killed_ends_its_job(run: Run) -> None:
    made = operator("0", "600", "never", compute="slurm")
    ends: list[Exception] = []

    def work() -> None:
        try:
            made.execute(run.context)
        except WorkloadFailed as error:
            ends.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    wait_until(lambda: "begun" in _said(run), what="the program's first words")
    made.on_kill()
    worker.join(300)
    assert not worker.is_alive() and len(ends) == 1
    wait_until(lambda: run.left() == [], what="that nothing is left")


@pytest.mark.parametrize("stopped", [False, True], ids=["it runs on", "its worker stopped it and was killed"])
def test_a_run_that_is_marked_as_failed_leaves_no_job_of_a_dead_worker(run: Run, stopped: bool) -> None:
    deferred(operator("0", "600", "never", compute="slurm", deferrable=True), run.context)
    wait_until(lambda: "begun" in _said(run), what="the program's first words")
    if stopped:
        places.runner("slurm").cancel(run.name)
        assert places.runner("slurm").status(run.name).state is State.CANCELLED and run.left() == [run.name]
    run.marked_as_failed()
    assert run.left() == [] and "COMPLETED" not in run.ended(1).values()


def _said(run: Run) -> str:
    known = WORKLOAD in run.context["ti"].pushed
    return places.runner("slurm").logs(run.name)[0] if known else ""
