"""Service levels of a volume: taken, shared, given back, and put back when their run was lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ontap_mlops.ontap import moves, qos, service_levels, tiering
from ontap_mlops.ontap.errors import Locked, NotFound, SpaceFull
from ontap_mlops.ontap.service_levels import Terms
from tests.ontap_mlops.conftest import SVM

FAST = Terms(level="extreme", qos_policy="extreme", tiering="none")
COLD = Terms(level="value", qos_policy="value", tiering="auto", cooling_days=40)
UNTIL = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def volume(client, volume):
    """On the aggregate that has an object store, tiering its snapshots."""
    moves.begin(client, svm=SVM, name="tyre", aggregate="aggr2")
    tiering.set_policy(client, svm=SVM, name="tyre", policy="snapshot_only", cooling_days=9)
    return volume


def take(client, terms, holder="r1", until=UNTIL):
    return service_levels.take(client, svm=SVM, volume="tyre", terms=terms, holder=holder, until=until)


def give_back(client, holder="r1"):
    return service_levels.give_back(client, svm=SVM, volume="tyre", holder=holder)


def state(client, ontap):
    held = service_levels.read(client, svm=SVM, volume="tyre")
    return held.tiering, qos.level(client, svm=SVM, volume="tyre").policy, held.level


def test_a_level_is_given_and_what_was_before_comes_back_without_a_trace(client, volume, ontap):
    held, before, remarks = take(client, COLD)
    assert (held.before, before, remarks) == ("snapshot_only/9", "none", [])
    assert state(client, ontap) == ("auto/40", "value", "value")
    ontap.forget_requests()
    assert take(client, COLD)[1] == "none"
    assert ontap.writes() == [], "a retry changes nothing"
    held, policy = give_back(client)
    assert (held.tiering, policy, held.tags) == ("snapshot_only/9", "none", ())
    assert give_back(client)[1] == "none"


def test_runs_that_want_the_same_share_it_and_one_that_wants_another_is_refused_with_the_end(client, volume, ontap):
    take(client, COLD)
    take(client, COLD, "r2", UNTIL + timedelta(hours=1))
    with pytest.raises(Locked, match="level 'value' for r1 until 2030-01-01 12:00 UTC, r2 until 2030-01-01 13:00 UTC"):
        take(client, FAST, "r3")
    give_back(client)
    assert state(client, ontap) == ("auto/40", "value", "value")
    give_back(client, "r2")
    assert state(client, ontap) == ("snapshot_only/9", "none", None)


def test_a_run_may_change_its_own_level_and_the_first_state_comes_back(client, volume, ontap):
    take(client, COLD)
    take(client, FAST)
    assert state(client, ontap) == ("none/-", "extreme", "extreme")
    give_back(client)
    assert state(client, ontap) == ("snapshot_only/9", "none", None)


def test_what_somebody_else_sets_meanwhile_stays(client, volume, ontap):
    take(client, COLD)
    tiering.set_policy(client, svm=SVM, name="tyre", policy="all")
    client.modify("Volume", {"uuid": volume.uuid}, {"qos": {"policy": {"name": "performance"}}}, asked="set QoS")
    give_back(client)
    assert state(client, ontap) == ("all/-", "performance", None)


def test_the_tags_of_others_stay(client, volume):
    client.modify("Volume", {"uuid": volume.uuid}, {"_tags": ["team:vision"]}, asked="tag")
    take(client, COLD)
    assert give_back(client)[0].tags == ("team:vision",)


def test_without_an_object_store_the_rest_of_the_level_is_given_and_it_is_said(client, volume, ontap):
    moves.begin(client, svm=SVM, name="tyre", aggregate="aggr1")
    _, _, (remark,) = take(client, COLD)
    assert remark.startswith("The tiering stays snapshot_only: Volume 'tyre' of SVM 'svm1' lies on aggregate 'aggr1'")
    assert state(client, ontap) == ("snapshot_only/9", "value", "value")
    give_back(client)
    assert state(client, ontap) == ("snapshot_only/9", "none", None)


def test_an_unknown_policy_or_volume_changes_nothing(client, volume, ontap):
    ontap.forget_requests()
    with pytest.raises(NotFound, match="no QoS policy 'nobody'"):
        take(client, Terms(level="x", qos_policy="nobody"))
    with pytest.raises(NotFound, match="no volume 'nobody'"):
        service_levels.take(client, svm=SVM, volume="nobody", terms=FAST, holder="r1", until=UNTIL)
    assert service_levels.give_back(client, svm=SVM, volume="nobody", holder="r1") is None
    assert ontap.writes() == []


def test_levels_whose_time_is_over_are_found(client, volume):
    take(client, COLD)
    assert service_levels.overdue(client, svm=SVM, now=UNTIL) == []
    assert service_levels.overdue(client, svm=SVM, now=UNTIL + timedelta(seconds=1)) == [("tyre", "r1")]


def test_the_roomiest_aggregate_that_fits_is_chosen(client, volume, ontap):
    held = service_levels.read(client, svm=SVM, volume="tyre")
    place = {"held": held, "tiers": False}
    assert service_levels.destination(client, patterns=["aggr*"], **place) is None, "it is on one that fits"
    assert service_levels.destination(client, patterns=["aggr1"], **place) == "aggr1"
    with pytest.raises(NotFound, match="No aggregate with an object store is called aggr1"):
        service_levels.destination(client, patterns=["aggr1"], held=held, tiers=True)
    ontap.limits(aggregate_bytes=1)
    with pytest.raises(SpaceFull, match="'aggr1' has 1 bytes free"):
        service_levels.destination(client, patterns=["aggr1"], **place)
