from ontap_mlops.ontap import peers
from ontap_mlops.operators.peers import (
    OntapPeerDeleteOperator,
    OntapPeerEnsureOperator,
    OntapSvmPeerDeleteOperator,
    OntapSvmPeerEnsureOperator,
)
from tests.faults.site import SVM, Scenario, Site

BOTH = {"task_id": "t", "ontap_conn_id": "ontap_remote", "source_conn_id": "ontap_default"}


def agreed(site: Site) -> list[list[peers.Peer]]:
    """What each cluster knows of the other; the passphrase that they agreed on is another one each time."""
    known = [peers.list_peers(client) for client in (site.client, site.there.client())]
    return [[(peer.name, peer.addresses, peer.authenticated, peer.available) for peer in found] for found in known]


def clusters(site: Site) -> None:
    peers.ensure(site.there.client(), site.client)


def peered(site: Site) -> object:
    found = [peers.list_svm_peers(client) for client in (site.client, site.there.client())]
    return [[(p.name, p.svm, p.peer_svm, p.state, p.applications) for p in some] for some in found], agreed(site)


# An offer that the other cluster has not taken up: it ends by itself, and the next try makes another.
OFFER = ("cluster_peer",)

SCENARIOS = [
    Scenario(
        operator="OntapPeerEnsureOperator",
        clusters=2,
        keeps=OFFER,
        peered=False,
        end=agreed,
        make=lambda site: OntapPeerEnsureOperator(**BOTH),
    ),
    Scenario(
        operator="OntapPeerDeleteOperator",
        clusters=2,
        peered=False,
        prepare=clusters,
        end=agreed,
        make=lambda site: OntapPeerDeleteOperator(task_id="t", ontap_conn_id="ontap_remote", peer="emulator"),
    ),
    Scenario(
        operator="OntapSvmPeerEnsureOperator",
        clusters=2,
        keeps=OFFER,
        peered=False,
        end=peered,
        make=lambda site: OntapSvmPeerEnsureOperator(**BOTH),
    ),
    Scenario(
        operator="OntapSvmPeerDeleteOperator",
        clusters=2,
        end=peered,
        make=lambda site: OntapSvmPeerDeleteOperator(task_id="t", ontap_conn_id="ontap_remote", peer_svm=SVM),
    ),
]
