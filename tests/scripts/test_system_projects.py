"""What the demo of GPU projects needs, how tasks find its place, and what it tells."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.embedded import ports
from scripts.equipment import slurm_cluster
from scripts.services import Stack
from scripts.systems import projects
from scripts.systems.projects import CONFIG, SYSTEM

TEAM = {"project": "team-b", "quota": 2, "gpus": 2.0, "published": 2, "queued": ["b-4-gg"], "published_queued": 1}
FACTS: dict[str, Any] = {
    "scenarios": [{"section": "4.9", "title": "A quota is claimed", "teams": [TEAM]}],
    "pages": ["gpus-4.9.html"],
    "links": {"gpus-4.9.html": "http://127.0.0.1:5000/page", "airflow_run": "http://127.0.0.1:8080/b"},
    "password_file": ".local/secrets/airflow_admin",
}


def test_each_team_stands_beside_the_published_numbers_with_a_link_to_the_page() -> None:
    told = SYSTEM.text(FACTS)
    assert "  team-b       2     2          2  b-4-gg (published 1)" in told.splitlines()
    assert "http://127.0.0.1:5000/page" in told


@pytest.mark.parametrize(
    ("missing", "reason", "sentence"),
    [
        (["slurmctld"], None, "Slurm was not found; install it, on Debian as root with `apt-get install slurmctld"),
        ([], "Slurm's daemons need root here", "Slurm's daemons need root here"),
    ],
)
def test_where_no_slurm_can_run_nothing_is_started(
    missing: list[str], reason: str | None, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm_cluster, "missing", lambda: missing)
    monkeypatch.setattr(slurm_cluster, "unavailable", lambda: reason)
    with pytest.raises(SystemExit, match=sentence):
        SYSTEM.check(argparse.Namespace())


def test_the_place_is_there_for_the_demo_alone_also_after_one_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(projects, "restart", lambda stack: begun.append(stack.layout.settings().get(CONFIG, "")))
    stack = Stack(tmp_path)
    stack.layout.make()
    (tmp_path / "ports.json").write_text(json.dumps(dict.fromkeys(ports.USUAL, 1)))
    own = str(tmp_path / "config-projects")
    stack.layout.keep_settings({CONFIG: own, "ONTAP_MLOPS_X": "1"})
    with projects.configured(stack, {"kind": "slurm", "folder": "/jobs"}):
        known = yaml.safe_load((Path(own) / "compute.yaml").read_text())["places"]
        assert known["slurm"] == {"kind": "slurm", "folder": "/jobs"} and next(iter(known)) == "local"
    assert begun == [own, ""]
    assert json.loads((tmp_path / "settings.json").read_text()) == {"ONTAP_MLOPS_X": "1"}
    assert not Path(own).exists()
