from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.common import program
from tasks.tyre import train
from tasks.tyre.configs import CONFIGURATIONS, configuration
from tasks.tyre.model import build
from tasks.tyre.training import State, Training

QUICK = ("--limit=50", "--epochs=2", "--batch-size=8", "--threads=1")


def train_program(monkeypatch: pytest.MonkeyPatch, data: Path, output: Path, *flags: str) -> tuple[int, dict[str, Any]]:
    """Exit code and result of the program, run in this process."""
    result = output.parent / "result.json"
    monkeypatch.setenv("RESULT_FILE", str(result))
    monkeypatch.setattr(sys, "argv", ["train", f"--data={data}", f"--output={output}", *QUICK, *flags])
    code = program.exit_code(train.main)
    return code, json.loads(result.read_text()) if code == 0 else {}


def weights(output: Path) -> dict[str, torch.Tensor]:
    return torch.load(output / "weights.pt", weights_only=True)


def assert_equal_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def undisturbed(tyres: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    output = tmp_path_factory.mktemp("undisturbed") / "run"
    with pytest.MonkeyPatch.context() as monkeypatch:
        code, result = train_program(monkeypatch, tyres, output)
    assert code == 0
    return output, result


def stop_at_step(monkeypatch: pytest.MonkeyPatch, wanted: int) -> None:
    """SIGTERM reaches this process while it is in the middle of the ``wanted``-th step."""
    done = 0
    original = Training._step

    def step(self: Training, state: State, pixels: torch.Tensor, labels: torch.Tensor) -> None:
        nonlocal done
        done += 1
        if done == wanted:
            os.kill(os.getpid(), signal.SIGTERM)
        original(self, state, pixels, labels)

    monkeypatch.setattr(Training, "_step", step)


def test_training_again_gives_equal_weights_and_metrics(tyres, undisturbed, tmp_path, monkeypatch):
    output, result = undisturbed
    code, again = train_program(monkeypatch, tyres, tmp_path / "run")
    assert code == 0
    assert again["metrics"] == result["metrics"]
    assert_equal_weights(tmp_path / "run", output)


def test_another_seed_gives_other_weights(tyres, undisturbed, tmp_path, monkeypatch):
    train_program(monkeypatch, tyres, tmp_path / "run", "--seed=2")
    assert not torch.equal(*(weights(o)["classify.weight"] for o in (tmp_path / "run", undisturbed[0])))


@pytest.mark.parametrize("step", [2, 4, 7])
def test_stopped_anywhere_and_run_again_it_ends_with_the_same_weights(tyres, undisturbed, tmp_path, monkeypatch, step):
    with monkeypatch.context() as stopping:
        stop_at_step(stopping, step)
        code, _ = train_program(stopping, tyres, tmp_path / "run")
    assert code == 143
    assert not (tmp_path / "run" / "model.json").exists()
    code, result = train_program(monkeypatch, tyres, tmp_path / "run")
    assert code == 0
    assert result["metrics"] == undisturbed[1]["metrics"]
    assert_equal_weights(tmp_path / "run", undisturbed[0])


def test_killed_between_epochs_it_goes_on_from_the_last_one(tyres, undisturbed, tmp_path, monkeypatch, capsys):
    finish_epoch, epochs = Training._epoch, []

    def die_in_second(self: Training, state: State) -> None:
        epochs.append(state.epoch)
        if len(epochs) == 2:
            raise RuntimeError("as if killed: nothing is saved")
        finish_epoch(self, state)

    with monkeypatch.context() as dying:
        dying.setattr(Training, "_epoch", die_in_second)
        with pytest.raises(RuntimeError):
            train_program(dying, tyres, tmp_path / "run")
    assert "Going on after" not in capsys.readouterr().err
    monkeypatch.setattr(Training, "_epoch", lambda self, state: (epochs.append(state.epoch), finish_epoch(self, state)))
    train_program(monkeypatch, tyres, tmp_path / "run")
    assert epochs == [0, 1, 1]
    assert "Going on after epoch 1, from the checkpoint of an earlier try" in capsys.readouterr().err
    assert_equal_weights(tmp_path / "run", undisturbed[0])


def test_a_finished_training_run_again_leaves_the_same_model(tyres, undisturbed, tmp_path, monkeypatch):
    shutil.copytree(undisturbed[0], tmp_path / "run")
    before = json.loads((tmp_path / "run" / "model.json").read_text())["files"]
    code, result = train_program(monkeypatch, tyres, tmp_path / "run")
    assert code == 0
    assert {name: result["files"][name] for name in ("weights.pt", "model.onnx")} == {
        name: before[name] for name in ("weights.pt", "model.onnx")
    }


def test_a_checkpoint_of_other_settings_is_refused(tyres, undisturbed, tmp_path, monkeypatch, capsys):
    shutil.copytree(undisturbed[0], tmp_path / "run")
    code, _ = train_program(monkeypatch, tyres, tmp_path / "run", "--seed=7")
    assert code == 2
    assert "checkpoint.pt is of another training" in capsys.readouterr().err.splitlines()[-1]


def test_the_walkthroughs_network_and_settings_are_the_published_ones():
    chosen = CONFIGURATIONS["walkthrough"]
    assert (chosen.epochs, chosen.batch_size, chosen.learning_rate) == (2, 64, 1e-3)
    assert (chosen.schedule, chosen.weight_decay, chosen.turns) == ("constant", 0.0, False)
    layers = [type(layer).__name__ for layer in build("walkthrough")]
    assert layers == ["Conv2d", "ReLU"] * 3 + ["Flatten", "Linear"]
    shapes = [tuple(p.shape) for p in build("walkthrough").parameters() if p.dim() > 1]
    assert shapes == [(32, 3, 3, 3), (32, 32, 3, 3), (64, 32, 3, 3), (2, 64 * 218 * 218)]


def test_gradients_of_small_parts_add_up_to_those_of_the_batch():
    pixels, labels = torch.randn(6, 3, 224, 224), torch.tensor([0, 1, 1, 0, 1, 0])
    trained = []
    for micro_batch in (6, 2):
        torch.manual_seed(1)
        network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 9, 8), torch.nn.Flatten(), torch.nn.Linear(1458, 2))
        settings = configuration("walkthrough", micro_batch=micro_batch, batch_size=6)
        state = State(network, torch.optim.SGD(network.parameters(), lr=0.01))
        Training(None, settings, 1, "", Path())._step(state, pixels, labels)
        trained.append([p.detach().numpy() for p in network.parameters()])
    for whole, parts in zip(*trained, strict=True):
        np.testing.assert_allclose(whole, parts, rtol=1e-4, atol=1e-6)


def test_few_steps_of_training_learn(undisturbed):
    history = torch.load(undisturbed[0] / "checkpoint.pt", weights_only=True)["history"]
    assert history[1]["train_loss"] < history[0]["train_loss"]


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [("--epochs=0", "epochs is 0; it must be above 0."), ("--tag=x", "--tag 'x' is not of the form key=value.")],
)
def test_wrong_flags_are_one_sentence(tyres, tmp_path, monkeypatch, capsys, flag, sentence):
    code, _ = train_program(monkeypatch, tyres, tmp_path / "run", flag)
    assert code == 2
    assert capsys.readouterr().err.splitlines()[-1] == sentence
