"""A volume's QoS policy is raised while somebody needs it, and is afterwards what it was."""

from __future__ import annotations

import os
import signal

import pytest

from ontap_mlops.ontap import errors, qos

SVM = "svm1"
WHAT = {"svm": SVM, "volume": "tyre"}


def level(client) -> qos.Level:
    found = qos.level(client, **WHAT)
    assert found is not None
    return found


def give(ontap, volume, **body) -> None:
    path = f"/api/storage/volumes/{volume.uuid}?return_timeout=20"
    ontap.http.patch(path, json=body).raise_for_status()


def policy(name: str) -> dict:
    return {"qos": {"policy": {"name": name}}}


def raise_(client, holder: str, to: str = "extreme") -> str:
    return qos.raise_policy(client, **WHAT, policy=to, holder=holder)


def lower(client, holder: str) -> str | None:
    return qos.lower_policy(client, **WHAT, holder=holder)


@pytest.mark.parametrize("before", ["none", "value"])
def test_what_was_there_before_comes_back(client, volume, ontap, before):
    give(ontap, volume, **policy(before), _tags=["team:vision"])
    assert raise_(client, "r1") == before
    assert level(client).policy == "extreme"
    assert lower(client, "r1") == before
    assert level(client) == qos.Level(
        volume_uuid=volume.uuid,
        policy=before,
        before=None,
        raised=None,
        holders=frozenset(),
        other_tags=("team:vision",),
    )


def test_policy_and_note_change_in_one_request(client, volume, ontap):
    raise_(client, "r1")
    lower(client, "r1")
    assert ontap.writes() == [f"PATCH /api/storage/volumes/{volume.uuid}"] * 2


def test_doing_either_twice_changes_nothing(client, volume, ontap):
    for _ in range(2):
        assert raise_(client, "r1") == "none"
    for _ in range(2):
        assert lower(client, "r1") == "none"
    assert len(ontap.writes()) == 2


def test_the_last_of_overlapping_runs_puts_it_back(client, volume):
    raise_(client, "r1")
    assert raise_(client, "r2") == "none"
    assert lower(client, "r1") == "extreme"
    assert lower(client, "r2") == "none"


def test_a_policy_given_by_somebody_else_meanwhile_stays(client, volume, ontap):
    raise_(client, "r1")
    give(ontap, volume, **policy("performance"))
    assert lower(client, "r1") == "performance"
    assert level(client).holders == frozenset()


def test_lowering_what_was_never_raised_changes_nothing(client, volume, ontap):
    assert lower(client, "r1") == "none"
    assert ontap.writes() == []


def test_a_volume_that_is_gone_has_nothing_to_lower(client, ontap):
    assert lower(client, "r1") is None


def test_an_unknown_policy_is_named(client, volume):
    with pytest.raises(errors.NotFound, match="QoS policy 'platinum'.*does not exist"):
        raise_(client, "r1", to="platinum")
    assert level(client).holders == frozenset()


def test_an_unknown_volume_is_named(client, ontap):
    with pytest.raises(errors.NotFound, match="volume 'tyre' of SVM 'svm1'"):
        raise_(client, "r1")


def test_a_lost_answer_is_no_second_raise(client, volume, ontap):
    give(ontap, volume, **policy("value"))
    ontap.fault("PATCH", "/api/storage/volumes/.*", "lost_answer", times=1)
    assert raise_(client, "r1") == "value"
    assert lower(client, "r1") == "value"


def test_a_worker_killed_after_its_request_leaves_what_the_next_try_puts_back(client, volume, ontap):
    give(ontap, volume, **policy("value"))
    child = os.fork()
    if child == 0:
        raise_(ontap.client(), "r1")
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert level(client).policy == "extreme"
    assert raise_(client, "r1") == "value", "the second try tells what the first one found"
    assert lower(client, "r1") == "value"
