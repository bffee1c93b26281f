"""Sizes of volumes: set, limited by what is in use, and left to ONTAP."""

from __future__ import annotations

import pytest

from ontap_mlops.ontap import sizes, volumes
from ontap_mlops.ontap.errors import InvalidRequest, NotFound, SpaceFull
from tests.ontap_mlops.conftest import GIB, SVM

MIB = 1024**2


def fill(ontap, megabytes: int) -> None:
    with (ontap.emulator.namespace / "tyre" / "filling").open("wb") as file:
        file.truncate(megabytes * MIB)


def test_a_volume_grows_and_shrinks_and_a_second_call_asks_for_nothing(client, volume, ontap):
    for size in (2 * GIB, GIB // 2):
        assert sizes.resize(client, svm=SVM, name="tyre", size_bytes=size).size_bytes == size
        ontap.forget_requests()
        assert sizes.resize(client, svm=SVM, name="tyre", size_bytes=size).size_bytes == size
        assert ontap.writes() == []


def test_what_is_in_use_is_not_cut_off_and_the_sentence_says_how_much_that_is(client, volume, ontap):
    fill(ontap, 100)
    with pytest.raises(InvalidRequest, match=r"'tyre' .* not shrunk to 104,857,600 bytes: 104,857,605 bytes are in"):
        sizes.resize(client, svm=SVM, name="tyre", size_bytes=100 * MIB)
    assert volumes.get(client, svm=SVM, name="tyre").size_bytes == GIB
    assert ontap.writes() == []


def test_no_room_and_no_volume_are_said(client, volume):
    with pytest.raises(SpaceFull, match="resize volume 'tyre' of SVM 'svm1'"):
        sizes.resize(client, svm=SVM, name="tyre", size_bytes=290 * 1024**4)
    with pytest.raises(NotFound, match="no volume 'nobody'"):
        sizes.resize(client, svm=SVM, name="nobody", size_bytes=GIB)


def test_ontap_sizes_a_volume_by_itself_until_it_is_told_not_to(client, volume, ontap):
    grows = {"mode": "grow", "maximum_bytes": 2 * GIB, "grow_threshold": 80}
    now = sizes.set_autosize(client, svm=SVM, name="tyre", **grows)
    assert (now.mode, now.maximum_bytes, now.grow_threshold, now.shrink_threshold) == ("grow", 2 * GIB, 80, 50)
    fill(ontap, 900)
    assert GIB < volumes.get(client, svm=SVM, name="tyre").size_bytes <= 2 * GIB
    ontap.forget_requests()
    assert sizes.set_autosize(client, svm=SVM, name="tyre", **grows).maximum_bytes == 2 * GIB
    assert ontap.writes() == []
    assert sizes.set_autosize(client, svm=SVM, name="tyre", mode="off").mode == "off"


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"mode": "up"}, "none of off, grow, grow_shrink"),
        ({"mode": "grow", "maximum_bytes": GIB // 2}, "maximum of 536,870,912"),
        (
            {"mode": "grow_shrink", "minimum_bytes": 4 * GIB, "maximum_bytes": 3 * GIB},
            "minimum of 4,294,967,296",
        ),
        ({"mode": "grow", "grow_threshold": 40}, "shrink_threshold of 50 is not below its grow_threshold of 40"),
    ],
    ids=str,
)
def test_limits_that_cross_change_nothing(client, volume, ontap, limits, said):
    with pytest.raises(InvalidRequest, match=said):
        sizes.set_autosize(client, svm=SVM, name="tyre", **limits)
    assert ontap.writes() == []
