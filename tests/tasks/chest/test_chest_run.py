"""The programs of one run, told by RUN_FILE alone, one after another as the DAG calls them."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.chest import dataset, evaluate, model, predict, scoring, train
from tasks.chest.configs import CONFIGURATIONS, configuration
from tasks.chest.dataset import Asked
from tasks.chest.export import PATIENTS
from tasks.chest.findings import FINDINGS
from tasks.chest.training import Training
from tasks.common import program
from tasks.common.data import open_source
from tasks.common.judging import Incomparable, Model
from tasks.common.program import BadInput, Stopped
from tasks.models import publish
from tests.tasks.run_files import write_run_file


@pytest.fixture
def told(chests, tmp_path, monkeypatch):
    """Calls a program with RUN_FILE and no flag at all."""
    folders = {name: str(tmp_path / name) for name in ("workspace", "models")}
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "data").symlink_to(chests)  # as in a clone, where publishing looks for a scan
    monkeypatch.setenv("RUN_FILE", str(tmp_path / "run.json"))
    monkeypatch.setenv("RESULT_FILE", str(tmp_path / "result.json"))
    monkeypatch.setattr("sys.argv", ["program"])

    def call(main, step, data=chests, champion=None, **fields):
        parameters = {"configuration": "small", "epochs": 1, "seed": 5, "side": 32}
        write_run_file(
            tmp_path / "run.json", parameters, step=step, data=str(data), folders=folders, champion=champion, **fields
        )
        assert program.exit_code(main) == 0, f"{step} failed"
        return json.loads((tmp_path / "result.json").read_text())

    return call


@pytest.fixture(scope="module")
def trained(chests, tmp_path_factory) -> Path:
    """A model's folder."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        flags = ["train", f"--data={chests}", f"--output={folder}", "--epochs=1", "--side=32", "--threads=1"]
        patch.setattr("sys.argv", flags)
        assert program.exit_code(train.main) == 0
    return folder


def test_a_run_needs_no_flags_at_all(told, tmp_path):
    result = told(train.main, "train")
    assert (result["epochs"], result["output"]) == (1, str(tmp_path / "workspace/.mlops/run"))
    assert result["data"]["split"] == "official, by patient" and result["data_bytes"] > 0
    judged = told(evaluate.main, "evaluate")
    assert list(judged["metrics"]) == ["challenger"] and scoring.MEAN in judged["metrics"]["challenger"]
    assert told(publish.main, "publish")["folder"] == "r1"
    champion = {"folder": str(tmp_path / "models/r1"), "version": 1, "run_key": "r1"}
    judged = told(evaluate.main, "evaluate", champion=champion)
    gain = judged["comparison"][scoring.MEAN]
    assert (gain["gain"], gain["low"], gain["high"]) == (0, 0, 0) and judged["compared"] == judged["held_out"]
    assert (judged["champion_version"], gain["method"]) == (1, "paired bootstrap over patients")


def test_a_model_is_not_judged_on_a_patient_that_it_was_trained_on(chests, trained, tmp_path):
    xrays = dataset.load(open_source(str(chests)), Asked(side=32, parts=("held_out",)))
    model = Model.parse(f"champion={trained}")
    assert len(evaluate.unseen(model, xrays)) == len(xrays.held_out)
    moved = Path(shutil.copytree(trained, tmp_path / "moved"))
    known = json.loads((moved / PATIENTS).read_text())
    patient = xrays.held_out[0].patient
    (moved / PATIENTS).write_text(json.dumps([*known, evaluate.digest_of(patient)]))
    left = evaluate.unseen(Model.parse(f"champion={moved}"), xrays)
    assert patient in dataset.patients(xrays.held_out) and patient not in dataset.patients(left)
    (moved / PATIENTS).unlink()
    judged, comparison, refused = evaluate.judge([model, Model.parse(f"old={moved}")], xrays, 0.95, 1)
    assert list(judged) == ["champion"] and not comparison
    assert refused.startswith("Model old does not say which patients it was trained on")


def test_another_way_to_prepare_pictures_is_not_compared(chests, trained):
    xrays = dataset.load(open_source(str(chests)), Asked(side=48, parts=("held_out",)))
    with pytest.raises(Incomparable, match="was trained on pictures prepared in another way"):
        evaluate.unseen(Model.parse(f"champion={trained}"), xrays)


def test_pictures_of_the_judgement_are_drawn(told, tmp_path, monkeypatch):
    told(train.main, "train")
    monkeypatch.setattr("sys.argv", ["evaluate", f"--output={tmp_path / 'drawn'}"])
    names = told(evaluate.main, "evaluate")["pictures"]
    assert names == ["auroc.png", "roc.png", "mistakes_challenger.png"]
    assert all((tmp_path / "drawn" / name).read_bytes().startswith(b"\x89PNG") for name in names)


def test_the_question_is_of_a_patient_new_to_the_model_and_shows_something(chests, trained):
    asked = predict._unseen(str(chests), str(trained))
    xrays = dataset.load(open_source(str(chests)), Asked(side=32))
    row = next(e for e in xrays.held_out if asked.name.endswith(e.key))
    assert asked.actual == row.findings and row.findings
    known = sorted({evaluate.digest_of(name) for name in dataset.patients(xrays.training + xrays.held_out)})
    everyone = trained.parent / "everyone"
    everyone.mkdir(exist_ok=True)
    (everyone / PATIENTS).write_text(json.dumps(known))
    with pytest.raises(BadInput, match="is of a patient new to the model"):
        predict._unseen(str(chests), str(everyone))


def test_a_training_that_is_stopped_goes_on_to_the_same_weights(chests, tmp_path):
    xrays = dataset.load(open_source(str(chests)), Asked(side=32))
    chosen = configuration("small", epochs=2, side=32, batch_size=24)

    def training(name: str) -> Training:
        return Training(xrays, chosen, 3, "one", tmp_path / name)

    whole = training("whole.pt").run(lambda number, figures: None).network.state_dict()

    def stop(number: int, figures: dict[str, float]) -> None:
        raise Stopped(signal.SIGTERM)

    with pytest.raises(Stopped):
        training("part.pt").run(stop)
    resumed = training("part.pt").run(lambda number, figures: None).network.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    with pytest.raises(BadInput, match="is of another training"):
        Training(xrays, chosen, 3, "another", tmp_path / "part.pt").run(lambda number, figures: None)


def test_the_published_configuration_is_resnet_50_with_batches_of_128_for_10_epochs():
    published = CONFIGURATIONS["published"]
    assert (published.network, published.batch_size, published.epochs) == ("resnet-50", 128, 10)
    with torch.device("meta"):
        network = model.build(published.network)
    convolutions = [part for part in network.modules() if isinstance(part, torch.nn.Conv2d)]
    linear = [part for part in network.modules() if isinstance(part, torch.nn.Linear)]
    assert len(convolutions) - 4 + len(linear) == 50, "layers with weights, the four shortcuts' not counted"
    assert linear[0].out_features == len(FINDINGS)


def test_areas_are_those_of_scikit_learn_and_the_interval_holds_them():
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(7)
    truth = random.random((200, len(FINDINGS))) < 0.2
    truth[:, 0] = False
    scores = truth + random.standard_normal(truth.shape)
    owners = [str(place // 2) for place in range(200)]
    found = scoring.score(scores, truth, owners, 0.95)
    assert "auroc_atelectasis" not in found.areas, "nobody shows it, so it has no area"
    for place, name in list(enumerate(FINDINGS))[1:]:
        key = scoring.name_of(name)
        assert found.areas[key] == pytest.approx(roc_auc_score(truth[:, place], scores[:, place]))
        assert found.low[key] <= found.areas[key] <= found.high[key]
    assert found.areas[scoring.MEAN] == pytest.approx(scoring.mean_auroc(scores, truth))


def test_pictures_of_one_patient_count_as_one_draw():
    """Copies of every picture make nobody surer, where they belong to the same patients."""
    random = np.random.default_rng(8)
    truth = random.random((120, len(FINDINGS))) < 0.3
    scores = truth + 1.5 * random.standard_normal(truth.shape)
    owners = [str(place) for place in range(120)]
    once = scoring.score(scores, truth, owners, 0.9)
    often = scoring.score(np.repeat(scores, 4, axis=0), np.repeat(truth, 4, axis=0), list(np.repeat(owners, 4)), 0.9)
    assert often.low == pytest.approx(once.low) and often.high == pytest.approx(once.high)


def test_a_better_model_is_better_on_the_same_draws():
    random = np.random.default_rng(9)
    truth = random.random((300, len(FINDINGS))) < 0.3
    noise = random.standard_normal(truth.shape)
    owners = [str(place // 3) for place in range(300)]
    gain = scoring.compare(3 * truth + noise, truth + noise, truth, owners, 0.95)[scoring.MEAN]
    assert 0 < gain["low"] < gain["gain"] < gain["high"]
    with pytest.raises(BadInput, match="--confidence is 1"):
        scoring.compare(truth + noise, noise, truth, owners, 1)
