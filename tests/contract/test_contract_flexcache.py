"""FlexCache through the official client: caches, prepopulation, and origins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from netapp_ontap.error import NetAppRestError
from netapp_ontap.resources import Flexcache, FlexcacheOrigin, Volume

SIZE = 1024**3


def code_of(error: pytest.ExceptionInfo[NetAppRestError]) -> str:
    return str(error.value.http_err_response.http_response.json()["error"]["code"])


def new(cluster, volume, name: str, **more) -> Flexcache:
    body = {"name": name, "svm": {"name": cluster.svm}, "aggregates": [{"name": cluster.aggregate}], "size": SIZE}
    body |= {"origins": [{"svm": {"name": cluster.svm}, "volume": {"name": volume.name}}], "path": f"/{name}"}
    return Flexcache.from_dict(body | more)


@pytest.fixture
def cache(cluster, volume, name) -> Iterator[Flexcache]:
    made = new(cluster, volume, f"{name}_cache")
    made.post(hydrate=True, poll_interval=1)
    yield made
    remove(made)


def remove(cache: Flexcache) -> None:
    unmounted = Volume(uuid=cache.uuid)
    unmounted.nas = {"path": ""}
    unmounted.patch(poll_interval=1)
    Flexcache(uuid=cache.uuid).delete(poll_interval=1)


def test_a_cache_says_where_its_files_come_from_and_is_a_volume_too(cluster, volume, cache):
    found = next(iter(Flexcache.get_collection(name=cache.name, fields="**")))
    assert (found.svm.name, found.path, found.size) == (cluster.svm, f"/{cache.name}", SIZE)
    assert (found.origins[0].svm.name, found.origins[0].volume.name) == (cluster.svm, volume.name)
    assert (found.origins[0].state, found.guarantee.type) == ("online", "none")
    shown = next(iter(Volume.get_collection(name=cache.name, fields="flexcache_endpoint_type,style,uuid")))
    assert (shown.flexcache_endpoint_type, shown.style, shown.uuid) == ("cache", "flexgroup", cache.uuid)


def test_an_origin_names_its_caches_and_can_be_set(volume, cache):
    origin = FlexcacheOrigin(uuid=volume.uuid)
    origin.get()
    assert origin.name == volume.name
    assert [each.volume.name for each in origin.flexcaches] == [cache.name]
    changed = FlexcacheOrigin(uuid=volume.uuid)
    changed.block_level_invalidation = True
    changed.patch()
    assert next(iter(FlexcacheOrigin.get_collection(uuid=volume.uuid, fields="*"))).block_level_invalidation is True


def test_a_prepopulate_needs_paths_that_are_there(cache):
    for paths, code in ((["/nowhere"], "66846943"), ([], "66846921")):
        asked = Flexcache(uuid=cache.uuid)
        asked.prepopulate = {"dir_paths": paths}
        with pytest.raises(NetAppRestError) as error:
            asked.patch(poll_interval=1)
        assert code_of(error) == code
    asked = Flexcache(uuid=cache.uuid)
    asked.prepopulate = {"dir_paths": ["/"], "recurse": True}
    assert asked.patch(poll_interval=1).http_response.status_code in (200, 202)


def test_settings_are_set_and_read_back(cache):
    changed = Flexcache(uuid=cache.uuid)
    changed.writeback = {"enabled": True}
    changed.atime_scrub = {"enabled": True, "period": 30}
    changed.patch(poll_interval=1)
    cache.get(fields="writeback,atime_scrub")
    assert (cache.writeback.enabled, cache.atime_scrub.enabled, cache.atime_scrub.period) == (True, True, 30)


def test_a_cache_of_a_cache_and_a_snapshot_of_a_cache_are_refused(cluster, cache):
    from netapp_ontap.resources import Snapshot

    for wrong in (new(cluster, cache, f"{cache.name}_2"), Snapshot(cache.uuid, name="first")):
        with pytest.raises(NetAppRestError) as error:
            wrong.post(poll_interval=1)
        assert error.value.http_err_response.http_response.status_code == 400


def test_an_origin_is_not_deleted_before_its_caches_nor_a_name_used_twice(cluster, volume, cache):
    with pytest.raises(NetAppRestError, match=cache.name):
        Volume(uuid=volume.uuid).delete(poll_interval=1)
    with pytest.raises(NetAppRestError) as error:
        new(cluster, volume, cache.name).post(poll_interval=1)
    assert code_of(error) == "66846767"
