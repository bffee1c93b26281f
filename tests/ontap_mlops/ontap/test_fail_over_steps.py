"""From how the mirrors stand to what a fail over still has to do: every state, both ways."""

from __future__ import annotations

import itertools

import pytest

from ontap_mlops.ontap.errors import Unreachable, WrongState
from ontap_mlops.ontap.fail_over import BACK, PLANNED, RETURN, TO_SITE, UNPLANNED, Standing, steps
from ontap_mlops.ontap.mirrors import Mirror


def mirror(state: str, shows: bool = True) -> Mirror:
    snapshot = "snapmirror.1" if shows else ""
    return Mirror(uuid="u", source="a:tyres", destination="b:tyres", state=state, exported_snapshot=snapshot)


M, B, NEW, PAUSED = (mirror(state) for state in ("snapmirrored", "broken_off", "uninitialized", "paused"))
MADE = mirror("broken_off", shows=False)  # to turn the direction, and not resynced yet


def left(
    forward: Mirror | None,
    direction: str = TO_SITE,
    how: str = PLANNED,
    *,
    reverse: Mirror | None = None,
    home_answers: bool = True,
) -> list[str]:
    standing = Standing(dataset="tyres", site="west", forward=forward, reverse=reverse, home_answers=home_answers)
    return steps(standing, direction=direction, how=how)


def test_a_planned_fail_over_copies_the_last_before_it_breaks() -> None:
    assert left(M) == ["update", "settled", "break_off", "show_at_site"]


def test_an_unplanned_one_asks_nothing_of_home() -> None:
    assert left(M, how=UNPLANNED, home_answers=False) == ["break_off", "show_at_site"]


def test_done_again_it_only_sees_to_it_that_the_site_is_open() -> None:
    assert left(B) == left(B, how=UNPLANNED, home_answers=False) == ["show_at_site"]


def test_back_makes_sure_on_both_sides_that_nothing_is_lost() -> None:
    way = left(B, BACK)
    assert way == list(RETURN)
    assert way.index("kept_at_home") < way.index("turn"), "which overwrites home"
    assert way.index("hide_at_site") < way.index("last_update") < way.index("break_off_home")
    assert way.index("kept_at_site") < way.index("turn_again"), "which overwrites the site"


@pytest.mark.parametrize(
    ("forward", "reverse", "first"),
    [
        (B, None, "kept_at_home"),
        (B, MADE, "kept_at_home"),
        (B, M, "turn"),  # which has the old mirror to end still
        (None, M, "hide_at_site"),
        (None, B, "show_at_home"),
        (MADE, B, "show_at_home"),
        (M, B, "turn_again"),
    ],
)
def test_a_return_that_was_cut_off_goes_on_where_it_was(forward, reverse, first: str) -> None:
    assert left(forward, BACK, reverse=reverse)[0] == first


def test_a_return_that_is_over_only_sees_to_it_that_the_copy_is_shown() -> None:
    assert left(M, BACK) == ["show_copy"]


@pytest.mark.parametrize(
    ("said", "forward", "direction", "how", "other"),
    [
        ("is not there. Run the DAG replicate", None, TO_SITE, PLANNED, {}),
        ("is not there. Run the DAG replicate", None, BACK, PLANNED, {}),
        ("is uninitialized. A first transfer has not ended", NEW, TO_SITE, UNPLANNED, {}),
        ("is paused. Resume it", PAUSED, TO_SITE, PLANNED, {}),
        ("A return to home is under way", B, TO_SITE, PLANNED, {"reverse": M}),
        ("A return to home is under way", None, TO_SITE, UNPLANNED, {"reverse": B}),
        ("A return to home is under way", M, TO_SITE, PLANNED, {"reverse": B}),
        ("Resume it", B, BACK, PLANNED, {"reverse": PAUSED}),
        ("It has brought nothing yet", None, BACK, PLANNED, {"reverse": MADE}),
    ],
)
def test_from_any_other_state_it_is_refused_with_what_to_do(said, forward, direction, how, other) -> None:
    with pytest.raises(WrongState, match=f"^The mirror of tyres to site west .*{said}"):
        left(forward, direction, how, **other)


@pytest.mark.parametrize(
    ("said", "forward", "direction"),
    [("A planned .* choose 'unplanned'", M, TO_SITE), ("Nothing can be brought back", B, BACK)],
)
def test_a_home_that_is_needed_and_does_not_answer_may_answer_later(said, forward, direction) -> None:
    with pytest.raises(Unreachable, match=f"^The mirror of tyres to site west .*home does not answer. {said}"):
        left(forward, direction, home_answers=False)


def test_no_state_lets_a_volume_be_overwritten_before_it_was_looked_at() -> None:
    """But where the turn had been made, and only has to be ended."""
    states = (None, NEW, M, B, MADE, PAUSED)
    for forward, reverse, direction in itertools.product(states, states, (TO_SITE, BACK)):
        try:
            found = left(forward, direction, reverse=reverse)
        except WrongState:
            continue
        for turn, looked, turned in (("turn", "kept_at_home", reverse), ("turn_again", "kept_at_site", forward)):
            assert turn not in found or turned is M or looked in found[: found.index(turn)], (forward, reverse)
