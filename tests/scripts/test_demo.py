"""What every demo decides by itself; that all of it works is shown by tests/journey and by `make demo`."""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts import all_demos, demo, systems
from scripts.embedded import ports
from scripts.follow import RunFailed
from scripts.pipeline import Demo, facts_file
from scripts.services import Stack
from scripts.systems import text
from scripts.systems.system import System


def a_demo(tmp_path: Path, system: str = "tyre") -> Demo:
    chosen = demo.options([system, "--local", str(tmp_path)])
    return Demo(systems.find(system), Stack(tmp_path), chosen)


@pytest.mark.parametrize("system", systems.names())
def test_each_demo_that_succeeded_makes_the_next_one_a_day_later(system: str, tmp_path: Path):
    assert a_demo(tmp_path, system).number == 1
    facts_file(systems.find(system), Stack(tmp_path)).write_text(json.dumps({"demo": 4}))
    assert a_demo(tmp_path, system).number == 5


def test_systems_keep_their_facts_apart(tmp_path: Path):
    files = [facts_file(systems.find(name), Stack(tmp_path)).name for name in systems.names()]
    assert len(set(files)) == len(files) >= 2 and "demo.json" in files


@pytest.mark.parametrize("problem", [RunFailed("Task sync failed."), RuntimeError("Airflow refused.")])
def test_a_demo_that_fails_ends_with_a_sentence_and_writes_nothing(
    problem: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(self: Demo) -> None:
        raise problem

    monkeypatch.setattr(Demo, "start_services", fail)
    monkeypatch.setattr("sys.argv", ["demo", "tyre", "--local", str(tmp_path)])
    assert demo.main() == 1
    assert capsys.readouterr().err == f"{problem}\n"
    assert not (tmp_path / "demo.json").exists()


def test_an_unknown_system_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        demo.options(["tires"])
    assert ended.value.code == 2
    known = systems.names()
    offered = ", ".join(map(repr, [*known, "all"]))
    assert f"invalid choice: 'tires' (choose from {offered})" in capsys.readouterr().err
    with pytest.raises(SystemExit, match=rf"No system is called 'tires'; there are {', '.join(known)}\."):
        systems.find("tires")


def test_an_option_of_another_system_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        demo.options(["ctr", "--full"])
    assert "unrecognized arguments: --full" in capsys.readouterr().err


class Answers:
    """Airflow's API, of a run whose tasks have returned ``xcoms``."""

    def __init__(self, **xcoms: Any) -> None:
        self.xcoms = xcoms

    def xcom(self, dag_id: str, run_id: str, task_id: str) -> Any:
        return self.xcoms.get(task_id)

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return []

    def run_link(self, dag_id: str, run_id: str) -> str:
        return f"http://airflow/{dag_id}/{run_id}"


class Bare(System):
    """Says nothing that a system need not say."""

    name, dataset, train_dag = "bare", "some_rows", "bare_training"


def of_bare(tmp_path: Path, **xcoms: Any) -> Demo:
    (tmp_path / "ports.json").write_text(json.dumps(dict.fromkeys(ports.USUAL, 1)))
    made = Demo(Bare(), Stack(tmp_path), argparse.Namespace())
    made.api = Answers(**xcoms)  # type: ignore[assignment]
    made.ingest_run, made.train_run = "i", "t"
    return made


def summary() -> dict[str, Any]:
    names = ("id", "snapshot", "snapshot_uuid", "svm", "volume", "created_at")
    return {
        "dataset_version": {name: name for name in names} | {"files": 2, "bytes": 10**6},
        "metrics": {"challenger": {"accuracy": 0.9, "loss": 0.1}, "champion": {"accuracy": 0.85}},
        "decision": {"decision": "promote", "reason": "it is better"},
        "run_key": "r1",
    }


def test_a_system_that_says_nothing_for_itself_has_facts_and_a_summary(tmp_path: Path):
    facts = of_bare(tmp_path, summary=summary()).facts()
    assert facts["runs"] == {"ingest_some_rows": "i", "bare_training": "t"}
    assert facts["links"]["airflow_run"] == "http://airflow/bare_training/t"
    lines = Bare().text(facts).splitlines()
    assert [line.split() for line in lines if line.startswith("  cha")] == [
        ["champion", "0.850"],
        ["challenger", "0.900"],
    ]
    assert "  Promoted: it is better" in lines
    assert [line.split()[2] for line in lines if line.startswith("  Run key")] == ["r1"], "for `make rerun`"


def test_a_run_that_ends_without_a_summary_fails_the_demo(tmp_path: Path):
    with pytest.raises(RunFailed, match="bare_training failed; look at http://airflow/bare_training/t"):
        of_bare(tmp_path).facts()


def test_facts_are_kept_whole_or_not_at_all(tmp_path: Path):
    made = of_bare(tmp_path)
    made.keep({"demo": 1})
    with pytest.raises(TypeError):
        made.keep({"demo": object()})
    assert json.loads(made.file.read_text()) == {"demo": 1}


def test_a_metric_that_one_model_lacks_is_shown_as_missing():
    facts = summary() | {"metrics": {"challenger": {"accuracy": 0.9, "f1": 0.5}, "champion": {"accuracy": 0.8}}}
    champion = next(line for line in text.judged(facts, "rows", ("accuracy", "f1")) if "champion" in line)
    assert champion.split() == ["champion", "0.800", "-"]


def test_all_demos_go_on_where_they_failed_and_begin_anew_when_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    ran: list[str] = []
    failing = {"tyre"}

    def run(command: list[str], **settings: Any) -> subprocess.CompletedProcess[bytes]:
        ran.append(command[3])
        settings["stdout"].write(b"begun\nTask sync of ingest failed.\n")
        return subprocess.CompletedProcess(command, int(command[3] in failing))

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("sys.argv", ["demo", "all", "--local", str(tmp_path)])
    assert demo.main() == 1 and sorted(ran) == systems.names()
    said = capsys.readouterr().out
    assert "✗  1 tyre quality" in said and "Task sync of ingest failed." in said and "✓  2 click-through rate" in said
    assert "11 of 12 systems have succeeded." in said
    ran.clear()
    failing.clear()
    assert demo.main() == 0 and ran == ["tyre"]
    ran.clear()
    assert demo.main() == 0 and sorted(ran) == systems.names(), "done with all, it begins anew"


def test_each_published_design_has_a_demo_and_its_row_is_green_with_all_of_them():
    numbered = systems.by_number()
    assert sorted(number for number in numbered if number) == list(all_demos.DESIGNS)
    rows = {name: {"succeeded": name != "drift", "seconds": 60.0, "said": ""} for name in systems.names()}
    rows["drift"]["said"] = "no alarm"
    lines = all_demos.table(rows).splitlines()
    assert [line[2:4].strip() for line in lines[:-1]] == [str(number) for number in all_demos.DESIGNS]
    assert [line for line in lines if line.startswith("✗")] == [
        "✗ 10 document assistant  documents, drift    120 s  no alarm"
    ]


def test_all_demos_go_on_with_those_that_have_come_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ran: list[str] = []

    def run(command: list[str], **settings: Any) -> subprocess.CompletedProcess[bytes]:
        ran.append(command[3])
        return subprocess.CompletedProcess(command, 0)

    new = {"projects", "two_sites"}
    row = {"succeeded": True, "seconds": 60.0, "said": ""}
    (tmp_path / all_demos.FILE).write_text(json.dumps({name: row for name in systems.names() if name not in new}))
    monkeypatch.setattr(subprocess, "run", run)
    assert all_demos.run(Stack(tmp_path)) == 0 and ran == ["projects", "two_sites"]
