"""A published model is there whole or not at all, never changes, and is what the training wrote."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.models.folders import digest_of, place_whole
from tests.tasks.run_files import write_run_file


@pytest.fixture
def trained(tmp_path) -> Path:
    """A finished training: model.json lists two files; a checkpoint beside them is no part of the model."""
    folder = tmp_path / "run"
    folder.mkdir()
    files = {"model.onnx": b"network", "weights.pt": b"weights"}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "checkpoint.pt").write_bytes(b"not part of the model")
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    (folder / "model.json").write_text(json.dumps({"files": digests, "epochs": 3}))
    return folder


def publish(source: Path, destination: Path, result: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tasks.models.publish", f"--source={source}", f"--destination={destination}"]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "RESULT_FILE": str(result)})


def test_the_listed_files_are_published_and_nothing_else(trained, tmp_path):
    destination = tmp_path / "models" / "tyre" / "r1"
    assert publish(trained, destination, tmp_path / "result.json").returncode == 0
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["files"] == ["model.json", "model.onnx", "weights.pt"]
    assert sorted(p.name for p in destination.parent.iterdir()) == ["r1"]
    assert result["digest"] == digest_of(destination.iterdir()) == digest_of(trained / n for n in result["files"])
    assert result["bytes"] == sum(p.stat().st_size for p in destination.iterdir())


def test_publishing_again_changes_nothing_and_says_the_same(trained, tmp_path):
    destination = tmp_path / "r1"
    publish(trained, destination, tmp_path / "first.json")
    before = [(p.name, p.stat().st_mtime_ns) for p in destination.iterdir()]
    assert publish(trained, destination, tmp_path / "second.json").returncode == 0
    assert [(p.name, p.stat().st_mtime_ns) for p in destination.iterdir()] == before
    assert (tmp_path / "first.json").read_text() == (tmp_path / "second.json").read_text()


def test_a_run_publishes_only_after_the_scan_of_its_data(trained, tmp_path, monkeypatch):
    """The result has the scan; with personal data that is not allowed, nothing is published."""
    (tmp_path / "workspace" / "data").mkdir(parents=True)
    (tmp_path / "workspace" / "data" / "a.txt").write_text("nobody\n")
    folders = {"workspace": str(tmp_path / "workspace"), "models": str(tmp_path)}
    monkeypatch.setenv("RUN_FILE", str(write_run_file(tmp_path / "run.json", folders=folders)))
    assert publish(trained, tmp_path / "r1", tmp_path / "result.json").returncode == 0
    scan = json.loads((tmp_path / "result.json").read_text())["scan"]
    assert (scan["by"], scan["files"], scan["personal_data"]) == ("promotion", 1, {})
    (tmp_path / "workspace" / "data" / "b.txt").write_text("jane.doe@example.com\n")
    ended = publish(trained, tmp_path / "r2", tmp_path / "result.json")
    assert (ended.returncode, (tmp_path / "r2").exists()) == (2, False)
    assert "The model is not promoted: dataset version v1 of tyre_images" in ended.stderr.splitlines()[-1]


def test_another_model_never_replaces_a_published_one(trained, tmp_path):
    destination = tmp_path / "r1"
    destination.mkdir()
    (destination / "model.onnx").write_bytes(b"older")
    ended = publish(trained, destination, tmp_path / "result.json")
    assert ended.returncode == 2
    assert f"{destination} holds another model" in ended.stderr.splitlines()[-1]
    assert (destination / "model.onnx").read_bytes() == b"older"


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda run: (run / "model.json").unlink(),
            "holds no model.json: name the output folder of a finished training",
        ),
        (lambda run: (run / "model.json").write_text("{}"), "lists no files with their SHA-256"),
        (lambda run: (run / "model.onnx").write_bytes(b"half"), "model.onnx is not the file that model.json lists"),
        (lambda run: (run / "weights.pt").unlink(), "weights.pt is not the file that model.json lists"),
    ],
)
def test_an_unfinished_training_is_refused_with_a_sentence(trained, tmp_path, spoil, sentence):
    spoil(trained)
    ended = publish(trained, tmp_path / "r1", tmp_path / "result.json")
    assert ended.returncode == 2
    assert sentence in ended.stderr.splitlines()[-1]
    assert not (tmp_path / "r1").exists()


def test_a_kill_in_the_middle_leaves_nothing_half_made_and_the_next_try_completes(trained, tmp_path):
    """The program is stopped by kill -9 while it has copied one of three files."""
    destination = tmp_path / "models" / "r1"
    slow = (
        "import sys, time; from tasks.models import publish; copy = publish.copy_durably\n"
        "def once(source, target):\n"
        "    copy(source, target); print('copied', flush=True); time.sleep(60)\n"
        "publish.copy_durably = once\n"
        f"sys.argv = ['publish', '--source={trained}', '--destination={destination}']\n"
        "publish.run(publish.main)\n"
    )
    program = subprocess.Popen([sys.executable, "-c", slow], stdout=subprocess.PIPE)
    assert program.stdout and program.stdout.readline() == b"copied\n"
    program.send_signal(signal.SIGKILL)
    program.wait()
    assert not destination.exists()
    assert publish(trained, destination, tmp_path / "result.json").returncode == 0
    assert sorted(p.name for p in destination.iterdir()) == ["model.json", "model.onnx", "weights.pt"]
    assert [p.name for p in destination.parent.iterdir()] == ["r1"]


def test_a_folder_that_cannot_be_finished_leaves_no_trace(tmp_path):
    def fails(folder: Path) -> None:
        (folder / "first").write_bytes(b"x")
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        place_whole(tmp_path / "r1", fails)
    assert list(tmp_path.iterdir()) == []
