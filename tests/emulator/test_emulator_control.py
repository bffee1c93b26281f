"""Steering: faults, clock, request log, reset."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from uuid import uuid4

import httpx
import pytest

YEAR = 365 * 86400


def fault(emulator, kind, method="*", path="/api/cluster$", **more):
    emulator.control("POST", "/faults", {"method": method, "path": path, "kind": kind} | more)


def test_refuse_drops_the_connection_and_does_nothing(api, emulator):
    name = f"v_{uuid4().hex[:8]}"
    fault(emulator, "refuse", "POST", "/api/storage/volumes$")
    with pytest.raises(httpx.TransportError):
        api.post(
            "/api/storage/volumes", json={"name": name, "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}]}
        )
    assert api.get(f"/api/storage/volumes?name={name}").json()["num_records"] == 0


def test_a_lost_answer_is_done_all_the_same(api, emulator):
    name = f"v_{uuid4().hex[:8]}"
    fault(emulator, "lost_answer", "POST", "/api/storage/volumes$")
    with pytest.raises(httpx.TransportError):
        api.post(
            "/api/storage/volumes", json={"name": name, "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}]}
        )
    assert api.get(f"/api/storage/volumes?name={name}").json()["num_records"] == 1


def test_slow_waits_and_then_answers(api, emulator):
    fault(emulator, "slow", delay_s=0.3)
    begin = time.monotonic()
    assert api.get("/api/cluster").status_code == 200
    assert time.monotonic() - begin >= 0.3


def test_an_error_comes_as_often_as_asked_and_then_no_more(api, emulator):
    fault(emulator, "error", "GET", times=2, status=503, code="42", message="busy")
    answers = [api.get("/api/cluster") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].json()["error"] == {"message": "busy", "code": "42"}


@pytest.mark.parametrize(("kind", "code"), [("job_fails", "77"), ("space_full", "917927")])
def test_a_job_can_be_made_to_fail_late(api, emulator, make, kind, code):
    place = f"/api/storage/volumes/{make()['uuid']}"
    fault(emulator, kind, "PATCH", place, code="77", message="the disk shelf is on fire")
    answer = api.patch(place, json={"comment": "x"})
    job = api.get(f"/api/cluster/jobs/{answer.json()['job']['uuid']}").json()
    assert (answer.status_code, job["state"], job["error"]["code"]) == (202, "failure", code)
    assert api.get(place + "?fields=comment").json()["comment"] == ""


def test_faults_can_be_listed_and_cleared_and_a_wrong_kind_is_refused(emulator, api):
    fault(emulator, "error")
    assert [f["kind"] for f in emulator.control("GET", "/faults")["faults"]] == ["error"]
    emulator.control("DELETE", "/faults")
    assert api.get("/api/cluster").status_code == 200
    with pytest.raises(httpx.HTTPStatusError):
        fault(emulator, "earthquake")


def test_the_clock_moves_every_time_that_ontap_reports(api, emulator, make, freeze):
    volume = make()
    emulator.control("PUT", "/clock", {"now": "2031-05-06T07:08:09Z"})
    snapshot = freeze(volume["uuid"])
    node = api.get("/api/cluster/nodes?fields=date")
    start = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    for moment in (
        datetime.fromisoformat(snapshot["create_time"]),
        datetime.fromisoformat(node.json()["records"][0]["date"]),
        parsedate_to_datetime(node.headers["date"]),
    ):
        assert start <= moment < start + timedelta(minutes=1)
    assert emulator.control("PUT", "/clock", {"offset_s": -YEAR})["offset_s"] == -YEAR


def test_a_lock_ends_when_the_clock_passes_it(api, emulator, make, freeze, clock_set):
    volume = make(snapshot_locking_enabled=True)["uuid"]
    until = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    place = f"/api/storage/volumes/{volume}/snapshots/{freeze(volume, snaplock_expiry_time=until)['uuid']}"
    assert api.delete(place).json()["error"]["code"] == "1638555"
    assert api.delete(f"/api/storage/volumes/{volume}").json()["error"]["code"] == "1638555"
    emulator.control("PUT", "/clock", {"offset_s": 31 * 86400})
    assert api.delete(place).status_code == 202


def test_a_lock_is_silently_ignored_where_locking_is_off(api, make, freeze):
    volume = make()["uuid"]
    frozen = freeze(volume, snaplock_expiry_time="2099-01-01T00:00:00Z")
    assert "snaplock_expiry_time" not in frozen
    assert api.delete(f"/api/storage/volumes/{volume}/snapshots/{frozen['uuid']}").status_code == 202


def test_requests_are_noted_with_their_answers_but_not_those_that_steer(api, emulator):
    emulator.control("DELETE", "/requests")
    api.get("/api/cluster?fields=version")
    api.get("/api/no/such")
    assert emulator.control("GET", "/requests")["requests"] == [
        {"method": "GET", "path": "/api/cluster?fields=version", "status": 200},
        {"method": "GET", "path": "/api/no/such", "status": 404},
    ]


def test_reset_leaves_a_cluster_as_at_the_first_start(fresh_emulator):
    with fresh_emulator.client() as api:
        body = {"name": "v", "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}], "nas": {"path": "/v"}}
        assert api.post("/api/storage/volumes?return_timeout=60", json=body).status_code == 201
        fresh_emulator.control("PUT", "/clock", {"offset_s": 5000})
        fresh_emulator.control("POST", "/reset")
        left = api.get("/api/storage/volumes?fields=is_svm_root").json()["records"]
        assert [(volume["name"], volume["is_svm_root"]) for volume in left] == [("svm1_root", True)]
        assert [svm["name"] for svm in api.get("/api/svm/svms").json()["records"]] == ["svm1"]
        assert fresh_emulator.control("GET", "/clock")["offset_s"] == 0
        assert list(fresh_emulator.namespace.iterdir()) == []
        assert [path.name for path in (fresh_emulator.root / "volumes").iterdir()] == [left[0]["uuid"]]
        assert api.post("/api/storage/volumes?return_timeout=60", json=body).status_code == 201


def test_what_clients_have_read_of_a_cache_is_what_the_steering_says(emulator, api):
    emulator.control("POST", "/reset")
    for name, path in (("source", "volumes"), ("copy", "flexcache/flexcaches")):
        body = {"name": name, "svm": {"name": "svm1"}, "size": 1 << 30}
        body |= {"aggregates": [{"name": "aggr1"}]} if name == "source" else {}
        body |= {"origins": [{"volume": {"name": "source"}, "svm": {"name": "svm1"}}]} if name == "copy" else {}
        assert api.post(f"/api/storage/{path}?return_timeout=15", json=body).status_code in (201, 202)
    wanted = "/api/storage/volumes?name=copy&fields=statistics.flexcache_raw"
    cache = api.get(wanted).json()["records"][0]
    assert "statistics" not in cache, "until somebody says, nothing is known"
    reads = {"client_requested_blocks": 20, "cache_miss_blocks": 3}
    emulator.control("PUT", f"/caches/{cache['uuid']}/reads", reads)
    assert api.get(wanted).json()["records"][0]["statistics"]["flexcache_raw"] == reads
    emulator.control("POST", "/reset")
