"""The system as a whole: version, clock, SVMs, where space is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.errors import NotAuthorized, NotFound, ServiceTrouble


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """``version`` as three numbers: (9, 16, 1)."""

    name: str
    version: tuple[int, int, int]

    @property
    def release(self) -> str:
        return ".".join(map(str, self.version))


def get(client: Client) -> Cluster:
    record = client.record("Cluster", {}, asked="read name and version of the cluster", fields="name,version")
    version = record.get("version") or {}
    parts = [int(version.get(part) or 0) for part in ("generation", "major", "minor")]
    return Cluster(name=record.get("name", ""), version=(parts[0], parts[1], parts[2]))


def now(client: Client) -> datetime:
    """ONTAP's own clock, with time zone: the one clock that orders versions, whatever the worker's says.

    An account of one SVM may not read nodes; it gets the time of the answer itself, exact to the second.
    """
    asked = "read ONTAP's clock"
    try:
        dates = [node["date"] for node in client.records("Node", asked=asked, fields="date") if node.get("date")]
    except (NotAuthorized, NotFound):
        dates = []
    if dates:
        return datetime.fromisoformat(max(dates))
    header = client.server_date(asked=asked)
    if header is None:
        raise ServiceTrouble(f"ONTAP at {client.address} told neither a node's date nor the time of its answer.")
    return parsedate_to_datetime(header)


def svm_uuid(client: Client, *, svm: str) -> str:
    """Raises NotFound with the names of the SVMs there are."""
    known = {r.get("name"): r["uuid"] for r in client.records("Svm", asked="list SVMs", fields="name,uuid")}
    if svm not in known:
        names = ", ".join(sorted(filter(None, known))) or "none"
        raise NotFound(
            f"There is no SVM {svm!r} on ONTAP at {client.address}; this account sees: {names}. Check the name.",
            code="2621462",
        )
    return known[svm]


def roomiest_aggregate(client: Client, *, svm: str) -> str:
    """Name of the aggregate with the most free space among those the SVM may use."""
    svm_uuid(client, svm=svm)
    found = client.records("Svm", asked=f"list the aggregates of SVM {svm!r}", fields="aggregates", name=svm)
    aggregates = [a for r in found for a in r.get("aggregates") or [] if a.get("name")]
    if aggregates:
        return max(aggregates, key=lambda a: a.get("available_size") or 0)["name"]
    every = client.records("Aggregate", asked="list aggregates", fields="name,space.block_storage.available")
    if not every:
        raise NotFound(f"ONTAP at {client.address} shows no aggregate for SVM {svm!r}. Name one, or assign one to it.")
    return max(every, key=lambda a: ((a.get("space") or {}).get("block_storage") or {}).get("available") or 0)["name"]
