"""Cluster and SVM peers: a passphrase known on both sides, SVMs that accept each other, and who is let in."""

from __future__ import annotations

import socket

import httpx
import pytest

from emulator.__main__ import _config, arguments
from emulator.intercluster.address import EVERYWHERE, PORT
from tests.conftest import Emulator, Pair, peer, unpeer

PASSPHRASE = "a passphrase of both"


@pytest.fixture
def apart(emulator: Emulator, other_emulator: Emulator):
    """Two clusters that do not know each other, and a client of each."""
    unpeer(emulator, other_emulator)
    with emulator.client() as here, other_emulator.client() as there:
        yield Pair(emulator, other_emulator), here, there
    unpeer(emulator, other_emulator)


def tell(client: httpx.Client, address: str, passphrase: str = PASSPHRASE, **other) -> httpx.Response:
    body = {"remote": {"ip_addresses": [address]}, "authentication": {"passphrase": passphrase}}
    return client.post("/api/cluster/peers", json=body | other)


def only(client: httpx.Client, path: str) -> dict:
    records = client.get(f"/api{path}", params={"fields": "**"}).json()["records"]
    assert len(records) == 1, records
    return records[0]


def code(answer: httpx.Response) -> str:
    return answer.json()["error"]["code"]


def test_the_intercluster_interface_is_shown_and_listened_at(apart):
    pair, here, _ = apart
    params = {"service_policy.name": "default-intercluster", "fields": "ip.address,scope,services,svm.name"}
    record = here.get("/api/network/ip/interfaces", params=params).json()["records"][0]
    assert record["ip"]["address"] == pair.here.intercluster_ip != pair.there.intercluster_ip
    assert (record["scope"], record["services"], "svm" in record) == ("cluster", ["intercluster_core"], False)
    shown = here.get(f"/api/network/ip/interfaces/{record['uuid']}").json()
    assert shown["name"] == record["name"]


def test_the_address_stays_when_the_emulator_starts_again(fresh_emulator):
    before = fresh_emulator.intercluster_ip
    fresh_emulator.kill()
    assert fresh_emulator.start().intercluster_ip == before


def test_in_a_container_peers_are_told_its_name_and_reach_any_of_its_addresses():
    told = ["--root", "r", "--port", "0", "--host", EVERYWHERE, "--name", "ontap-remote"]
    with socket.socket() as listener:
        listener.bind((EVERYWHERE, 0))
        assert _config(arguments(told), listener).intercluster_ip == "ontap-remote"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        chosen = arguments([*told, "--intercluster-ip", "127.0.0.1"])
        assert _config(chosen, listener).intercluster_ip == "127.0.0.1"


def test_a_peer_may_be_named_by_its_host_name(apart):
    _, here, _ = apart
    assert tell(here, "localhost").is_success
    assert only(here, "/cluster/peers")["remote"]["ip_addresses"] == ["localhost"]


def test_a_chosen_address(tmp_path):
    running = Emulator(tmp_path / "root", "--intercluster-ip", "127.250.250.7").start()
    assert running.intercluster_ip == "127.250.250.7"
    running.close()


def test_clusters_with_one_passphrase_find_each_other_whoever_is_told_first(apart):
    pair, here, there = apart
    first = tell(here, pair.there.intercluster_ip)
    assert first.status_code == 201, first.text
    waiting = only(here, "/cluster/peers")
    assert (waiting["authentication"]["state"], waiting["status"]["state"]) == ("pending", "unidentified")
    assert tell(there, pair.here.intercluster_ip).status_code == 201
    for client, name in ((here, "there"), (there, "emulator")):
        record = only(client, "/cluster/peers")
        assert (record["name"], record["remote"]["name"]) == (name, name)
        assert (record["authentication"]["state"], record["status"]["state"]) == ("ok", "available")
        assert record["version"]["generation"] == 9


def test_a_generated_passphrase_is_shown_once(apart):
    pair, here, there = apart
    made = here.post("/api/cluster/peers", json={"authentication": {"generate_passphrase": True}}).json()["records"][0]
    assert only(here, "/cluster/peers").get("authentication", {}).get("passphrase") is None
    assert tell(there, pair.here.intercluster_ip, made["authentication"]["passphrase"]).status_code == 201
    known = only(here, "/cluster/peers")
    assert known["remote"]["ip_addresses"] == [pair.there.intercluster_ip]
    assert known["status"]["state"] == "available"


def test_another_passphrase_is_refused_and_nothing_is_kept(apart):
    pair, here, there = apart
    tell(here, pair.there.intercluster_ip)
    refused = tell(there, pair.here.intercluster_ip, "something else")
    assert (refused.status_code, code(refused)) == (400, "4653069")
    assert there.get("/api/cluster/peers").json()["num_records"] == 0
    assert only(here, "/cluster/peers")["authentication"]["state"] == "pending"


def test_an_offer_that_ran_out_is_none(apart):
    pair, here, there = apart
    tell(here, pair.there.intercluster_ip)
    pair.here.control("PUT", "/clock", {"offset_s": 7200})
    tell(there, pair.here.intercluster_ip)
    assert only(there, "/cluster/peers")["authentication"]["state"] == "pending"
    pair.here.control("PUT", "/clock", {"offset_s": 0})


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"authentication": {"passphrase": "short"}, "remote": {"ip_addresses": ["127.9.9.9"]}}, "4653075"),
        ({"authentication": {"passphrase": PASSPHRASE}}, "4653058"),
        ({"authentication": {"passphrase": PASSPHRASE, "generate_passphrase": True}}, "4653052"),
        ({"remote": {"ip_addresses": ["127.0.0.300"]}}, "262197"),
        ({"authentication": {"generate_passphrase": True, "expiry_time": "soon"}}, "262197"),
        ({"name": "emulator", "authentication": {"generate_passphrase": True}}, "4653064"),
    ],
)
def test_what_cannot_be_a_peer(apart, body, wanted):
    _, here, _ = apart
    assert code(here.post("/api/cluster/peers", json=body)) == wanted
    assert here.get("/api/cluster/peers").json()["num_records"] == 0


def test_a_cluster_is_not_its_own_peer_and_no_peer_twice(apart):
    pair, here, _ = apart
    assert code(tell(here, pair.here.intercluster_ip)) == "4653056"
    tell(here, pair.there.intercluster_ip)
    assert code(tell(here, pair.there.intercluster_ip)) == "4653060"


def test_nobody_is_let_in_who_does_not_know_the_secret(peered):
    url = f"http://{peered.there.intercluster_ip}:{PORT}/svm_peer.propose"
    body = {"svm": "svm2", "from": {"name": "x", "uuid": "y"}, "pair": "z", "applications": []}
    assert httpx.post(url, json=body).status_code == 403
    with peered.here.client() as here:
        cluster = here.get("/api/cluster").json()["uuid"]
    forged = {"X-Cluster": cluster, "X-Moment": "1", "X-Nonce": "n", "X-Signature": "0" * 64}
    assert httpx.post(url, json=body, headers=forged).status_code == 403


def test_an_svm_peer_waits_to_be_accepted(apart):
    pair, here, there = apart
    tell(here, pair.there.intercluster_ip)
    tell(there, pair.here.intercluster_ip)
    wish = {"svm": {"name": "svm1"}, "peer": {"svm": {"name": "svm2"}, "cluster": {"name": "there"}}}
    assert here.post("/api/svm/peers", json=wish).status_code == 201
    assert only(here, "/svm/peers")["state"] == "initiated"
    pending = only(there, "/svm/peers")
    assert (pending["state"], pending["peer"]["svm"]["name"], pending["applications"]) == (
        "pending",
        "svm1",
        ["snapmirror"],
    )
    assert there.patch(f"/api/svm/peers/{pending['uuid']}", json={"state": "peered"}).status_code == 200
    assert [only(client, "/svm/peers")["state"] for client in (here, there)] == ["peered", "peered"]
    assert code(here.post("/api/svm/peers", json=wish)) == "26345478"


def test_the_other_side_is_told_of_the_end(peered):
    with peered.here.client() as here, peered.there.client() as there:
        record = only(here, "/svm/peers")
        assert record["state"] == "peered", "the SVM was among the initially allowed"
        assert code(here.delete(f"/api/cluster/peers/{only(here, '/cluster/peers')['uuid']}")) == "4653078"
        assert here.delete(f"/api/svm/peers/{record['uuid']}").status_code == 200
        assert there.get("/api/svm/peers").json()["num_records"] == 0
        assert here.delete(f"/api/cluster/peers/{only(here, '/cluster/peers')['uuid']}").status_code == 200


def test_a_peer_that_cannot_be_reached_is_unavailable(peered):
    fault = {"method": "POST", "path": "/intercluster/svm_peer.change", "kind": "refuse"}
    peered.there.control("POST", "/faults", fault)
    with peered.here.client() as here:
        answer = here.patch(f"/api/svm/peers/{only(here, '/svm/peers')['uuid']}", json={"state": "suspended"})
        assert code(answer) == "4653061"
        assert only(here, "/svm/peers")["state"] == "peered"
        assert only(here, "/cluster/peers")["status"]["state"] == "unavailable"


def test_svms_of_one_cluster_are_peers_at_once(emulator, api):
    emulator.control("PUT", "/svms", {"name": "svm_beside"})
    wish = {"svm": {"name": "svm1"}, "peer": {"svm": {"name": "svm_beside"}}, "applications": ["snapmirror"]}
    assert api.post("/api/svm/peers", json=wish).status_code == 201
    found = api.get(
        "/api/svm/peers", params={"fields": "state,svm.name,peer.svm.name", "svm.name": "svm_beside"}
    ).json()
    assert [(r["state"], r["peer"]["svm"]["name"]) for r in found["records"]] == [("peered", "svm1")]
    itself = wish | {"peer": {"svm": {"name": "svm1"}}}
    assert code(api.post("/api/svm/peers", json=itself)) == "26345573"
    assert code(api.post("/api/svm/peers", json=wish | {"peer": {"svm": {"name": "nobody"}}})) == "9895992"
    emulator.control("PUT", "/svms", {"name": "svm_third"})
    taken = api.post("/api/svm/peers", json=wish | {"peer": {"svm": {"name": "svm_third"}}, "name": "svm_beside"})
    assert (taken.status_code, code(taken)) == (409, "1") and "svm_beside" in taken.json()["error"]["message"]
    assert api.delete(f"/api/svm/peers/{found['records'][0]['uuid']}").status_code == 200
    assert api.get("/api/svm/peers").json()["num_records"] == 0


def test_an_unknown_cluster_is_named(peered):
    with peered.here.client() as here:
        wish = {"svm": {"name": "svm1"}, "peer": {"svm": {"name": "svm2"}, "cluster": {"name": "mars"}}}
        answer = here.post("/api/svm/peers", json=wish)
        assert (answer.status_code, code(answer)) == (404, "4653077")
        assert "mars" in answer.json()["error"]["message"]


def test_peers_outlive_a_kill(tmp_path):
    one = Emulator(tmp_path / "one").start()
    other = Emulator(tmp_path / "other", "--cluster", "there", "--svm", "svm2").start()
    try:
        peer(one, other)
        other.kill()
        with one.client() as here:
            uuid = only(here, "/svm/peers")["uuid"]
            assert code(here.patch(f"/api/svm/peers/{uuid}", json={"state": "suspended"})) == "4653061"
            other.start()
            assert here.patch(f"/api/svm/peers/{uuid}", json={"state": "suspended"}).status_code == 200
        with other.client() as there:
            assert only(there, "/svm/peers")["state"] == "suspended"
    finally:
        one.close()
        other.close()
