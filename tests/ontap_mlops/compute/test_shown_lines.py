"""What a program calls a warning is one in the task's log."""

from __future__ import annotations

import logging

import pytest

from ontap_mlops.compute.following import show
from tasks.common.progress import warn


def test_a_programs_warning_is_a_warning_of_the_task(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    warn("2 of 10 files are broken: a.png, b.png")
    with caplog.at_level(logging.INFO):
        for line in (*capsys.readouterr().err.splitlines(), "Reading: WARNING: is a word", "100%"):
            show(logging.getLogger("task"), line)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "2 of 10 files are broken: a.png, b.png"),
        ("INFO", "Reading: WARNING: is a word"),
        ("INFO", "100%"),
    ]
