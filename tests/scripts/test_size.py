"""`make size`: the published rules, what was measured beside them, and bad numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts import size
from scripts.size import Asked, rows

MEASURED: list[dict[str, Any]] = [
    {"use": "train", "tokens": 128, "trained": 1.0, "moving": 0.25, "said": "small batch"},
    {"use": "train", "tokens": 4096, "trained": 1.0, "moving": 0.75, "said": "large batch"},
    {"use": "train", "tokens": 1024, "trained": 0.16, "moving": 0.5, "said": "upper layers"},
    {"use": "train", "tokens": 0, "trained": 1.0, "moving": 9.0, "said": "pictures"},
    {"use": "answer", "tokens": 1024, "trained": 0.0, "moving": 0.1, "said": "answers"},
]


@pytest.fixture
def report(tmp_path: Path) -> Path:
    told = {"on": "on a CPU", "measured": "2026-11-28", "checkpoint_bytes_a_parameter": 12.01, "rows": MEASURED}
    path = tmp_path / "size.json"
    path.write_text(json.dumps(told))
    return path


def test_the_rules_are_the_published_ones():
    train, answer = rows(Asked(70e9, tokens=512, sequences=1), [])
    assert train.rule == 5600e9 and train.corrected is None
    assert answer.rule == 70e9 * 4 + 512e6
    part = rows(Asked(1e9, trained=0.5, bits=16), [])[1]
    assert part.rule == (4 + 76 * 0.5) * 1e9
    assert (train.fixed, part.fixed) == (70e9 * 16, 1e9 * (4 + 12 * 0.5))


def test_the_nearest_measurement_corrects():
    train, part, answer = rows(Asked(1e9, tokens=512, sequences=8, trained=0.1), MEASURED)
    assert (train.where, train.corrected) == ("large batch", (16 + 64 * 0.75) * 1e9)
    assert part.where == "upper layers" and answer.where == "answers"


def test_the_command_tells_gpus_and_disk(report: Path, capsys: pytest.CaptureFixture[str]):
    assert size.main(["7e9", "--tokens", "512", "--sequences", "8"], report) == 0
    said = capsys.readouterr().out
    assert "560.0" in said and "x 0.75" in said and "448.0" in said and "7 (6)" in said
    assert "28.4" in said, "weights, and a tenth of what the rule says of tokens"
    assert "28.0 GB at 32 bit, 14.0 GB at 16" in said and "84.0 GB (measured: 12.01 bytes a parameter)" in said
    assert "not yet measured on a GPU" in said


def test_without_a_measurement_the_rules_stand_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert size.main(["1e9"], tmp_path / "none.json") == 0
    said = capsys.readouterr().out
    assert "not measured" in said and "Nothing is measured here yet" in said


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "Say how many parameters"),
        (["many"], "PARAMETERS is 'many', which is no number"),
        (["-1"], "PARAMETERS is -1; it must be above 0."),
        (["0"], "PARAMETERS is 0; it must be above 0."),
        (["inf"], "must be above 0"),
        (["1e9", "--tokens", "x"], "TOKENS is 'x'"),
        (["1e9", "--bits", "12"], "--bits is 12"),
        (["1e9", "--trained-share", "2"], "at most 1"),
        (["1e9", "--speed", "3"], "such as: make size"),
    ],
)
def test_a_number_that_means_nothing_is_one_sentence(arguments: list[str], reason: str, capsys, report: Path):
    assert size.main(arguments, report) == 2
    told = capsys.readouterr()
    assert reason in told.err and len(told.err.strip().splitlines()) == 1 and not told.out


def test_what_is_measured_here_is_what_the_command_reads(capsys: pytest.CaptureFixture[str]):
    measured = json.loads(size.MEASURED.read_text())
    assert {each["use"] for each in measured["rows"]} == {"train", "answer"}
    assert all(0 < each["moving"] < 20 for each in measured["rows"])
    assert size.main(["22.7e6"]) == 0 and measured["measured"] in capsys.readouterr().out
