"""Between two looks at a wait that lasts long lies more time, and never so much that its end is noticed late."""

from __future__ import annotations

import pytest

from ontap_mlops.triggers.polling import PollingTrigger


@pytest.mark.parametrize(("lasted_s", "pause_s"), [(0, 1), (49, 1), (100, 2), (600, 12), (1500, 30), (100_000, 30)])
def test_a_look_comes_a_fiftieth_of_the_time_later_at_most_half_a_minute(lasted_s: float, pause_s: float) -> None:
    assert PollingTrigger("p", {}, interval_s=1, slower_s=30).pause(lasted_s) == pause_s


def test_an_interval_that_is_asked_for_is_never_shortened_and_kept_where_nothing_else_is_said() -> None:
    assert PollingTrigger("p", {}, interval_s=60, slower_s=30).pause(100_000) == 60
    assert PollingTrigger("p", {}, interval_s=5).pause(100_000) == 5


def test_a_triggerer_that_takes_it_over_keeps_to_it() -> None:
    made = PollingTrigger("p", {}, slower_s=30)
    assert PollingTrigger(**made.serialize()[1]).slower_s == 30
