"""Moves, splits, FlexGroups, tiering, efficiency and encryption through the official client."""

from __future__ import annotations

import pytest
from netapp_ontap.error import NetAppRestError
from netapp_ontap.resources import Aggregate, CloudStore, SecurityKeyManager, Volume

MB = 1024**2


def code_of(error: pytest.ExceptionInfo[NetAppRestError]) -> str:
    return str(error.value.http_err_response.http_response.json()["error"]["code"])


@pytest.fixture
def other(cluster) -> str:
    """An aggregate that the volume is not on."""
    found = [aggregate.name for aggregate in Aggregate.get_collection() if aggregate.name != cluster.aggregate]
    if not found:
        pytest.skip("the cluster has one aggregate only")
    return found[0]


def change(uuid: str, field: str, value: dict, **more) -> None:
    """PATCH one field; the library sends what was set since the resource was made."""
    resource = Volume(uuid=uuid)
    setattr(resource, field, value)
    resource.patch(**more)


def movement(volume):
    volume.get(fields="movement,aggregates")
    return volume.movement


def test_a_volume_moves_and_says_where_to_and_how_far(volume, other):
    volume.movement = {"destination_aggregate": {"name": other}}
    volume.patch(poll_interval=1)
    while movement(volume).state not in ("success", "failed"):
        pass
    assert (volume.movement.state, volume.movement.percent_complete) == ("success", 100)
    assert volume.movement.destination_aggregate.name == other
    assert [aggregate.name for aggregate in volume.aggregates] == [other]


@pytest.mark.parametrize(("there", "code"), [("", "918265"), ("no_such_aggregate", "918267")])
def test_a_move_to_where_it_is_or_to_nowhere_is_refused(cluster, volume, there, code):
    volume.movement = {"destination_aggregate": {"name": there or cluster.aggregate}}
    with pytest.raises(NetAppRestError) as refused:
        volume.patch(poll_interval=1)
    assert code_of(refused) == code


def test_a_move_is_aborted(volume, other, only_emulator):
    only_emulator.control("PUT", "/jobs", {"mode": "seconds", "value": 600})
    volume.movement = {"destination_aggregate": {"name": other}}
    volume.patch(poll=False)
    only_emulator.control("PUT", "/jobs", {"mode": "immediate"})
    assert movement(volume).state == "replicating"
    change(volume.uuid, "movement", {"state": "aborted"}, poll_interval=1)
    assert movement(volume).state == "aborted"


def test_a_split_is_stopped_and_begun_again(volume, snapshot, name, cluster, only_emulator):
    clone = Volume(name=f"{name}_c", svm={"name": cluster.svm})
    clone.clone = {"is_flexclone": True, "parent_volume": {"name": name}, "parent_snapshot": {"name": snapshot.name}}
    clone.post(hydrate=True, poll_interval=1)
    only_emulator.control("PUT", "/jobs", {"mode": "seconds", "value": 600})
    change(clone.uuid, "clone", {"split_initiated": True}, poll=False)
    clone.get(fields="clone")
    assert (clone.clone.split_initiated, clone.clone.is_flexclone) == (True, True)
    only_emulator.control("PUT", "/jobs", {"mode": "immediate"})
    for wanted, still in ((False, True), (True, False)):
        change(clone.uuid, "clone", {"split_initiated": wanted}, poll_interval=1)
        clone.get(fields="clone")
        assert clone.clone.is_flexclone is still
    clone.delete(poll_interval=1)


def test_a_flexgroup_has_constituents_of_equal_size(cluster, name):
    made = Volume(name=name, svm={"name": cluster.svm}, style="flexgroup", size=400 * MB, guarantee={"type": "none"})
    made.aggregates = [{"name": cluster.aggregate}]
    made.constituents_per_aggregate = 2
    made.post(hydrate=True, poll_interval=1)
    parts = list(Volume.get_collection(is_constituent=True, fields="size,aggregates", **{"flexgroup.uuid": made.uuid}))
    assert [part.name for part in parts] == [f"{name}__0001", f"{name}__0002"]
    assert {part.size for part in parts} == {200 * MB}
    assert [volume.name for volume in Volume.get_collection(name=f"{name}*")] == [name]
    made.delete(poll_interval=1)


def test_tiering_and_savings_are_set_and_read_back(volume):
    volume.tiering = {"policy": "auto", "min_cooling_days": 40}
    volume.efficiency = {"compression": "both"}
    volume.patch(poll_interval=1)
    volume.get(fields="tiering,efficiency")
    assert (volume.tiering.policy, volume.tiering.min_cooling_days) == ("auto", 40)
    assert (volume.efficiency.compression, volume.efficiency.state) == ("both", "enabled")


def test_autosize_limits_are_read_back(volume):
    volume.autosize = {"mode": "grow_shrink", "maximum": 80 * MB, "grow_threshold": 90}
    volume.patch(poll_interval=1)
    volume.get(fields="autosize")
    assert (volume.autosize.mode, volume.autosize.maximum, volume.autosize.grow_threshold) == (
        "grow_shrink",
        80 * MB,
        90,
    )


def test_the_object_store_of_an_aggregate_says_whether_it_is_reached(only_emulator):
    aggregate = next(iter(Aggregate.get_collection(name="aggr2")))
    (store,) = CloudStore.get_collection(aggregate.uuid, fields="availability,target")
    assert (store.target.name, store.availability) == ("cold_data", "available")


@pytest.fixture
def managers(only_emulator):
    """The key managers made by the test, removed when its volumes are gone."""
    made = []
    yield made
    for manager in made:
        manager.delete(poll_interval=1)


def test_volumes_are_encrypted_once_there_is_a_key_manager(managers, volume):
    with pytest.raises(NetAppRestError, match="no key manager"):
        change(volume.uuid, "encryption", {"enabled": True}, poll_interval=1)
    manager = SecurityKeyManager(onboard={"passphrase": "p" * 64})
    manager.post(hydrate=True)
    managers.append(manager)
    change(volume.uuid, "encryption", {"enabled": True}, poll_interval=1)
    volume.get(fields="encryption")
    assert (volume.encryption.state, volume.encryption.type) == ("encrypted", "volume")
    with pytest.raises(NetAppRestError, match="is encrypted with its keys"):
        manager.delete(poll_interval=1)
