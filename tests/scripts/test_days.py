"""Time travel on the first day: ONTAP's clock is right again whatever happens, and each date gets its own row."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts import days, demo
from scripts.embedded import secrets
from scripts.embedded.layout import Layout
from tests.conftest import Emulator

TODAY = date(2026, 11, 20)


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(days, "today", lambda: TODAY)


class OfEmulator(Layout):
    """A folder of services whose ONTAP runs elsewhere."""

    ca: Path

    @property
    def ontap_ca(self) -> Path:
        return type(self).ca


@pytest.fixture
def stack(emulator: Emulator, tmp_path: Path) -> Iterator[Any]:
    OfEmulator.ca = Path(str(emulator.ca))
    layout = OfEmulator(tmp_path)
    layout.make()
    secrets.get(layout, secrets.ONTAP_ADMIN)
    secrets.path(layout, secrets.ONTAP_ADMIN).write_text(emulator.password)
    yield SimpleNamespace(layout=layout, urls={"ontap": emulator.url})
    emulator.control("PUT", "/clock", {"offset_s": 0})


class Run:
    """A demo whose ingest notes what ONTAP's clock says; ``then`` happens in the second of them."""

    def __init__(self, stack: Any, emulator: Emulator, versions: list[Any] | None = None, then: Any = None) -> None:
        self.stack, self.emulator, self.then = stack, emulator, then
        self.number = 1
        self.made: list[datetime] = []
        self.filled: list[int] = []
        self.paused: list[str] = []
        self.system = SimpleNamespace(ingest_dag="ingest", train_dag="train")
        self.api = SimpleNamespace(pause=self.paused.append)
        self.versions = lambda: versions or []
        self.begin = lambda key, sentence: None
        self.end = lambda: None

    def run_ingest(self) -> None:
        self.made.append(datetime.fromisoformat(self.emulator.control("GET", "/clock")["now"]))
        if self.then and len(self.made) == 2:
            self.then()

    def fill_lake(self) -> None:
        self.filled.append(self.number)


def offset(emulator: Emulator) -> float:
    return emulator.control("GET", "/clock")["offset_s"]


def test_each_past_day_gets_a_version_of_its_own_data_before_it_begins(stack, emulator) -> None:
    run = Run(stack, emulator)
    days.make_versions(run, 3)  # type: ignore[arg-type]
    assert [made.date() for made in run.made] == [TODAY - timedelta(days=back) for back in (4, 3, 2)]
    assert {made.hour for made in run.made} == {22}
    assert run.filled == [2, 3, 4], "after each version the lake holds the next day's data"
    assert run.paused == ["train"], "no past version starts a training"
    assert offset(emulator) == 0


def fail() -> None:
    raise RuntimeError("ingest failed")


def interrupt() -> None:
    raise KeyboardInterrupt


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("then", "error"), [(fail, RuntimeError), (interrupt, KeyboardInterrupt), (terminate, SystemExit)]
)
def test_the_clock_is_right_again_however_it_ends(then, error, stack, emulator) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(error):
        days.make_versions(Run(stack, emulator, then=then), 3)  # type: ignore[arg-type]
    assert offset(emulator) == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_clock_that_a_killed_demo_left_moved_is_put_right_by_the_next(stack, emulator) -> None:
    (stack.layout.local / "clock-moved").touch()
    emulator.control("PUT", "/clock", {"offset_s": -86400})
    days.put_back(stack)
    assert offset(emulator) == 0


def test_a_clock_that_somebody_else_has_set_stays(stack, emulator) -> None:
    emulator.control("PUT", "/clock", {"offset_s": -86400})
    days.put_back(stack)
    assert offset(emulator) == -86400


def test_nothing_is_made_before_a_version_that_is_there(stack, emulator, capsys, monkeypatch) -> None:
    monkeypatch.setattr("scripts.days.dataset_versions.when", lambda version: version)
    run = Run(stack, emulator, versions=[days.made_at(TODAY - timedelta(days=2))])
    days.make_versions(run, 3)  # type: ignore[arg-type]
    assert [made.date() for made in run.made] == [TODAY - timedelta(days=2)]
    assert capsys.readouterr().out.count("is there, so none is made before it") == 2


def test_the_table_has_a_line_for_each_date() -> None:
    summary = {
        "dataset_version": {"id": "v20261123t220000z0a1b2c3d", "files": 600},
        "metrics": {"challenger": {"accuracy": 0.9, "roc_auc": 0.95}},
    }
    rows = [days.row(date(2026, 11, 23), None), days.row(date(2026, 11, 24), summary)]
    _, head, nothing, line = days.table(rows)
    assert head.split() == ["date", "trained", "on", "version", "files", "accuracy", "f1", "roc_auc"]
    assert nothing.split()[:2] == ["2026-11-23", "nothing:"]
    assert line.split() == ["2026-11-24", "v20261123t220000z0a1b2c3d", "600", "0.900", "-", "0.950"]
    assert days.table([]) == [], "a demo without DAYS says nothing of it"


@pytest.mark.parametrize("text", ["0", "-1", "three", "15", "1.5", "\u00b2"])
def test_a_number_of_days_that_cannot_be_is_refused(text: str, capsys) -> None:
    with pytest.raises(SystemExit):
        demo.options(["tyre", f"--days={text}"])
    assert "is no number of days from 1 to 14" in capsys.readouterr().err
