"""Two clusters and their SVMs become peers, whatever an earlier try has left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ontap_mlops.ontap import peers
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.errors import InUse, NameTaken, NotFound
from ontap_mlops.operators.peers import OntapPeerEnsureOperator, OntapSvmPeerDeleteOperator, OntapSvmPeerEnsureOperator
from tests.conftest import unpeer
from tests.ontap_mlops.conftest import Ontap

THERE = "svm2"


@pytest.fixture
def there(ontap: Ontap, other_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ontap]:
    unpeer(ontap.emulator, other_emulator)
    with other_emulator.client() as http:
        made = Ontap(other_emulator, http)
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_REMOTE", made.connection(extra=extra(made)))
        yield made
        for client in made.clients:
            client.close()
    unpeer(ontap.emulator, other_emulator)


def extra(ontap: Ontap) -> dict[str, str]:
    return {"verify": ontap.emulator.ca, "svm": ontap.emulator.svm}


def svm_peering(**other: Any) -> Any:
    facts = {"task_id": "peer", "ontap_conn_id": "ontap_remote", "source_conn_id": "ontap_default"}
    return OntapSvmPeerEnsureOperator(**{**facts, **other}).execute({})


def test_svms_are_made_peers_once_and_their_clusters_with_them(ontap, there) -> None:
    made = svm_peering()
    assert made == {"svm": THERE, "peer_svm": "svm1", "name": "svm1", "peer_cluster": "emulator"}
    for cluster in (ontap, there):
        cluster.forget_requests()
    assert svm_peering() == made
    assert (ontap.writes(), there.writes()) == ([], [])
    assert [peer.state for peer in peers.list_svm_peers(ontap.client(), svm="svm1")] == ["peered"]


def test_clusters_are_told_once(ontap, there) -> None:
    facts = {"task_id": "peer", "ontap_conn_id": "ontap_remote", "source_conn_id": "ontap_default"}
    made = OntapPeerEnsureOperator(**facts).execute({})
    assert made == {"peer": "emulator", "known_as": "there"}
    ontap.forget_requests()
    assert OntapPeerEnsureOperator(**facts).execute({}) == made
    assert ontap.writes() == []


def test_an_offer_that_only_one_end_knows_is_made_anew(ontap, there, client: Client) -> None:
    body = {"remote": {"ip_addresses": [there.emulator.intercluster_ip]}, "authentication": {"passphrase": "a" * 12}}
    client.create("ClusterPeer", body, asked="offer")
    assert not peers.list_peers(client)[0].authenticated
    here, back = peers.ensure(client, there.client()) or (None, None)
    assert here and back and here.authenticated and back.authenticated and here.available
    assert len(peers.list_peers(client)) == 1


def test_a_peer_that_one_end_has_forgotten_is_left_to_a_person(there, client: Client) -> None:
    peers.ensure(client, there.client())
    peers.delete(there.client(), name="emulator")
    with pytest.raises(NameTaken, match=r"has cluster 'there' as its peer, and ONTAP at .* does not know of it"):
        peers.ensure(client, there.client())
    assert len(peers.list_peers(client)) == 1


def test_one_cluster_with_two_svms_needs_no_cluster_peer(ontap, client: Client, monkeypatch) -> None:
    client.create("Svm", {"name": "svm_b"}, asked="create")
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_REMOTE", ontap.connection())
    assert peers.ensure(client, ontap.client()) is None
    made = svm_peering(svm="svm_b")
    assert (made["name"], made["svm"]) == ("svm1", "svm_b")
    assert peers.list_peers(client) == []


def test_svms_of_one_name_are_told_apart(ontap, there, client: Client) -> None:
    there.client().create("Svm", {"name": "svm1"}, asked="create")
    made = svm_peering(svm="svm1")
    assert (made["name"], made["peer_svm"]) == ("svm1_emulator", "svm1")
    assert svm_peering(svm="svm1") == made


def test_a_use_that_was_not_asked_for_before_is_added(ontap, there) -> None:
    svm_peering(applications=["snapmirror"])
    svm_peering(applications=["flexcache"])
    (peer,) = peers.list_svm_peers(there.client())
    assert set(peer.applications) == {"snapmirror", "flexcache"}


def test_an_account_of_one_svm_sees_that_they_are_peers_and_cannot_make_them_so(ontap, there, monkeypatch) -> None:
    for name, cluster in (("DEFAULT", ontap), ("REMOTE", there)):
        connection = cluster.connection(login="vsadmin", extra=extra(cluster))
        monkeypatch.setenv(f"AIRFLOW_CONN_ONTAP_{name}", connection)
    with pytest.raises(NotFound, match="has no intercluster address, or this account may not see one"):
        svm_peering()
    peers.ensure_svm_peer(there.client(), ontap.client(), svm=THERE, peer_svm="svm1")
    assert svm_peering()["name"] == "svm1"


def test_the_end_of_a_peering_ends_it_on_both_sides(ontap, there, client: Client) -> None:
    svm_peering()
    with pytest.raises(InUse, match="svm2|svm1"):
        peers.delete(there.client(), name="emulator")
    facts = {"task_id": "end", "ontap_conn_id": "ontap_remote", "peer_svm": "svm1"}
    assert OntapSvmPeerDeleteOperator(**facts).execute({}) is True
    assert OntapSvmPeerDeleteOperator(**facts).execute({}) is False
    assert (peers.list_svm_peers(client), peers.delete(there.client(), name="emulator")) == ([], True)
