"""The detector as a workload of the edge matrix: measured by LoadGen's accuracy mode, FP32 and INT8."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tasks.common import program
from tasks.common.data import open_source
from tasks.edge import gate, prepare, quantise
from tasks.edge.loadgen import Server
from tasks.edge.work import Work
from tasks.edge.workloads import faces as workload
from tasks.faces import dataset, judging
from tasks.faces.anchors import targets
from tasks.faces.configs import configuration
from tasks.faces.export import read_network
from tests.tasks.faces.conftest import call


def test_accuracy_of_a_detector_is_its_average_precision_on_held_out_folds(
    run_folder: Path, faces: Path, tmp_path: Path
):
    network = run_folder / "network"
    wanted = [f"--data={faces}", f"--model={network}", f"--work={tmp_path}", "--samples=1000", "--calibration=8"]
    call(prepare.main, "--workload=faces", *wanted)
    call(quantise.main, f"--work={tmp_path}")
    whole, chosen, told = read_network(network)
    held_out = dataset.load(open_source(str(faces)), chosen).of(told["data"]["held_out"])
    work = Work.open(tmp_path)
    outputs = Server(work, "fp32").accuracy(tmp_path / "logs")
    expected = judging.clear(whole, chosen, held_out, "cpu")[judging.AP]
    assert workload.quality(outputs, work.truth, work.facts["facts"]) == pytest.approx(expected, abs=1e-4)
    judged = gate.judge(work, scenarios=["single_stream"])
    assert judged["metric"] == "ap" and set(judged["quality"]) == {"fp32", "int8"} and "fp32" in judged["passed"]


def test_a_detector_that_is_right_has_all_of_the_metric_and_one_that_is_half_right_half(faces: Path):
    chosen = configuration("small")
    examples = dataset.load(open_source(str(faces)), chosen).of([1, 2])
    rows = [targets(chosen, boxes) for boxes in dataset.truth(examples)]
    answers = np.stack([np.hstack([boxes, np.where(there, 9, -9)[:, None]]) for boxes, there in rows])
    outputs = answers.reshape(len(answers), -1).astype(np.float32)
    facts = {"configuration": dataclasses.asdict(chosen)}
    truth = workload.truth(examples)
    assert workload.quality(outputs, truth, facts) > 0.95
    assert 0.2 < workload.quality(np.where(np.arange(len(outputs))[:, None] % 2, outputs, -9), truth, facts) < 0.8


def test_a_model_with_its_noise_lends_the_network_as_it_was_trained(model: Path, faces: Path, tmp_path: Path):
    wanted = [f"--data={faces}", f"--work={tmp_path}", "--samples=4", "--calibration=2"]
    call(prepare.main, "--workload=faces", f"--model={model}", *wanted)
    assert Work.open(tmp_path).facts["samples"] == 4


def test_without_a_network_it_says_so(faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr("sys.argv", ["prepare", "--workload=faces", f"--data={faces}", f"--work={tmp_path}"])
    assert program.exit_code(prepare.main) == program.BAD_INPUT
    assert "faces needs --model: the folder of a network" in capsys.readouterr().err
