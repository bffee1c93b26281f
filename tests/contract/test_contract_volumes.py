"""Volumes through the official client."""

from __future__ import annotations

import pytest
from netapp_ontap.error import NetAppRestError
from netapp_ontap.resources import Volume


def code_of(error: pytest.ExceptionInfo[NetAppRestError]) -> str:
    return str(error.value.http_err_response.http_response.json()["error"]["code"])


def test_a_new_volume_is_found_by_name_with_the_fields_that_are_named(cluster, volume, name):
    found = Volume.find(name=name, svm={"name": cluster.svm}, fields="size,nas.path,comment,state,space,svm.name")
    assert found.uuid == volume.uuid
    assert (found.size, found.nas.path, found.comment, found.state) == (
        20 * 1024**2,
        f"/{name}",
        "contract test",
        "online",
    )
    assert found.space.used >= 0 and found.space.available > 0


def test_a_volume_can_be_grown_renamed_and_commented(volume, name):
    volume.size = 40 * 1024**2
    volume.comment = "changed"
    volume.name = name + "_2"
    volume.patch(poll_interval=1)
    volume.get()
    assert (volume.size, volume.comment, volume.name) == (40 * 1024**2, "changed", name + "_2")


def test_an_empty_path_unmounts(volume):
    volume.nas = {"path": ""}
    volume.patch(poll_interval=1)
    volume.get(fields="name,nas.path")
    assert "nas" not in volume.to_dict()


def test_a_volume_goes_offline_and_online(volume):
    for state in ("offline", "online"):
        volume.state = state
        volume.patch(poll_interval=1)
        volume.get()
        assert volume.state == state


def test_unix_permissions_are_octal_digits(volume):
    volume.nas = {"unix_permissions": 770, "uid": 0, "gid": 0}
    volume.patch(poll_interval=1)
    volume.get(fields="nas.unix_permissions,nas.uid")
    assert (volume.nas.unix_permissions, volume.nas.uid) == (770, 0)


def test_a_taken_name_is_refused_with_its_code(cluster, volume, name):
    twin = Volume(name=name, svm={"name": cluster.svm}, aggregates=[{"name": cluster.aggregate}])
    with pytest.raises(NetAppRestError) as refused:
        twin.post(poll_interval=1)
    assert code_of(refused) == "917526"


def test_a_deleted_volume_is_gone(cluster, name):
    made = Volume(name=name, svm={"name": cluster.svm}, aggregates=[{"name": cluster.aggregate}])
    made.post(poll_interval=1)
    made.delete(poll_interval=1)
    assert Volume.find(name=name) is None


def test_a_name_pattern_selects_and_pages_are_followed(cluster, name):
    for number in range(3):
        Volume(name=f"{name}_{number}", svm={"name": cluster.svm}, aggregates=[{"name": cluster.aggregate}]).post(
            poll_interval=1
        )
    found = list(Volume.get_collection(name=f"{name}_*", max_records=2, order_by="name desc"))
    assert [volume.name for volume in found] == [f"{name}_2", f"{name}_1", f"{name}_0"]
    Volume.delete_collection(name=f"{name}_*")
    assert list(Volume.get_collection(name=f"{name}_*")) == []


def test_many_volumes_are_made_changed_and_removed_by_one_call_each(cluster, name):
    bodies = [
        {"name": f"{name}_{number}", "svm": {"name": cluster.svm}, "aggregates": [{"name": cluster.aggregate}]}
        for number in range(2)
    ]
    made = Volume.post_collection([Volume.from_dict(body) for body in bodies], poll_interval=1)
    assert {volume.name for volume in made} == {body["name"] for body in bodies}
    for volume in made:
        volume.comment = f"of {volume.name}"
    Volume.patch_collection({}, records=made, poll_interval=1)
    seen = {v.name: v.comment for v in Volume.get_collection(uuid="|".join(v.uuid for v in made), fields="comment")}
    assert seen == {volume.name: f"of {volume.name}" for volume in made}
    Volume.delete_collection(records=made, poll_interval=1)
    assert list(Volume.get_collection(name="|".join(volume.name for volume in made))) == []
