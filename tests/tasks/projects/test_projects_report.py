"""The program that keeps what was found of GPU projects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.common.program import BadInput
from tasks.projects import report
from tests.tasks.run_files import write_run_file

TEAM = {"project": "team-a", "gpus": 4.0, "published": 4, "queued": ["a-1"], "published_queued": 0}
FACTS: dict[str, Any] = {
    "place": "slurm",
    "changes": [],
    "scenarios": [{"section": "4.8", "title": "Idle GPUs are used", "teams": [TEAM], "differences": []}],
    "pages": {"gpus-4.8.html": "<p>16 of 16</p>"},
    "problems": [],
}


def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **facts: Any) -> dict[str, Any]:
    monkeypatch.setenv("RUN_FILE", str(write_run_file(tmp_path / "run.json", facts={**FACTS, **facts})))
    monkeypatch.setattr("sys.argv", ["report"])
    return report.main()


def test_pages_and_figures_are_kept_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(tmp_path, monkeypatch)
    assert (found["place"], found["pages"]) == ("slurm", ["gpus-4.8.html"])
    assert report.figures(FACTS["scenarios"]) == {"4.8.team-a.gpus": 4, "4.8.team-a.waiting": 1}


def test_what_is_not_as_published_fails_with_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match=r"slurm has not allocated as published: 4\.8: team-a has 3 GPUs; 4\.9 was not"):
        told(tmp_path, monkeypatch, problems=["4.8: team-a has 3 GPUs", "4.9 was not played to its end"])
