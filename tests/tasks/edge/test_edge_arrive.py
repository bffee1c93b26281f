"""A version is served at a site only as it is at home."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tasks.common.program import BadInput
from tasks.edge import arrive
from tasks.models.folders import digest_of, model_files


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / "tyre" / "3"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"network")
    (folder / "config.json").write_text(json.dumps({"name": "tyre"}))
    (folder.parent / "config.pbtxt").write_text("# deployed: 2\n")
    return tmp_path / "home"


@pytest.fixture
def call(monkeypatch, tmp_path):
    def call(*arguments: str, digest: str = "") -> dict:
        flags = [f"--repository={tmp_path / 'site'}", "--name=tyre", "--version=3", f"--digest={digest}"]
        monkeypatch.setattr(sys, "argv", ["arrive", *flags, *arguments])
        return arrive.main()

    return call


def test_what_is_not_there_is_copied_whole_and_once(home, call, tmp_path):
    digest = digest_of(model_files(home / "tyre" / "3", "*"))
    first = call(f"--source={home}", digest=digest)
    assert (first["digest"], first["copied"], first["config"]) == (digest, 3, {"name": "tyre"})
    assert call(f"--source={home}", digest=digest)["copied"] == 0
    (home / "tyre" / "config.pbtxt").write_text("# deployed: 2 3\n")
    assert call(f"--source={home}", digest=digest)["copied"] == 1, "what a restart serves follows that of home"
    assert sorted(path.name for path in (tmp_path / "site" / "tyre").iterdir()) == ["3", "config.pbtxt"]


def test_another_digest_is_refused_with_both_named_and_nothing_is_changed(home, call, tmp_path):
    call(f"--source={home}")
    file = tmp_path / "site" / "tyre" / "3" / "model.onnx"
    file.write_bytes(b"changed")
    with pytest.raises(BadInput, match="is sha256:[0-9a-f]{64}, and at home it is sha256:77: it was changed"):
        call(f"--source={home}", digest="sha256:77")
    assert file.read_bytes() == b"changed"


def test_a_version_that_has_not_come_is_said_so(call):
    with pytest.raises(BadInput, match="holds no model version: it has not come to the site"):
        call()
