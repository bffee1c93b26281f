"""A volume that is to be elsewhere too: a model's at an edge site, or a site's inputs at home.

It is a cache or a mirror of the original, or a volume of its own into which a program copies.
"""

from __future__ import annotations

from typing import Any

from ontap_mlops.ontap import caches, mirrors, peers, transfers, volumes
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.marks import mark

FLEXCACHE, SNAPMIRROR = "flexcache", "snapmirror"


def bring(
    client: Client,
    source: Client,
    *,
    way: str,
    svm: str,
    volume: str,
    source_svm: str,
    source_volume: str,
    size_bytes: int,
    aggregate: str | None = None,
    what: str = "models",
) -> dict[str, Any]:
    """Ensure the volume on ``client`` and begin what brings it up to date; returns the arguments of ``look``.

    What an earlier try made is found, and a transfer that runs is joined. Raises as caches, mirrors and volumes do.

    :param way: ``flexcache``, ``snapmirror``, or anything else for a volume of the site's own.
    :param size_bytes: of the cache, or of the volume of its own.
    :param what: lies in it, for the comment.
    """
    comment, path = mark(f"{what} of {source_svm}:{source_volume}"), f"/{volume}"
    where = {"svm": svm, "volume": volume}
    if way == FLEXCACHE:
        caches.ensure(
            client,
            svm=svm,
            name=volume,
            origin_svm=_peer(client, source, svm, source_svm),
            origin_volume=source_volume,
            comment=comment,
            size_bytes=size_bytes,
            junction_path=path,
            aggregate=aggregate,
        )
        return where
    if way != SNAPMIRROR:
        volumes.ensure(
            client,
            svm=svm,
            name=volume,
            size_bytes=size_bytes,
            comment=comment,
            junction_path=path,
            unix_permissions="777",
            aggregate=aggregate,
        )
        return where
    original = volumes.get(source, svm=source_svm, name=source_volume)
    _peer(client, source, svm, source_svm)
    mirrors.ensure_destination(
        client, svm=svm, volume=volume, size_bytes=original.size_bytes or 0, comment=comment, aggregate=aggregate
    )
    mirror = mirrors.ensure(client, svm=svm, volume=volume, source_svm=source_svm, source_volume=source_volume)
    begun = transfers.begin(client, mirror=mirror)
    return {**where, "mirror": mirror.uuid, "transfer": begun.uuid, "joined": begun.joined}


def look(
    client: Client,
    *,
    svm: str,
    volume: str,
    mirror: str = "",
    transfer: str = "",
    joined: bool = False,
    cursor: Any = None,
) -> dict[str, Any]:
    """Return how far it is, as ``triggers.polling.PollingTrigger`` asks; of a mirror, mount what it has brought.

    A transfer that was only joined may have begun before the model was there, so another one follows it.
    """
    if not mirror:
        return {"done": True, "payload": {"bytes": 0, "seconds": 0.0}}
    answer = transfers.look(client, mirror=mirror, transfer=transfer, joined=joined, cursor=cursor)
    if not answer["done"]:
        return answer
    if answer["cursor"]["joined"]:
        again = transfers.begin(client, mirror=mirrors.by_uuid(client, uuid=mirror))
        known = {"transfer": again.uuid, "joined": again.joined, "told": ""}
        return {"done": False, "cursor": known, "lines": answer["lines"]}
    volumes.mount(client, volume=volumes.get(client, svm=svm, name=volume), junction_path=f"/{volume}")
    return answer


def abort(client: Client, *, mirror: str = "", transfer: str = "", **_: Any) -> bool:
    """Stop the transfer of a mirror, whose destination stays as it was. Arguments as those of ``look``."""
    return bool(mirror) and transfers.abort(client, mirror=mirror, transfer=transfer)


def _peer(client: Client, source: Client, svm: str, source_svm: str) -> str:
    """What the SVM of ``client`` calls that of ``source``; the two are made peers where they are none yet."""
    if svm == source_svm and client.address == source.address:
        return source_svm
    uses = (FLEXCACHE, SNAPMIRROR)
    return peers.ensure_svm_peer(client, source, svm=svm, peer_svm=source_svm, applications=uses).name
