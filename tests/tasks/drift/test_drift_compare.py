"""The program on versions of each system: what is new, what the page shows, and what is refused in one sentence."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.common import program
from tasks.common.model_folder import DESCRIPTION, ONNX
from tasks.common.onnx_model import OnnxModel
from tasks.ctr.days import find_days
from tasks.ctr.held_out import head_of
from tasks.drift import compare, plant
from tasks.drift.verdict import CONCEPT, DATA, NONE
from tests.tasks.run_files import write_run_file

ROWS = 6000
Compared = tuple[int, dict[str, Any], str]


@pytest.fixture
def drift(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Compared]:
    """The program run in this process: exit code, result, and its last line."""

    def call(*flags: object) -> Compared:
        result = tmp_path / "result.json"
        result.unlink(missing_ok=True)
        monkeypatch.setenv("RESULT_FILE", str(result))
        monkeypatch.setattr(sys, "argv", ["compare", f"--output={tmp_path / 'report'}", *map(str, flags)])
        code = program.exit_code(compare.main)
        lines = capsys.readouterr().err.strip().splitlines()
        return code, json.loads(result.read_text()) if code == 0 else {}, lines[-1] if lines else ""

    return call


def model_of(folder: Path, description: dict[str, Any]) -> Path:
    folder.mkdir()
    (folder / ONNX).write_bytes(b"")
    (folder / DESCRIPTION).write_text(json.dumps(description))
    return folder


def answering(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Any], Any]) -> None:
    """Let a function be the champion's network."""
    monkeypatch.setattr(OnnxModel, "load", classmethod(lambda cls, path, **kwargs: answer))


@pytest.fixture(scope="module")
def clicks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions of days of clicks: the baseline, and what came after it."""
    folder = tmp_path_factory.mktemp("clicks")
    for name, kind in (("baseline", None), ("nothing", "nothing"), ("inputs", "inputs"), ("relation", "relation")):
        (folder / name).mkdir()
        (folder / name / "day_0").write_bytes(plant.day("nothing", 0, ROWS, 5))
        if kind:
            (folder / name / "day_1").write_bytes(plant.day(kind, 1, ROWS, 5))
    return folder


@pytest.fixture
def forest(clicks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A champion of the baseline's first half whose chances are those by which clicks are made."""
    (day,) = find_days(str(clicks / "baseline"))
    told = {"day": "day_0", "rows": ROWS // 2, "head": head_of(day, 1000), "head_rows": 1000}
    world = plant.world("nothing", 0, 5)

    def answer(values: Any) -> Any:
        logs = np.log1p(np.maximum(values, 0)) - np.log1p(world.medians)
        chances = 1 / (1 + np.exp(1.2 - 0.5 * logs @ world.effects))
        return np.column_stack([1 - chances, chances])

    answering(monkeypatch, answer)
    return model_of(tmp_path / "forest", {"data": {"trained_on": [told], "held_out": ROWS // 2}})


@pytest.mark.parametrize(("kind", "found"), [("nothing", NONE), ("inputs", DATA), ("relation", CONCEPT)])
def test_a_day_of_clicks_is_told_from_those_before(
    kind: str, found: str, clicks: Path, forest: Path, drift: Callable[..., Compared], tmp_path: Path
) -> None:
    flags = (f"--baseline={clicks / 'baseline'}", f"--data={clicks / kind}", f"--model={forest}")
    code, told, said = drift("--system=ctr", *flags)
    # This champion is a plain formula, which is wrong about rows far from those it was made for, and surely so.
    assert code == 0 and told["drift"].startswith(found) and told["alarm"] == (found != NONE)
    assert ("I8" in told["columns"] and told["columns"]["I8"] > 0.1) == (kind == "inputs")
    assert told["reason"] in said and told["new_rows"] == ROWS
    page = (tmp_path / "report" / compare.PAGE).read_text()
    assert told["reason"] in page.replace("&#x27;", "'") and "data:image/png;base64," in page and "http" not in page
    kept = json.loads((tmp_path / "report" / compare.FACTS).read_text())
    assert kept["drift"].startswith(found) and kept["compared"]["Rows"] == f"{ROWS:,} then, {ROWS:,} new"


def test_a_run_of_the_dag_says_all_but_what_is_compared(
    clicks: Path, forest: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As ``DriftCompareOperator`` starts it: limits, champion and the versions' records come from RUN_FILE."""
    version = {"id": "v0", "created_at": "2026-11-19T06:30:00+00:00"}
    limits = {"alpha": 0.001, "effect": 0.9, "separation": 0.6, "worse_by": 0.03, "rows": 100, "limit": None}
    champion = {"folder": str(forest), "version": 3, "run_key": "r1"}
    facts = {"champion": champion, "baseline": version, "since": version, "data": str(clicks / "inputs")}
    monkeypatch.setenv("RUN_FILE", str(write_run_file(tmp_path / "run.json", limits, **facts)))
    monkeypatch.setenv("RESULT_FILE", str(tmp_path / "result.json"))
    flags = ["--system=ctr", "--alarm-on=data", *(f"--{name}={clicks / 'baseline'}" for name in ("baseline", "since"))]
    monkeypatch.setattr(sys, "argv", ["compare", *flags])
    pages: list[str] = []
    whole = compare.page
    monkeypatch.setattr(compare, "page", lambda *told: pages.append(whole(*told)) or pages[-1])
    assert program.exit_code(compare.main) == 0
    told = json.loads((tmp_path / "result.json").read_text())
    assert told["new_rows"] == ROWS and "The inputs are as they were." in told["reason"], "0.9 is never reached"
    assert "version 3 of a_model, run r1" in pages[0] and "v0 of 2026-11-19" in pages[0] and "v1 of" in pages[0]


def test_what_was_there_before_is_not_new(clicks: Path, forest: Path, drift: Callable[..., Compared]) -> None:
    baseline = clicks / "baseline"
    code, told, _ = drift("--system=ctr", f"--baseline={baseline}", f"--data={baseline}", f"--model={forest}")
    assert (code, told["alarm"], told["new_rows"]) == (0, False, 0) and "there is no new one" in told["reason"]
    since = f"--since={clicks / 'inputs'}"
    code, told, _ = drift(
        "--system=ctr", f"--baseline={baseline}", since, f"--data={clicks / 'inputs'}", f"--model={forest}"
    )
    assert told["new_rows"] == 0, "what came before that version is not new either"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            ["--system=weather"],
            "Drift of system 'weather' is not known; there are calls, chest, ctr, faces, lane, retail, tyre.",
        ),
        (["--system=ctr", "--alpha=0.9"], "--alpha is 0.9; it must be above 0 and below 0.5."),
        (["--system=ctr", "--rows=5"], "--rows is 5; it must be above 19"),
        (["--system=ctr", "--alarm-on=weather"], "--alarm-on names 'weather'; there are data and concept."),
        (["--system=ctr", "--data={clicks}/nowhere"], "The data folder .*nowhere does not exist"),
        (["--system=ctr", "--model={clicks}"], "model.onnx does not exist"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(
    flags: list[str], sentence: str, clicks: Path, forest: Path, drift: Callable[..., Compared]
) -> None:
    usual = [f"--baseline={clicks / 'baseline'}", f"--data={clicks / 'inputs'}", f"--model={forest}"]
    code, _, said = drift(*usual, *(flag.format(clicks=clicks) for flag in flags))
    assert code == program.BAD_INPUT
    assert re.search(sentence, said), said


def test_an_empty_version_and_one_of_other_columns_are_refused(
    clicks: Path, forest: Path, drift: Callable[..., Compared], tmp_path: Path
) -> None:
    usual = ["--system=ctr", f"--baseline={clicks / 'baseline'}", f"--model={forest}"]
    empty = tmp_path / "empty"
    empty.mkdir()
    code, _, said = drift(*usual, f"--data={empty}")
    assert code == program.BAD_INPUT and "There are no click logs under" in said
    other = tmp_path / "other"
    other.mkdir()
    rows = (clicks / "baseline" / "day_0").read_bytes().splitlines()
    (other / "day_0").write_bytes(b"\n".join(row.rpartition(b"\t")[0] for row in rows) + b"\n")
    code, _, said = drift(*usual, f"--data={other}")
    assert code == program.BAD_INPUT and "day_0" in said
