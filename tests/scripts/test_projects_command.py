"""`make projects`, its report and its exit codes, on places with and without a scheduler that knows projects."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ontap_mlops.compute import places
from ontap_mlops.projects.changes import Change
from ontap_mlops.projects.jobs import Job
from scripts.projects import main


@pytest.fixture
def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("SLURM_CONF", raising=False)
    (tmp_path / "projects.yaml").write_text("gpus: 4\nprojects:\n  team-a: {quota: 4}\n")
    (tmp_path / "compute.yaml").write_text("places:\n  local: {kind: local}\n  far: {kind: local}\n")
    made = SimpleNamespace(done=[], wanted=["make account team-a"], jobs=list)
    made.plan = lambda: [Change(text, lambda text=text: made.done.append(text)) for text in made.wanted]
    real = places.place
    monkeypatch.setattr(
        places, "place", lambda name: SimpleNamespace(projects=lambda: made) if name == "far" else real(name)
    )
    return made


def test_a_dry_run_shows_what_differs_and_changes_nothing(scheduler, capsys) -> None:
    assert main(["apply", "far", "--dry-run"]) == 1
    assert capsys.readouterr().out == "make account team-a\n"
    assert scheduler.done == []


def test_applied_each_step_is_told_and_a_second_time_there_is_none(scheduler, capsys) -> None:
    assert main(["apply", "far"]) == 0
    assert scheduler.done == ["make account team-a"]
    scheduler.wanted = []
    assert main(["apply", "far", "--dry-run"]) == 0
    assert "far has the projects as projects.yaml says them." in capsys.readouterr().out


def test_the_report_is_a_table_or_a_page(scheduler, capsys, tmp_path: Path) -> None:
    scheduler.jobs = lambda: [Job(id="1", name="one", project="team-a", gpus=3, running=True)]
    assert main(["report", "far"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["team-a", "4", "3", "0", "0", "0", "0", "-"]
    assert main(["report", "far", "--page", str(tmp_path / "page.html")]) == 0
    assert "3 of 4 GPUs are allocated" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("local", "a place of kind local knows no GPU projects"),
        ("nowhere", "there is no place named 'nowhere'"),
        ("slurm", "there is no place named 'slurm'"),
    ],
)
@pytest.mark.parametrize("action", ["apply", "report", "replay"])
def test_a_place_that_cannot_is_one_sentence(scheduler, capsys, action: str, place: str, sentence: str) -> None:
    assert main([action, place]) == 2
    told = capsys.readouterr().err.strip()
    assert sentence in told
    assert len(told.splitlines()) == 1


def test_quotas_beyond_the_cluster_are_one_sentence(scheduler, capsys, tmp_path: Path) -> None:
    (tmp_path / "projects.yaml").write_text("gpus: 4\nprojects:\n  team-a: {quota: 5}\n")
    assert main(["report", "far"]) == 2
    assert "the quotas add up to 5 GPUs and the cluster has 4" in capsys.readouterr().err
