"""Operators that let clusters and SVMs use each other's volumes: what mirrors and caches stand on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator, OntapPairOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

APPLICATIONS = ("snapmirror", "flexcache")


class OntapPeerEnsureOperator(OntapPairOperator):
    """Make two clusters peers of each other, or find that they are. Both logins must be a cluster administrator's.

    The passphrase is made up for the moment and kept nowhere. An offer that the other end does not know, such as that
    of a try that was killed, is made anew; a peer that only one end agrees to is left to a person.

    :param source_conn_id: connection to the other cluster.
    :return: ``peer`` (the other cluster's name here) and ``known_as`` (this one's name there); both empty for one and
        the same cluster.
    """

    def execute(self, context: Context) -> dict[str, str]:
        from ontap_mlops.ontap import peers

        with self.hook.client() as client, self.source_hook.client() as other:
            made = peers.ensure(client, other)
        if made is None:
            self.log.info("Both connections lead to the same cluster, which needs no peer")
            return {"peer": "", "known_as": ""}
        there, here = made
        self.log.info("Clusters %s and %s are peers, by %s", here.name, there.name, ", ".join(there.addresses))
        return {"peer": there.name, "known_as": here.name}


class OntapPeerDeleteOperator(OntapOperator):
    """Forget a peer cluster, at this end; one that is not known is no error. Refused while SVMs have peers there.

    :param peer: name of the other cluster.
    :return: whether it was known.
    """

    template_fields: Sequence[str] = ("peer",)

    def __init__(self, *, peer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.peer = peer

    def execute(self, context: Context) -> bool:
        from ontap_mlops.ontap import peers

        with self.hook.client() as client:
            removed = peers.delete(client, name=self.peer)
        self.log.info("Peer cluster %s %s", self.peer, "is forgotten" if removed else "was not known")
        return removed


class OntapSvmPeerEnsureOperator(OntapPairOperator):
    """Make two SVMs peers, so that volumes of one can be mirrored to and cached on the other; their clusters too.

    Where they are peers already, nothing else is asked, so an account of one SVM will do. To make them peers takes an
    administrator of both clusters.

    :param source_conn_id: connection to the other SVM's cluster.
    :param svm: the connection's own if not given.
    :param source_svm: that of ``source_conn_id`` if not given.
    :param applications: what they are peers for.
    :return: ``svm``, ``peer_svm``, ``name`` (what the SVM calls its peer in paths), ``peer_cluster``.
    """

    template_fields: Sequence[str] = ("svm", "source_svm", "applications")

    def __init__(
        self,
        *,
        svm: str | None = None,
        source_svm: str | None = None,
        applications: Sequence[str] = APPLICATIONS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.svm = svm
        self.source_svm = source_svm
        self.applications = applications

    def execute(self, context: Context) -> dict[str, str]:
        from ontap_mlops.ontap import peers

        svm, source_svm = self.hook.svm(self.svm), self.source_hook.svm(self.source_svm)
        with self.hook.client() as client, self.source_hook.client() as other:
            peer = peers.ensure_svm_peer(
                client, other, svm=svm, peer_svm=source_svm, applications=tuple(self.applications)
            )
        self.log.info("SVMs %s and %s are peers for %s", svm, source_svm, ", ".join(peer.applications))
        return {"svm": svm, "peer_svm": source_svm, "name": peer.name, "peer_cluster": peer.peer_cluster}


class OntapSvmPeerDeleteOperator(OntapOperator):
    """End the peering of two SVMs, at both ends; none is no error. Refused while a mirror or cache needs it.

    :param peer_svm: the other SVM, by its own name.
    :param svm: the connection's own if not given.
    :return: whether they were peers.
    """

    template_fields: Sequence[str] = ("peer_svm", "svm")

    def __init__(self, *, peer_svm: str, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.peer_svm = peer_svm
        self.svm = svm

    def execute(self, context: Context) -> bool:
        from ontap_mlops.ontap import peers

        svm = self.hook.svm(self.svm)
        with self.hook.client() as client:
            ended = peers.delete_svm_peer(client, svm=svm, peer_svm=self.peer_svm)
        self.log.info("SVMs %s and %s %s", svm, self.peer_svm, "are peers no more" if ended else "were no peers")
        return ended
