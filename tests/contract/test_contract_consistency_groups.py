"""Consistency groups through the official client."""

from __future__ import annotations

from netapp_ontap.resources import ConsistencyGroup, ConsistencyGroupSnapshot, Snapshot


def test_a_group_is_made_frozen_and_dissolved(cluster, volume):
    group = ConsistencyGroup(
        name=f"{volume.name}_cg",
        svm={"name": cluster.svm},
        volumes=[{"name": volume.name, "provisioning_options": {"action": "add"}}],
    )
    group.post(hydrate=True, poll_interval=1)
    (found,) = ConsistencyGroup.get_collection(name=group.name, fields="*")
    assert [member.name for member in found.volumes] == [volume.name]
    snapshot = ConsistencyGroupSnapshot.from_dict({"name": "s1", "comment": "both"}, found.uuid)
    snapshot.post(poll_interval=1)
    (frozen,) = ConsistencyGroupSnapshot.get_collection(found.uuid, fields="*")
    assert (frozen.name, frozen.comment, frozen.is_partial) == ("s1", "both", False)
    assert [s.name for s in Snapshot.get_collection(volume.uuid)] == ["s1"]
    ConsistencyGroup(uuid=found.uuid).patch(**{"restore_to.snapshot.name": "s1"}, poll_interval=1)
    ConsistencyGroup(uuid=found.uuid).delete(poll_interval=1)
    assert list(ConsistencyGroup.get_collection(name=group.name)) == []
