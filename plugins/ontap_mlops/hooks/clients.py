"""What hooks that hand out clients share: a client that is closed after use, and the fields of its connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from airflow.sdk import Connection

from ontap_mlops.clouds.errors import InvalidRequest
from ontap_mlops.hooks.address import AddressError, address_of
from ontap_mlops.hooks.extra import extra_of

C = TypeVar("C")


class Clients(Generic[C]):
    """A hook whose ``get_conn`` makes a client that has ``close``."""

    def get_conn(self) -> Any:
        raise NotImplementedError

    @contextmanager
    def client(self) -> Iterator[C]:
        """Raises what ``get_conn`` does: of a connection that lacks a field, which one."""
        client = self.get_conn()
        try:
            yield client
        finally:
            client.close()


def facts_of(connection: Connection, conn_id: str, needed: Sequence[str]) -> dict[str, Any]:
    """Return the extra of a cloud's connection. Raises InvalidRequest that names what it lacks of ``needed``."""
    extra = extra_of(connection)
    missing = [name for name in needed if not extra.get(name)]
    if missing:
        raise InvalidRequest(f"Connection {conn_id!r} has no {' and no '.join(missing)}. Fill it in.")
    return extra


def url_of(connection: Connection) -> str | None:
    """Return the address that a cloud's connection names; None for the cloud's own. Raises InvalidRequest."""
    try:
        return address_of(connection, "https").url if connection.host else None
    except AddressError as error:
        raise InvalidRequest(str(error)) from None
