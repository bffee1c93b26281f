"""A cache on one cluster of a volume on another: bytes over the peering, and what happens when it breaks."""

from __future__ import annotations

import pytest

from tests.until import until

CACHES = "/api/storage/flexcache/flexcaches"
MB = 1024**2


@pytest.fixture
def pair(peered):
    """The origin `tyres` on `svm1` here, with two files in it; nothing there yet."""
    body = {"name": "tyres", "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}], "nas": {"path": "/tyres"}}
    with peered.here.client() as api:
        assert api.post("/api/storage/volumes?return_timeout=60", json=body | {"size": 40 * MB}).status_code == 201
    for name in ("good/1", "bad/2"):
        (peered.here.namespace / "tyres" / name).parent.mkdir()
        (peered.here.namespace / "tyres" / name).write_text(name)
    yield peered
    if peered.here.process.poll() is not None:
        peered.here.start()


def body_of(name="tyres_cache", origin="tyres", svm="svm1"):
    body = {"name": name, "svm": {"name": "svm2"}, "path": f"/{name}", "size": 30 * MB}
    return body | {"origins": [{"svm": {"name": svm}, "volume": {"name": origin}}]}


@pytest.fixture
def cache(pair):
    with pair.there.client() as api:
        made = api.post(f"{CACHES}?return_timeout=60&return_records=true", json=body_of())
        assert made.status_code == 201, made.text
        return made.json()["records"][0]


def refused(answer, code: str) -> str:
    error = answer.json()["error"]
    assert error["code"] == code, answer.text
    return error["message"]


def test_both_clusters_know_of_the_cache_and_it_shows_the_origins_files(pair, cache):
    seen = pair.there.namespace / "tyres_cache"
    (pair.here.namespace / "tyres" / "good" / "1").write_text("changed")
    assert [(seen / name).read_text() for name in ("good/1", "bad/2")] == ["changed", "bad/2"]
    assert cache["origins"][0]["volume"]["name"] == "tyres"
    assert cache["origins"][0]["ip_address"] == pair.here.intercluster_ip
    with pair.here.client() as api:
        (origin,) = api.get("/api/storage/flexcache/origins?fields=*").json()["records"]
        assert origin["flexcaches"][0]["volume"]["name"] == "tyres_cache"
        assert origin["flexcaches"][0]["ip_address"] == pair.there.intercluster_ip
        assert "tyres_cache" in refused(api.delete(f"/api/storage/volumes/{origin['uuid']}"), "8")


def test_when_the_origins_cluster_is_gone_what_was_copied_is_still_read(pair, cache):
    seen, place = pair.there.namespace / "tyres_cache", f"{CACHES}/{cache['uuid']}"
    with pair.there.client() as api:
        wish = {"prepopulate": {"dir_paths": ["/good"]}}
        assert api.patch(f"{place}?return_timeout=60", json=wish).status_code == 200
        pair.here.kill()
        until(lambda: api.get(place).json()["origins"][0]["state"] == "offline")
        assert (seen / "good" / "1").read_text() == "good/1"
        with pytest.raises(OSError):
            (seen / "bad" / "2").read_text()
        assert "cannot be reached" in refused(api.patch(place, json=wish), "66846923")
        pair.here.start()
        until(lambda: api.get(place).json()["origins"][0]["state"] == "online")
        assert (seen / "bad" / "2").read_text() == "bad/2"


def test_a_cache_is_not_deleted_while_its_origin_would_go_on_naming_it(pair, cache):
    place = f"{CACHES}/{cache['uuid']}"
    with pair.there.client() as api, pair.here.client() as home:
        unmounted = {"nas": {"path": ""}}
        api.patch(f"/api/storage/volumes/{cache['uuid']}?return_timeout=60", json=unmounted)
        fault = {"method": "POST", "path": "flexcache.forget", "kind": "refuse"}
        pair.here.control("POST", "/faults", fault)
        assert '"tyres_cache"' in refused(api.delete(f"{place}?return_timeout=60"), "66846923")
        assert api.get(place).status_code == 200
        assert api.delete(f"{place}?return_timeout=60").status_code == 200
        assert home.get("/api/storage/flexcache/origins").json()["records"] == []


def test_without_a_peer_or_its_permission_there_is_no_cache(pair):
    with pair.there.client() as api:
        assert '"elsewhere"' in refused(api.post(CACHES, json=body_of(svm="elsewhere")), "66846735")
        refused(api.post(CACHES, json=body_of(origin="nowhere")), "66846730")
        (peer,) = api.get("/api/svm/peers").json()["records"]
        only_mirrors = {"applications": ["snapmirror"]}
        assert api.patch(f"/api/svm/peers/{peer['uuid']}?return_timeout=60", json=only_mirrors).status_code in (
            200,
            202,
        )
        refused(api.post(CACHES, json=body_of()), "66846735")


def test_a_cache_of_a_cache_elsewhere_is_refused(pair, cache):
    with pair.here.client() as api:
        body = {"name": "again", "svm": {"name": "svm1"}}
        body["origins"] = [{"svm": {"name": "svm2"}, "volume": {"name": "tyres_cache"}}]
        assert "cannot be the origin of another one" in refused(api.post(CACHES, json=body), "3")


def test_a_lost_answer_leaves_no_relation_without_a_cache(pair):
    pair.here.control("POST", "/faults", {"method": "POST", "path": "flexcache.register", "kind": "lost_answer"})
    with pair.there.client() as api, pair.here.client() as home:
        assert api.post(f"{CACHES}?return_timeout=60", json=body_of()).status_code >= 400
        made = api.post(f"{CACHES}?return_timeout=60", json=body_of())
        assert made.status_code == 201, made.text
        (origin,) = home.get("/api/storage/flexcache/origins?fields=*").json()["records"]
        assert len(origin["flexcaches"]) == 1


def test_an_origins_svm_has_the_name_that_the_peering_gave_it(pair):
    with pair.there.client() as api:
        (peer,) = api.get("/api/svm/peers").json()["records"]
        assert api.patch(f"/api/svm/peers/{peer['uuid']}?return_timeout=60", json={"name": "headquarters"}).is_success
        made = api.post(f"{CACHES}?return_timeout=60&return_records=true", json=body_of(svm="headquarters"))
        assert made.json()["records"][0]["origins"][0]["svm"]["name"] == "headquarters"
        refused(api.post(CACHES, json=body_of("again")), "66846735")
