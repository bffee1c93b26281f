from __future__ import annotations

import json
import sys
import time

import pytest

from tasks.common import progress
from tasks.common.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Holds the time in seconds, to be set by the test."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_a_line_says_count_rate_and_time_left(clock, capsys):
    with Progress(100, "images", "Reading") as bar:
        clock[0] += 10
        bar.advance(25, "1 left out")
    assert lines(capsys) == [
        "Reading: 25 of 100 images (25%), 2.5 images/s, 30 s left; 1 left out",
        "Reading: done, 25 images in 10.0 s, 2.5 images/s; 1 left out",
    ]


def test_lines_come_every_few_seconds_only(clock, capsys):
    with Progress(1000, "images", "Reading") as bar:
        for _ in range(200):
            clock[0] += 0.1
            bar.advance()
    assert 3 <= len(lines(capsys)) - 1 <= 4


def test_bytes_are_shown_in_readable_units(clock):
    bar = Progress(3 * 2**20, "B", "Copying")
    clock[0] += 2
    bar.advance(2**20)
    assert bar.line() == "Copying: 1.0 MiB of 3.0 MiB (33%), 512.0 KiB/s, 4 s left"


def test_an_unknown_total_has_no_share(clock):
    bar = Progress(None, "files", "Listing")
    clock[0] += 1
    bar.advance(7)
    assert bar.line() == "Listing: 7 files, 7.0 files/s"


def test_a_person_sees_a_bar_on_one_line(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Progress(4, "images", "Reading") as bar:
        clock[0] += 1
        bar.advance(2)
    shown = capsys.readouterr().err
    assert "[##########          ] 2 of 4 images" in shown
    assert shown.count("\n") == 1


def test_an_error_ends_it_as_stopped(clock, capsys):
    with pytest.raises(ValueError), Progress(4, "images", "Reading"):
        raise ValueError
    assert lines(capsys)[-1].startswith("Reading: stopped, 0 images")


def test_progress_is_kept_in_the_file_that_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PROGRESS_FILE", str(tmp_path / "progress.json"))
    with Progress(10, "rows", "Reading", every_s=0) as progress:
        progress.advance(4)
        kept = json.loads((tmp_path / "progress.json").read_text())
    assert {name: kept[name] for name in ("what", "unit", "done", "total")} == {
        "what": "Reading",
        "unit": "rows",
        "done": 4,
        "total": 10,
    }
    assert abs(kept["at"] - time.time()) < 60


def test_a_progress_file_that_cannot_be_written_stops_no_work(tmp_path, monkeypatch):
    monkeypatch.setenv("PROGRESS_FILE", str(tmp_path / "missing" / "progress.json"))
    with Progress(1, "rows", "Reading", every_s=0) as progress:
        progress.advance()
    assert progress.done == 1
