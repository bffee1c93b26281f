"""The tyre training as a job, on a volume that the nodes mount: the program is the one that runs everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ontap_mlops.compute.workload import Mount, Resources, State
from tasks.common.data import open_target
from tasks.tyre import samples
from tests.slurm.conftest import Site, ended

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(400)
def test_a_training_writes_its_model_into_the_volume_and_nothing_stays_in_the_shared_folder(site: Site, tmp_path: Path):
    volume = tmp_path / "svm1" / "mlops_ws_r1"
    samples.bring(open_target(str(volume / "data")), list(samples.plan(60, seed=1, revision=1)), processes=1)
    runner = site.runner(namespace_roots={"default": str(tmp_path / "svm1")}, working_directory=str(ROOT))
    workload = site.workload(
        *("--data", "{workspace}/data", "--output", "{workspace}/.mlops/run", "--epochs", "1"),
        program="tasks.tyre.train",
        mounts={"workspace": Mount(svm="svm1", junction_path="/mlops_ws_r1")},
        resources=Resources(cpus=1, memory_gib=4, gpus=1),
    )
    runner.submit(workload)
    status = ended(runner, workload.name, 600)
    text = runner.logs(workload.name)[0]
    assert status.state is State.SUCCEEDED, (status, text)
    assert "Reading images: done, 60 images" in text
    assert "model.onnx" in json.loads((volume / ".mlops" / "run" / "model.json").read_text())["files"]
    assert runner.result(workload.name)
    runner.remove(workload.name)
    assert not (site.shared / workload.name).exists() and workload.name not in site.queue()
