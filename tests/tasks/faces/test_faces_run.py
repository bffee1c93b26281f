"""The programs of one run, told by RUN_FILE, one after another as the DAG calls them."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.common import program
from tasks.common.data import open_source
from tasks.common.judging import Incomparable, Model
from tasks.common.program import BadInput
from tasks.faces import batch, choose, cost, dataset, evaluate, notebook, train
from tasks.faces.configs import configuration
from tasks.faces.ellipses import FOLDS
from tasks.faces.training import Training
from tasks.models import publish
from tests.tasks.faces.conftest import call
from tests.tasks.run_files import write_run_file


@pytest.fixture
def told(faces, run_folder, tmp_path, monkeypatch):
    """Calls a program with RUN_FILE and few flags; the run's folder is a copy of the one that was made."""
    folders = {name: str(tmp_path / name) for name in ("workspace", "models")}
    monkeypatch.setenv("RUN_FILE", str(tmp_path / "run.json"))
    monkeypatch.setenv("RESULT_FILE", str(tmp_path / "result.json"))
    shutil.copytree(run_folder, tmp_path / "workspace" / ".mlops" / "run")
    (tmp_path / "workspace" / "data").symlink_to(faces)  # as in a clone, where publishing looks for a scan

    def ask(main, step, *flags, champion=None, **parameters):
        write_run_file(
            tmp_path / "run.json", parameters, step=step, data=str(faces), folders=folders, champion=champion
        )
        monkeypatch.setattr("sys.argv", ["program", *flags])
        code = program.exit_code(main)
        return json.loads((tmp_path / "result.json").read_text()) if code == 0 else code

    return ask


def test_a_model_is_judged_published_and_shown_without_a_flag(told, run_folder, tmp_path, capsys):
    judged = told(evaluate.main, "evaluate")
    assert set(judged["metrics"]["challenger"]) == {"ap", "ap_halved", "ap_continuous"}
    assert judged["held_out"] == 24 and judged["champion_version"] is None

    published = told(publish.main, "publish")
    assert {"model.onnx", "head.onnx", "noise.npz", "weights.pt"} <= set(published["files"])
    champion = {"folder": str(tmp_path / "models" / "r1"), "version": 3, "run_key": "r1"}
    judged = told(evaluate.main, "evaluate", champion=champion)
    assert judged["comparison"]["ap"]["gain"] == 0 and judged["compared"] == 24, "the same model twice"

    capsys.readouterr()
    told(batch.main, "batch", "--threads=1")
    said = capsys.readouterr().out.splitlines()
    parts = [said[start : start + FOLDS + 2] for start in range(0, len(said), FOLDS + 2)]
    assert len(parts) == 4, "clear and noisy, at the full and at the halved threshold"
    for part in parts:
        folds = [float(line.removeprefix(f"FDDB-fold-{fold} Val AP: ")) for fold, line in enumerate(part[:FOLDS], 1)]
        for name, line in zip(("FDDB Dataset Average AP", "mAP"), part[FOLDS:], strict=True):
            assert float(line.removeprefix(f"{name}: ")) == pytest.approx(np.mean(folds))

    shown = told(notebook.main, "notebook")
    cells = json.loads((tmp_path / "workspace/.mlops/run/notebook/image-demo.ipynb").read_text())["cells"]
    assert shown["pictures"] == sum(len(cell.get("outputs", [])) for cell in cells) == 3


def test_a_network_that_was_trained_is_taken_as_it_is(told, run_folder, tmp_path):
    told(publish.main, "publish")
    shutil.rmtree(tmp_path / "workspace" / ".mlops")
    result = told(train.main, "train", "--threads=1", network_of="r1")
    folders = (run_folder / "network", Path(result["output"]))
    weights = [torch.load(folder / "weights.pt", weights_only=True) for folder in folders]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert told(train.main, "train", network_of="r1", held_out="1,2") == program.BAD_INPUT, "it was trained on these"
    assert told(train.main, "train", network_of="r2") == program.BAD_INPUT


def test_a_challenger_that_hides_less_is_not_compared(model):
    def described(alpha: float | None, ssim: float) -> Model:
        told = {"alpha": alpha, "privacy": {"ssim": ssim}} if alpha else {}
        return Model("one", model / "model.onnx", told)

    evaluate.check_privacy(described(0.8, 0.3), described(0.5, 0.4))
    evaluate.check_privacy(described(0.5, 0.3), described(0.8, 0.4))
    with pytest.raises(Incomparable, match="hides less than one: ALPHA 0.5 against 0.8"):
        evaluate.check_privacy(described(0.5, 0.4), described(0.8, 0.3))
    with pytest.raises(Incomparable, match="does not say how much an attacker"):
        evaluate.check_privacy(described(0.8, 0.3), described(None, 0.4))


def test_a_training_that_is_stopped_goes_on_to_the_same_weights(faces, tmp_path, monkeypatch):
    chosen = configuration("small", epochs=2)
    examples = dataset.load(open_source(str(faces)), chosen, [1, 2]).examples

    def training(name: str) -> Training:
        return Training(examples, chosen, 1, "the same", tmp_path / name)

    whole = training("whole").run(lambda number, figures: None)

    def stop(number: int, figures: dict) -> None:
        signal.raise_signal(signal.SIGTERM)

    ended = []
    assert program.exit_code(lambda: training("stopped").run(stop) and None) == program.STOPPED
    assert program.exit_code(lambda: ended.append(training("stopped").run(lambda number, figures: None))) == 0
    one, other = whole.network.state_dict(), ended[0].network.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    with pytest.raises(BadInput, match="of another training"):
        Training(examples, chosen, 1, "another", tmp_path / "stopped").run(lambda number, figures: None)


def test_the_cost_of_the_noise_is_told_with_its_part_of_the_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("RESULT_FILE", str(tmp_path / "result.json"))
    call(cost.main, "--configuration=small", "--width=128", "--height=64", "--repeats=3", "--threads=1", "--device=cpu")
    told = json.loads((tmp_path / "result.json").read_text())
    assert told["activation"] == [32, 8, 16] and told["device"]
    assert 0 < told["noise_ms"] < told["whole_ms"] and 0 < told["noise_share"] < 1


def test_choosing_says_so_where_nothing_may_be_chosen(run_folder, tmp_path, capsys, monkeypatch):
    flags = [f"--sweep={run_folder}/sweep", f"--network={run_folder}/network", f"--output={tmp_path}", "--most-lost=1"]
    monkeypatch.setattr("sys.argv", ["choose", *flags])
    assert program.exit_code(choose.main) == program.BAD_INPUT
    assert "--most-lost is 1; it is a share of the accuracy" in capsys.readouterr().err
