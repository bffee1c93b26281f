"""What KServe finds on its claim after the program of ``place``: a repository of the version's own, whole at once."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from ontap_mlops.serving.kind import kind
from tasks.models import repository
from tasks.models.folders import digest_of, model_files
from tests.inference_server.models import write_onnx
from tests.ontap_mlops.operators.run_context import CHAMPION


def test_a_placed_version_is_a_repository_that_serves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    models, shared = tmp_path / "models", tmp_path / "repository"
    write_onnx(models / CHAMPION.folder / "model.onnx", 3)
    digest = digest_of(model_files(models / CHAMPION.folder, "*"))
    program = kind("kserve").place(dataclasses.replace(CHAMPION, digest=digest))
    assert (program.program, program.mounts["repository"]["junction_path"]) == ("tasks.models.repository", "/models")
    for _ in range(2):
        arguments = [each.format(models=models, repository=shared) for each in program.arguments]
        monkeypatch.setattr(sys, "argv", ["repository", *arguments])
        repository.main()
        assert (shared / "kserve" / "tyre-3" / "tyre" / "3" / "model.onnx").exists()
        config = (shared / "kserve" / "tyre-3" / "tyre" / "config.pbtxt").read_text()
        assert "versions: 3\n" in config
