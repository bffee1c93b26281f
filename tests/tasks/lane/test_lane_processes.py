"""Two processes train as one would with batches twice as large, also when one is lost; and a stop loses nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ontap_mlops.compute.kinds import _local_processes
from tasks.common.program import Stopped
from tasks.lane import train, training

ROOT = Path(__file__).resolve().parents[3]
# Seventeen pictures to train on: the last batch has one, which leaves the second process without any.
SETTINGS = ["--epochs=2", "--limit=19", "--seed=3"]


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "RUN_FILE"):
        monkeypatch.delenv(name, raising=False)


def alone(monkeypatch: pytest.MonkeyPatch, lanes: Path, output: Path) -> dict:
    """Train in this process."""
    flags = [f"--data={lanes}", f"--output={output}", *SETTINGS, "--batch-size=8"]
    monkeypatch.setattr(sys, "argv", ["train", *flags])
    return train.main()


def weights(output: Path) -> dict[str, torch.Tensor]:
    return torch.load(output / "weights.pt", weights_only=True)


def log(output: Path) -> list[dict]:
    return [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]


@pytest.fixture
def one(lanes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What one process trains without a stop."""
    assert alone(monkeypatch, lanes, tmp_path / "one")["processes"] == 1
    return tmp_path / "one"


def test_two_processes_one_of_which_is_lost_once_train_what_one_does(lanes: Path, one: Path, tmp_path: Path):
    output = tmp_path / "two"
    command = [sys.executable, _local_processes.__file__, "--nproc-per-node=2", "tests.tasks.lane.losing"]
    flags = [f"--data={lanes}", f"--output={output}", *SETTINGS, "--batch-size=4"]
    own = {"RESULT_FILE": f"{output}.json", "LANE_TEST_LOST": f"{output}.lost", "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **own}
    done = subprocess.run([*command, *flags], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lost = "Process 1 of 2 was killed by SIGKILL (often for want of memory). All begin again (1 of 2 times)."
    assert lost in done.stderr
    assert "Going on after epoch 1, from the checkpoint of an earlier try" in done.stderr

    together = json.loads(Path(f"{output}.json").read_text())
    assert together["processes"] == 2
    assert together["seconds"]["communication_s"] > 0, "loader, step and communication are told apart"
    for told, same in zip(log(one), log(output), strict=True):
        assert same["train_loss"] == pytest.approx(told["train_loss"], rel=1e-5)
    shared = weights(output)
    for name, tensor in weights(one).items():
        assert torch.allclose(tensor, shared[name], rtol=1e-3, atol=1e-3), name


def test_a_training_stopped_within_an_epoch_goes_on_to_the_same_weights(
    lanes: Path, one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked = iter([False] * 4 + [True])  # before the second step of the second epoch
    with monkeypatch.context() as patch:
        patch.setattr(training, "stop_requested", lambda: next(asked))
        with pytest.raises(Stopped):
            alone(monkeypatch, lanes, tmp_path / "stopped")
    kept = torch.load(tmp_path / "stopped" / "checkpoint.pt", weights_only=True)
    assert (kept["epoch"], kept["step"]) == (1, 1)
    alone(monkeypatch, lanes, tmp_path / "stopped")
    before = weights(one)
    assert all(torch.equal(before[name], tensor) for name, tensor in weights(tmp_path / "stopped").items())


class Failure:
    """As torchrun tells of a process that has ended badly."""

    def __init__(self, rank: int, code: int, message: str = "", timestamp: int = 0) -> None:
        self.local_rank, self.exitcode, self.message, self.timestamp = rank, code, message, timestamp
        self.error_file_data = {"message": message}


def ended(*failures: Failure):
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    error = ChildFailedError.__new__(ChildFailedError)
    error.failures = {each.local_rank: each for each in failures}
    return error


def launched(monkeypatch: pytest.MonkeyPatch, *ends) -> int:
    """Run the launcher with a torchrun that ends like this, one time after another."""
    from torch.distributed import run

    left = list(ends)

    def end(asked) -> None:
        assert (asked.nproc_per_node, asked.training_script) == ("2", "tasks.lane.train")
        if (error := left.pop(0)) is not None:
            raise error

    monkeypatch.setattr(run, "run", end)
    code = _local_processes.main(["--nproc-per-node=2", "tasks.lane.train", "--data=x"])
    assert not left
    return code


def test_bad_input_is_said_as_the_last_line_and_not_tried_again(monkeypatch, capsys):
    said = Failure(1, 2, "There is no label file.", timestamp=8)
    assert launched(monkeypatch, ended(Failure(0, 1, timestamp=7), said)) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "There is no label file."


def test_a_process_that_is_lost_again_and_again_ends_in_one_sentence(monkeypatch, capsys):
    lost = ended(Failure(0, -15), Failure(1, -9))
    assert launched(monkeypatch, lost, lost, lost) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "Process 1 of 2 was killed by SIGKILL (often for want of memory). It is given up after 2 new beginnings; "
        "run it again to go on from its last checkpoint."
    )


def test_what_was_lost_once_may_end_well_and_a_stop_is_a_stop(monkeypatch, capsys):
    assert launched(monkeypatch, ended(Failure(1, 1, "No connection.")), None) == 0
    assert "Process 1 of 2 failed with exit code 1: No connection. All begin again (1 of 2" in capsys.readouterr().err
    assert launched(monkeypatch, ended(Failure(0, 143), Failure(1, 143))) == 143
