"""What the S3 server's parts share: finding a record, making it once, and comparing statements with those there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.errors import NameTaken, NotFound


def named(client: Client, kind: str, svm_uuid: str, name: str, *, fields: str, what: str) -> dict[str, Any] | None:
    try:
        found = client.records(kind, svm_uuid, asked=f"look up {what}", fields=fields, name=name)
    except NotFound:
        return None
    return next((record for record in found if record.get("name") == name), None)


def unless_taken(client: Client, kind: str, body: dict[str, Any], *parents: str, asked: str) -> None:
    """Create it; that it exists already means an earlier try of ours, whose answer was lost, made it."""
    try:
        client.create(kind, body, *parents, asked=asked)
    except NameTaken:
        return


def says(there: Any, wanted: Sequence[dict[str, Any]]) -> bool:
    """Whether the statements there hold all that is wanted; ONTAP adds fields of its own."""
    there = there or []
    return len(there) == len(wanted) and all(
        _plain(a.get(key)) == _plain(value) for a, b in zip(there, wanted, strict=True) for key, value in b.items()
    )


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(v.get("name") if isinstance(v, dict) and "name" in v else v) for v in value]
    return value
