"""One real Slurm for all of these tests, started by the first that asks; skipped, with the reason, where none can run.

``ONTAP_MLOPS_TEST_SLURM=FOLDER:PORT`` names one that `scripts/equipment/slurm_cluster.py up` has left running.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ontap_mlops.compute.kinds.slurm import SlurmPlace, SlurmRunner
from ontap_mlops.compute.workload import Status, Workload
from ontap_mlops.slurm.errors import Unreachable, complaint
from scripts.equipment import slurm_cluster
from scripts.equipment.slurm_cluster import Cluster, free_ports

HERE = Path(__file__).parent
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = slurm_cluster.unavailable()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slurm)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(900))  # beside other tests a cluster of one machine is slow
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@dataclass
class Site:
    """A cluster, the folder that its nodes share with us, and what was asked of it."""

    cluster: Cluster
    shared: Path
    names: list[str] = field(default_factory=list)

    def place(self, **values: Any) -> SlurmPlace:
        return SlurmPlace(
            **{
                "kind": "slurm",
                "folder": str(self.shared),
                "slurm_conf": str(self.cluster.conf),
                "python": sys.executable,
                "working_directory": str(HERE / "programs"),
                "shards_per_gpu": self.cluster.shards,
                "grace_s": 5,
                **values,
            }
        )

    def runner(self, **values: Any) -> SlurmRunner:
        return self.place(**values).runner()

    def workload(self, *does: str, **values: Any) -> Workload:
        name = f"job-{next(_numbers)}"
        self.names.append(name)
        return Workload(**{"name": name, "program": "slurm_program", "arguments": does, **values})

    def try_to(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Where it does not matter whether it was so already."""
        return subprocess.run(command, env=self.cluster.environment, capture_output=True, text=True, timeout=300)

    def say(self, *command: str) -> str:
        """What it prints; a busy daemon is asked again."""

        def answer() -> subprocess.CompletedProcess[str] | None:
            done = self.try_to(*command)
            busy = done.returncode and isinstance(complaint("", done.stderr, ""), Unreachable)
            return None if busy else done

        done = wait_until(answer, what=f"an answer to {command}")
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def queue(self) -> list[str]:
        """Names of the jobs that wait or run."""
        return self.say("squeue", "--noheader", "--format=%j").split()

    def number(self, name: str) -> str:
        return (self.shared / name / "job").read_text().strip()


def wait_until(condition: Callable[[], Any], seconds: float = 300, what: str = "it") -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} was not so within {seconds:g} s"
        time.sleep(0.2)
    return found


def ended(runner: SlurmRunner, name: str, seconds: float = 300) -> Status:
    def over() -> Status | None:
        status = runner.status(name)
        return None if status.state.active else status

    return wait_until(over, seconds, f"the end of {name}")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    given = os.environ.get("ONTAP_MLOPS_TEST_SLURM")
    if given:
        folder, _, port = given.rpartition(":")
        running = Cluster(Path(folder), int(port))
        running.up()
        yield running
        return
    # Sockets lie in it, so its path must be short.
    started = Cluster(Path(tempfile.mkdtemp(prefix="mlops-slurm-")), free_ports(5))
    started.up()
    yield started
    started.down()


@pytest.fixture(scope="session")
def shared() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mlops-slurm-jobs-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def site(cluster: Cluster, shared: Path) -> Iterator[Site]:
    made = Site(cluster, shared)
    yield made
    runner = made.runner(grace_s=0)
    for name in made.names:
        runner.cancel(name)
        runner.remove(name)
    assert set(made.queue()) & set(made.names) == set(), "nothing is left on the cluster"
