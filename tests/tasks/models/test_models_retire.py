from __future__ import annotations

import pytest

from tasks.common import program
from tasks.models import retire


@pytest.fixture
def volume(tmp_path):
    for name in ("r1", "r2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.json").write_text("{}")
    (tmp_path / "triton").mkdir()
    return tmp_path


def call(monkeypatch, volume, *names):
    monkeypatch.setattr("sys.argv", ["retire", "--models", str(volume), "--folders", ",".join(names)])
    return program.exit_code(retire.main)


def test_the_folders_named_go_and_the_others_stay(monkeypatch, volume):
    assert call(monkeypatch, volume, "r1", "gone_before") == 0
    assert sorted(path.name for path in volume.iterdir()) == ["r2", "triton"]


@pytest.mark.parametrize("name", ["triton", "../r1", "r1/..", ".snapshot", "/etc"])
def test_what_is_no_model_is_left_alone(monkeypatch, volume, name):
    assert call(monkeypatch, volume, name) == program.BAD_INPUT
    assert sorted(path.name for path in volume.iterdir()) == ["r1", "r2", "triton"]


def test_what_a_stopped_try_left_is_removed(monkeypatch, volume):
    (volume / ".removing-r0").mkdir()
    assert call(monkeypatch, volume, "r1") == 0
    assert not (volume / ".removing-r0").exists()
