"""The system as a whole: version, clock, SVMs, where space is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

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


def release(client: Client) -> str | None:
    """Return the release, such as "9.16.1"; None for an account that may not read it."""
    try:
        return get(client).release
    except NotAuthorized:
        return None


def now(client: Client) -> datetime:
    """Return ONTAP's own time, with time zone: the one clock that orders versions, whatever the worker's says.

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
    """Raises NotFound with the names of the SVMs there are. Asked once per client."""
    if svm not in client.svm_uuids:
        client.svm_uuids[svm] = _svm(client, svm, fields="name,uuid")["uuid"]
    return client.svm_uuids[svm]


def roomiest_aggregate(client: Client, *, svm: str) -> str:
    """Return the name of the aggregate with the most free space among those the SVM may use."""
    record = _svm(client, svm, fields="name,uuid,aggregates")
    may_use = {a["name"]: a.get("available_size") for a in record.get("aggregates") or []}
    if len(may_use) == 1:
        return next(iter(may_use))
    free = {name: size for name, size in may_use.items() if size is not None} or _free_space(client)
    usable = {name: size for name, size in free.items() if not may_use or name in may_use} or dict.fromkeys(may_use, 0)
    if not usable:
        raise NotFound(f"ONTAP at {client.address} shows no aggregate for SVM {svm!r}. Name one, or assign one to it.")
    return max(usable, key=lambda name: usable[name])


def _svm(client: Client, svm: str, *, fields: str) -> dict[str, Any]:
    found = client.records("Svm", asked=f"look up SVM {svm!r}", fields=fields)
    for record in found:
        if record.get("name") == svm:
            return record
    names = ", ".join(sorted(record["name"] for record in found if record.get("name"))) or "none"
    raise NotFound(
        f"There is no SVM {svm!r} on ONTAP at {client.address}; this account sees: {names}. Check the name.",
        code="2621462",
    )


def _free_space(client: Client) -> dict[str, int]:
    """Return the bytes free by aggregate; empty for an account that may not see aggregates."""
    try:
        found = client.records("Aggregate", asked="list aggregates", fields="name,space.block_storage.available")
    except (NotAuthorized, NotFound):
        return {}
    return {a["name"]: ((a.get("space") or {}).get("block_storage") or {}).get("available") or 0 for a in found}
