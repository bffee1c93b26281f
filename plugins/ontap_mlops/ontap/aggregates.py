"""Aggregates: where space is, and whether cold data can go to an object store from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.errors import NotFound, SpaceFull

_FIELDS = "uuid,name,space.block_storage.size,space.block_storage.available"


@dataclass(frozen=True, kw_only=True)
class Aggregate:
    """Bytes; None where ONTAP did not tell."""

    uuid: str
    name: str
    size_bytes: int | None = None
    available_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class ObjectStore:
    """``available`` is False while the aggregate cannot reach it."""

    name: str
    available: bool = True


def list_aggregates(client: Client) -> list[Aggregate]:
    return [_aggregate(r) for r in client.records("Aggregate", asked="list aggregates", fields=_FIELDS)]


def find(client: Client, *, name: str) -> Aggregate | None:
    return next((found for found in list_aggregates(client) if found.name == name), None)


def get(client: Client, *, name: str) -> Aggregate:
    found = find(client, name=name)
    if found is None:
        raise NotFound(f"There is no aggregate {name!r} on ONTAP at {client.address}. Check the name.")
    return found


def object_stores(client: Client, *, name: str) -> list[ObjectStore]:
    """Return the object stores attached to an aggregate; empty when it tiers nothing."""
    asked = f"list the object stores of aggregate {name!r}"
    aggregate = get(client, name=name)
    found = client.records("CloudStore", aggregate.uuid, asked=asked, fields="target.name,availability")
    return [_store(record) for record in found]


def require_room(aggregate: Aggregate, size_bytes: int, called: str) -> None:
    """Raises SpaceFull when the aggregate has less space than that."""
    if aggregate.available_bytes is not None and aggregate.available_bytes < size_bytes:
        raise SpaceFull(
            f"Aggregate {aggregate.name!r} has {aggregate.available_bytes:,} bytes free and {called} needs "
            f"{size_bytes:,}. {SpaceFull.advice}, or name another aggregate."
        )


def _store(record: dict[str, Any]) -> ObjectStore:
    target = record.get("target") or {}
    return ObjectStore(name=target.get("name") or "", available=record.get("availability") != "unavailable")


def _aggregate(record: dict[str, Any]) -> Aggregate:
    block = (record.get("space") or {}).get("block_storage") or {}
    return Aggregate(
        uuid=record["uuid"],
        name=record.get("name", ""),
        size_bytes=block.get("size"),
        available_bytes=block.get("available"),
    )
