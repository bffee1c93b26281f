"""How warm a cache is, is measured by reading a sample twice; the verdict follows from what both readings took."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.common.listing import Local
from tasks.common.program import BadInput
from tasks.data import warmth


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    for number in range(20):
        path = tmp_path / "cache" / f"folder{number % 3}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]) * 200_000)
    (tmp_path / "cache" / "empty").touch()
    return tmp_path / "cache"


def clock(first_s: float, second_s: float, files: int) -> Callable[[], float]:
    """A clock by which each file of the two readings takes so long."""
    steps = [*([0.0, first_s] * files), *([0.0, second_s] * files)]
    return iter(steps).__next__


def measured(cache: Path, *more: str, **other: Any) -> dict[str, Any]:
    return warmth.warmth(warmth.parse([f"--folder={cache}", *more]), **other)


@pytest.mark.parametrize(
    ("first_s", "second_s", "verdict"),
    [(0.1, 0.1, "warm"), (0.1, 0.08, "warm"), (0.1, 0.05, "cold"), (1.0, 0.01, "cold"), (0.01, 0.1, "warm")],
)
def test_a_first_reading_that_is_as_fast_as_the_second_is_of_a_warm_cache(cache, first_s, second_s, verdict):
    found = measured(cache, clock=clock(first_s, second_s, 20))
    assert found["verdict"] == verdict
    assert found["ratio"] == pytest.approx(second_s / first_s, abs=0.001)
    assert (found["files"], found["bytes"]) == (20, 4_000_000)
    assert found["first"] == {
        "mb_s": pytest.approx(4 / (20 * first_s), abs=0.01),
        "files_s": pytest.approx(1 / first_s, abs=0.1),
        "seconds": pytest.approx(20 * first_s),
    }


def test_from_which_ratio_on_it_is_warm_is_the_users_to_say(cache):
    assert measured(cache, "--warm-from=0.4", clock=clock(0.1, 0.05, 20))["verdict"] == "warm"


def test_too_few_bytes_or_too_short_a_time_tell_nothing(cache):
    assert measured(cache, "--files=2", clock=clock(1, 1, 2))["verdict"] == "too_little_to_tell"
    assert measured(cache, clock=clock(0.0001, 0.0001, 20))["verdict"] == "too_little_to_tell"


def test_the_sample_follows_from_the_names_and_the_seed_alone():
    names = [Local(f"{number}.bin", 10, 0, 0) for number in range(100)]
    chosen = warmth.sample(names, 10, 1)
    assert warmth.sample(list(reversed(names)), 10, 1) == chosen
    assert warmth.sample(names, 10, 2) != chosen
    assert len(set(chosen)) == 10 and warmth.sample(names, 1000, 1)[:10] == chosen


def test_what_cannot_be_read_is_said(cache, tmp_path):
    for folder, sentence in ((tmp_path / "nowhere", "is no folder"), (tmp_path / "none", "holds no file")):
        (tmp_path / "none").mkdir(exist_ok=True)
        with pytest.raises(BadInput, match=sentence):
            measured(folder)
    with pytest.raises(BadInput, match="--files is 0"):
        measured(cache, "--files=0")
    (cache / "folder0" / "away").symlink_to("not in this cache, and its origin cannot be reached: away")
    with pytest.raises(BadInput, match="away"):
        measured(cache)


def test_as_a_program_it_reads_real_files_and_writes_the_result(cache, program_of):
    code, result, _ = program_of("tasks.data.warmth")(f"--folder={cache}")
    assert (code, result["files"], result["bytes"]) == (0, 20, 4_000_000)
    assert result["verdict"] in ("warm", "cold", "too_little_to_tell")
    assert result["first"]["mb_s"] > 0
