"""Which index serves, and which did: the last of a list that only grows, or the last whose documents are old enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.common.program import BadInput
from tasks.documents.serving import SERVING, Served, as_of, current, history, serve

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def served(run: str, days: int, threshold: float = 0.5) -> Served:
    at = NOON + timedelta(days=days)
    return Served(run, f"mlops_{run}", f"documents-{days}", at, NOON + timedelta(days=30), threshold)


def test_the_last_serves_and_the_earlier_ones_tell_of_their_dates(tmp_path: Path):
    assert (current(tmp_path), as_of(tmp_path, NOON)) == (None, None)
    one, two = served("r1", 0), served("r2", 5, 0.4)
    serve(tmp_path, one, instead_of=None)
    serve(tmp_path, two, instead_of="r1")
    assert history(tmp_path) == [one, two]
    assert current(tmp_path) == two
    assert as_of(tmp_path, NOON + timedelta(days=4)) == one
    assert as_of(tmp_path, NOON + timedelta(days=5)) == two
    assert as_of(tmp_path, NOON - timedelta(seconds=1)) is None
    serve(tmp_path, one, instead_of="r2")
    assert current(tmp_path) == one, "put back"


def test_who_was_judged_against_another_does_not_serve(tmp_path: Path):
    serve(tmp_path, served("r1", 0), instead_of=None)
    serve(tmp_path, served("r2", 1), instead_of="r1")
    with pytest.raises(BadInput, match="index of run r2 serves meanwhile, not that of r1"):
        serve(tmp_path, served("r3", 2), instead_of="r1")
    serve(tmp_path, served("r2", 1), instead_of="r1")
    assert len(history(tmp_path)) == 2, "done once, it is done"


@pytest.mark.parametrize("text", ["{", "{}x", '[{"run_key": "r1"}]', "[1]"])
def test_a_file_that_does_not_tell_is_no_empty_one(tmp_path: Path, text: str):
    (tmp_path / SERVING).write_text(text)
    with pytest.raises(BadInput, match="does not tell which index serves"):
        current(tmp_path)
