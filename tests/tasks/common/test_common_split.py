from __future__ import annotations

import hashlib

import pytest

from tasks.common.program import BadInput
from tasks.common.split import Split


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def test_the_held_out_share_is_kept():
    held = sum(Split(0.19).held_out("key", digest(number)) for number in range(20_000))
    assert held / 20_000 == pytest.approx(0.19, abs=0.01)


def test_a_smaller_share_holds_out_a_part_of_what_a_larger_one_does():
    small, large = ({n for n in range(2000) if Split(share).held_out("", digest(n))} for share in (0.1, 0.3))
    assert small < large


def test_what_the_pattern_joins_is_on_one_side_and_the_rest_goes_by_content():
    split = Split(0.5, r"^(\w+)_\d")
    sides = {split.held_out(f"tyre_{number}", digest(number)) for number in range(20)}
    assert len(sides) == 1
    alone = [split.held_out("other", digest(number)) for number in range(20)]
    assert alone == [Split(0.5).held_out("other", digest(number)) for number in range(20)]


def test_it_is_kept_as_json():
    assert Split.from_json(Split(0.2, "a.").to_json()) == Split(0.2, "a.")
    with pytest.raises(KeyError):
        Split.from_json({"group": ""})


@pytest.mark.parametrize(
    ("share", "group", "sentence"), [(1.5, "", "--held-out-share is 1.5"), (0.5, "(", "is no regular expression")]
)
def test_bad_input_is_one_sentence(share, group, sentence):
    with pytest.raises(BadInput, match=sentence):
        Split(share, group)
