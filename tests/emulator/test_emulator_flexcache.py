"""FlexCache: what is read through a cache is its origin's, byte for byte; what was copied outlives the way there."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from s3_support import S3World

from tests.until import until

CACHES = "/api/storage/flexcache/flexcaches"
ORIGINS = "/api/storage/flexcache/origins"
MB = 1024**2


@pytest.fixture
def origin(make):
    """A volume of 100 MB; its record."""
    return make(size=100 * MB)


@pytest.fixture
def files(emulator, origin) -> Path:
    """The origin's files, as its own clients see them: two folders."""
    top = emulator.namespace / origin["name"]
    for name in ("good/1", "good/deep/2", "bad/3"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(name.encode() * 1000)
    return top


def body_of(origin, name=None, **more):
    name = name or f"c_{uuid4().hex[:12]}"
    body = {"name": name, "svm": {"name": "svm1"}, "path": f"/{name}", "size": 50 * MB}
    body["aggregates"] = [{"name": "aggr1"}]
    return body | {"origins": [{"svm": {"name": "svm1"}, "volume": {"name": origin["name"]}}]} | more


@pytest.fixture
def cache(api, origin, files):
    answer = api.post(f"{CACHES}?return_timeout=60&return_records=true", json=body_of(origin))
    assert answer.status_code == 201, answer.text
    return answer.json()["records"][0]


def at(cache) -> str:
    return f"{CACHES}/{cache['uuid']}"


def volume_of(api, cache) -> dict:
    return api.get(f"/api/storage/volumes/{cache['uuid']}?fields=**").json()


def prepopulate(api, cache, *paths, timeout_s=60, **more):
    wish = {"dir_paths": list(paths)} | more
    return api.patch(f"{at(cache)}?return_timeout={timeout_s}", json={"prepopulate": wish})


def refused(answer, status: int, code: str) -> str:
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code), answer.text
    return error["message"]


def contents(top: Path) -> dict[str, bytes]:
    found = (path for path in top.rglob("*") if path.is_file() and ".snapshot" not in path.parts)
    return {str(path.relative_to(top)): path.read_bytes() for path in found}


def test_what_is_read_through_a_cache_is_the_origins_and_stays_so_when_it_changes(emulator, cache, files):
    seen = emulator.namespace / cache["name"]
    assert contents(seen) == contents(files) != {}
    (files / "good" / "1").write_bytes(b"changed")
    (files / "new").write_bytes(b"new")
    (files / "bad" / "3").unlink()
    assert contents(seen) == contents(files)


def test_a_cache_is_a_thin_flexgroup_of_a_tenth_of_its_origin_and_both_say_what_they_are(api, make, files, origin):
    large = make(size=30 * 1024**3)
    name = f"c_{uuid4().hex[:12]}"
    body = body_of(large, name)
    del body["size"]
    made = api.post(f"{CACHES}?return_timeout=60&return_records=true", json=body).json()["records"][0]
    assert made["size"] == 3 * 1024**3
    assert made["origins"][0]["volume"]["name"] == large["name"]
    volume = volume_of(api, made)
    assert (volume["style"], volume["type"], volume["guarantee"]["type"]) == ("flexgroup", "rw", "none")
    assert (volume["flexcache_endpoint_type"], volume["nas"]["path"]) == ("cache", f"/{name}")
    assert volume_of(api, large)["flexcache_endpoint_type"] == "origin"
    assert volume_of(api, origin)["flexcache_endpoint_type"] == "none"
    found = api.get("/api/storage/volumes?flexcache_endpoint_type=cache&fields=name").json()["records"]
    assert name in [volume["name"] for volume in found]


def test_prepopulate_copies_folders_into_the_caches_own_space(api, cache):
    assert volume_of(api, cache)["space"]["used"] == 0
    assert prepopulate(api, cache, "/good", recurse=False).status_code == 200
    assert volume_of(api, cache)["space"]["used"] == 6000
    assert prepopulate(api, cache, "/", exclude_dir_paths=["/bad"]).status_code == 200
    assert volume_of(api, cache)["space"]["used"] == 6000 + 11000
    assert prepopulate(api, cache, "/").status_code == 200
    assert volume_of(api, cache)["space"]["used"] == 6000 + 11000 + 5000


def test_while_the_origin_is_away_what_was_copied_is_read_and_nothing_else(api, emulator, cache, origin, files):
    assert prepopulate(api, cache, "/good").status_code == 200
    (files / "good" / "1").write_bytes(b"changed since")
    seen, place = emulator.namespace / cache["name"], f"/api/storage/volumes/{origin['uuid']}?return_timeout=60"
    copied = (files / "good" / "deep" / "2").read_bytes()
    assert api.patch(place, json={"state": "offline"}).status_code == 200
    assert api.get(at(cache)).json()["origins"][0]["state"] == "offline"
    assert (seen / "good" / "deep" / "2").read_bytes() == copied
    assert {path.name for path in seen.iterdir()} == {"good", "bad"}, "names that are known stay to be seen"
    for name in ("bad/3", "good/1"):  # never copied, and copied before it changed
        assert "origin cannot be reached" in str((seen / name).readlink())
        with pytest.raises(OSError):
            (seen / name).read_bytes()
    assert "is offline" in refused(prepopulate(api, cache, "/bad"), 400, "66846923")
    assert api.patch(place, json={"state": "online", "nas": {"path": f"/{origin['name']}"}}).status_code == 200
    until(lambda: contents(seen) == contents(files))


def test_what_is_larger_than_the_cache_makes_room_by_what_was_used_longest_ago(api, emulator, origin, files):
    for number in range(4):
        (files / f"large{number}").mkdir()
        (files / f"large{number}" / "file").write_bytes(b"x" * 8 * MB)
    body = body_of(origin, size=20 * MB)
    cache = api.post(f"{CACHES}?return_timeout=60&return_records=true", json=body).json()["records"][0]
    for number in range(4):
        assert prepopulate(api, cache, f"/large{number}").status_code == 200
    assert volume_of(api, cache)["space"]["used"] == 16 * MB
    (files / "large0" / "file").write_bytes(b"x" * 21 * MB)
    assert prepopulate(api, cache, "/large0").status_code == 200
    assert volume_of(api, cache)["space"]["used"] == 16 * MB, "a file that is larger than the cache is left out"


def test_a_prepopulate_is_not_begun_twice(api, emulator, cache):
    emulator.control("PUT", "/jobs", {"mode": "reads", "value": 2})
    first = prepopulate(api, cache, "/good", timeout_s=0)
    assert first.status_code == 202
    assert "already running" in refused(prepopulate(api, cache, "/bad"), 409, "66846947")
    job = first.json()["job"]["_links"]["self"]["href"]
    assert [api.get(job).json()["state"] for _ in range(2)] == ["running", "success"]
    assert volume_of(api, cache)["space"]["used"] == 17000


@pytest.mark.parametrize(
    ("paths", "code", "said"),
    [([], "66846921", "At least one path"), (["/nowhere"], "66846943", '"/nowhere"'), (["/../x"], "66846943", "/../x")],
)
def test_paths_that_are_not_there_are_refused(api, cache, paths, code, said):
    assert said in refused(prepopulate(api, cache, *paths), 400, code)


def test_both_ends_have_to_be_mounted_for_a_prepopulate(api, make, origin, files):
    body = body_of(origin)
    del body["path"]
    cache = api.post(f"{CACHES}?return_timeout=60&return_records=true", json=body).json()["records"][0]
    refused(prepopulate(api, cache, "/good"), 400, "66846925")
    place = f"/api/storage/volumes/{cache['uuid']}?return_timeout=60"
    assert api.patch(place, json={"nas": {"path": f"/{cache['name']}"}}).status_code == 200
    unmounted = {"nas": {"path": ""}}
    assert api.patch(f"/api/storage/volumes/{origin['uuid']}?return_timeout=60", json=unmounted).status_code == 200
    refused(prepopulate(api, cache, "/good"), 400, "66846945")


def test_a_cache_has_no_snapshots_clones_or_restores_and_is_no_origin(api, cache, origin):
    place = f"/api/storage/volumes/{cache['uuid']}"
    assert "Snapshots are not supported" in refused(api.post(f"{place}/snapshots", json={"name": "s"}), 400, "3")
    refused(api.patch(place, json={"restore_to": {"snapshot": {"name": "s"}}}), 400, "3")
    clone = {"is_flexclone": True, "parent_volume": {"name": cache["name"]}}
    refused(api.post("/api/storage/volumes", json={"name": "x", "svm": {"name": "svm1"}, "clone": clone}), 400, "3")
    again = api.post(CACHES, json=body_of(cache))
    assert "cannot be the origin of another" in refused(again, 400, "3")
    for wrong in ({"snapshot_policy": {"name": "default"}}, {"nas": {"unix_permissions": "700"}}):
        refused(api.patch(place, json=wrong), 400, "3")
    refused(api.delete(place), 400, "3")


def test_a_volume_is_not_mounted_inside_a_cache(api, make, cache):
    body = {"name": "inner", "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}]}
    answer = api.post("/api/storage/volumes", json=body | {"nas": {"path": f"/{cache['name']}/inner"}})
    assert "FlexCache" in refused(answer, 400, "918252")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"origins": []}, 400, "66846731"),
        ({"origins": [{"svm": {"name": "svm1"}, "volume": {"name": "nowhere"}}]}, 404, "66846730"),
        ({"origins": [{"svm": {"name": "elsewhere"}, "volume": {"name": "v"}}]}, 400, "66846735"),
        ({"aggregates": [{"name": "nowhere"}]}, 404, "4"),
        ({"size": 1024}, 400, "917534"),
        ({"path": "no/slash"}, 400, "918252"),
        ({"prepopulate": {"dir_paths": []}}, 400, "66846921"),
        ({"prepopulate": {"dir_paths": ["/nowhere"]}}, 400, "66846943"),
        ({"wonder": 1}, 400, "262179"),
    ],
)
def test_what_no_cache_can_be_made_of_is_refused(api, origin, files, changes, status, code):
    body = {key: value for key, value in (body_of(origin) | changes).items() if value != []}
    refused(api.post(CACHES, json=body), status, code)


def test_a_name_is_taken_once(api, cache, origin):
    refused(api.post(CACHES, json=body_of(origin, cache["name"])), 409, "66846767")
    refused(api.post(CACHES, json=body_of(origin, origin["name"])), 409, "917526")


def test_space_that_an_aggregate_has_not_is_said_by_the_job(api, emulator, origin, files):
    answer = api.post(f"{CACHES}?return_timeout=60", json=body_of(origin, size=200 * 1024**4))
    assert 'aggregate "aggr1"' in refused(answer, 400, "917927")


def test_an_origin_knows_its_caches_and_is_not_removed_before_them(api, cache, origin):
    place = f"/api/storage/volumes/{origin['uuid']}"
    (found,) = api.get(f"{ORIGINS}?name={origin['name']}&fields=*").json()["records"]
    assert [each["volume"]["name"] for each in found["flexcaches"]] == [cache["name"]]
    assert cache["name"] in refused(api.delete(place), 409, "8")
    set_ = api.patch(f"{ORIGINS}/{origin['uuid']}", json={"block_level_invalidation": True})
    assert set_.status_code == 200
    assert api.get(f"{ORIGINS}/{origin['uuid']}").json()["block_level_invalidation"] is True
    assert "Unmount it" in refused(api.delete(at(cache)), 409, "8")
    unmounted = {"nas": {"path": ""}}
    assert api.patch(f"/api/storage/volumes/{cache['uuid']}?return_timeout=60", json=unmounted).status_code == 200
    assert api.delete(f"{at(cache)}?return_timeout=60").status_code == 200
    refused(api.get(at(cache)), 404, "66846768")
    assert api.get(f"/api/storage/volumes/{cache['uuid']}").status_code == 404
    assert api.get(f"{ORIGINS}/{origin['uuid']}").status_code == 404
    assert api.delete(f"{place}?return_timeout=60").status_code == 200


def test_settings_are_kept_and_a_relative_size_follows_the_origin(api, cache):
    body = {"writeback": {"enabled": True}, "atime_scrub": {"enabled": True, "period": 7}}
    body["relative_size"] = {"enabled": True, "percentage": 40}
    assert api.patch(f"{at(cache)}?return_timeout=60", json=body).status_code == 200
    found = api.get(at(cache)).json()
    assert {key: found[key] for key in body} == body
    assert found["size"] == 40 * MB
    refused(api.patch(at(cache), json={"relative_size": {"percentage": 101}}), 400, "262197")
    refused(api.patch(at(cache), json={"size": 1}), 400, "262179")


def test_a_cache_of_another_svm_is_seen_in_that_svms_namespace(api, emulator, origin, files):
    emulator.control("PUT", "/svms", {"name": "svm_near"})
    cache = api.post(
        f"{CACHES}?return_timeout=60&return_records=true", json=body_of(origin, svm={"name": "svm_near"})
    ).json()["records"][0]
    assert contents(emulator.root / "namespace" / "svm_near" / cache["name"]) == contents(files)


@pytest.mark.parametrize(("version", "served"), [("9.16.1", False), ("9.18.1", True)])
def test_a_cache_is_served_over_s3_from_a_release_on(tmp_path, version, served):
    s3 = S3World(tmp_path / "ontap", version=version)
    try:
        origin = s3.volume("images")
        (origin / "picture").write_text("bytes")
        s3.cache("near", of="images")
        s3.bucket("near", nas_path="/near")
        if served:
            found = s3.client().get_object(Bucket="near", Key="picture")["Body"].read()
            assert found == b"bytes"
        else:
            with pytest.raises(Exception, match="serves S3 from 9.18.1 on"):
                s3.client().get_object(Bucket="near", Key="picture")
    finally:
        s3.stop()


def test_a_bucket_over_a_cache_is_refused_before_that_release(api, cache, s3_server):
    body = {"name": "near", "svm": {"name": "svm1"}, "type": "nas", "nas_path": f"/{cache['name']}"}
    assert "9.18.1" in refused(api.post("/api/protocols/s3/buckets", json=body), 400, "3")
