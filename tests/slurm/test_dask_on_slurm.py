"""A click-through model trained on a Dask cluster that is made for the run on a real Slurm, and gone after it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ontap_mlops.compute.kinds.dask import DaskPlace
from ontap_mlops.compute.kinds.local import LocalRunner
from ontap_mlops.compute.workload import State, Status, Workload
from tasks.ctr import generate, synthetic
from tests.slurm.conftest import Site, wait_until

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ("--engine=dask", "--day=day_0", "--trees=2", "--depth=4", "--test-rows=500")


@pytest.fixture(scope="module")
def clicks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clicks")
    world = synthetic.world(5, 0, generate.CLICK_RATE, generate.DRIFT)
    (folder / "day_0").write_bytes(synthetic.block(world, 0, 3000)[0])
    return folder


@pytest.fixture
def runner(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__WORKLOADS_DIR", str(tmp_path / "workloads"))

    def made(**cluster: object) -> LocalRunner:
        workers = {
            "kind": "slurm",
            "folder": str(site.shared),
            "slurm_conf": str(site.cluster.conf),
            "host": "127.0.0.1",
            "wait_s": 300,
            **cluster,
        }
        return DaskPlace(
            kind="dask", cluster=workers, workers=2, memory_gib=1.5, working_directory=str(ROOT), grace_s=20
        ).runner()

    return made


def ended(runner: LocalRunner, name: str) -> Status:
    def over() -> Status | None:
        status = runner.status(name)
        return None if status.state.active else status

    return wait_until(over, 600, f"the end of {name}")


def training(clicks: Path, output: Path, name: str, *flags: str) -> Workload:
    arguments = (f"--data={clicks}", f"--output={output}", *FLAGS, *flags)
    return Workload(name=name, program="tasks.ctr.train", arguments=arguments)


def nothing_is_left(site: Site) -> bool:
    return "ontap-mlops-dask" not in site.queue() and not [*site.shared.glob("dask-*"), *site.shared.glob(".dask*")]


def test_a_training_spreads_over_workers_that_are_jobs_and_end_with_it(
    site: Site, runner, clicks: Path, tmp_path: Path
):
    here = runner()
    here.submit(training(clicks, tmp_path / "out", "dask-run"))
    wait_until(lambda: site.queue().count("ontap-mlops-dask") == 2, 300, "two workers in the queue")
    status = ended(here, "dask-run")
    log = here.logs("dask-run")[0]
    assert status.state is State.SUCCEEDED, log
    assert re.search(r"Dask: 2 workers, 2 threads, 1\.5 GiB", log)
    assert (tmp_path / "out").is_dir() and here.result("dask-run")
    wait_until(lambda: nothing_is_left(site), 300, "an empty cluster")


def test_workers_of_a_cancelled_training_are_gone(site: Site, runner, clicks: Path, tmp_path: Path):
    here = runner()
    here.submit(training(clicks, tmp_path / "out", "dask-cancelled", "--trees=900", "--depth=10"))
    wait_until(lambda: "Dask: 2 workers" in here.logs("dask-cancelled")[0], 300, "two workers")
    here.cancel("dask-cancelled")
    assert here.status("dask-cancelled").state is State.CANCELLED
    wait_until(lambda: nothing_is_left(site), 300, "an empty cluster")


def test_what_slurm_refuses_is_one_sentence_and_no_retry(site: Site, runner, clicks: Path, tmp_path: Path):
    here = runner(account="nobody")
    here.submit(training(clicks, tmp_path / "out", "dask-refused"))
    status = ended(here, "dask-refused")
    assert (status.state, status.exit_code) == (State.FAILED, 2), here.logs("dask-refused")[0]
    assert "Slurm takes no Dask workers: " in status.message and "Invalid account" in status.message
    assert nothing_is_left(site)
