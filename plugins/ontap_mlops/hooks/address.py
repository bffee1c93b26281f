"""From an Airflow connection to the address of its service: the one way, for hooks, links and programs alike."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from airflow.sdk import Connection

_SCHEMES = ("http", "https")


class AddressError(ValueError):
    """A connection whose fields name no address; the text says which field, and never shows a login."""


@dataclass(frozen=True)
class Address:
    """``host`` as it stands in a URL, an IPv6 address in brackets; ``path`` without a slash at its end."""

    scheme: str
    host: str
    port: int | None
    path: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}{f':{self.port}' if self.port else ''}{self.path}"


def address_of(connection: Connection, scheme: str = "http") -> Address:
    """The address in host, port and schema of a connection.

    The host may be a name or an IP address, with ``http(s)://`` before it, a port and a path behind it; what it does
    not say, port and schema do, and at last ``scheme``. Raises AddressError for fields that contradict each other or
    are no address.
    """
    named, host = f"Connection {connection.conn_id!r}", str(connection.host or "").strip()
    if not host:
        raise AddressError(f"{named} has no host; enter the address of the service there.")
    parts = _parts(named, host)
    known = (parts.scheme or connection.schema or _by_type(connection) or scheme).lower()
    if known not in _SCHEMES:
        where = "host" if parts.scheme else "schema"
        raise AddressError(f"{named} has {known!r} in its {where}; give http or https there, and a path with the host.")
    return Address(known, _bracketed(str(parts.hostname)), _port(named, parts, connection.port), parts.path.rstrip("/"))


def _parts(named: str, host: str) -> SplitResult:
    """Raises AddressError for what is no part of an address."""
    try:
        parts = urlsplit(host if "://" in host else f"//{_bracketed(host)}")
    except ValueError:
        raise AddressError(f"{named} has a host that is no address; give a name, an IP address or a URL.") from None
    if parts.username is not None or parts.password is not None:
        raise AddressError(f"{named} has a login in its host; give it in the fields for login and password.")
    if parts.query or parts.fragment or not parts.hostname or set(parts.hostname) & set(" \t\\<>\"'"):
        raise AddressError(f"{named} has the host {host!r}, which is no address; give a name, an IP address or a URL.")
    return parts


def _bracketed(host: str) -> str:
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host


def _port(named: str, parts: SplitResult, apart: int | None) -> int | None:
    try:
        within = parts.port
    except ValueError:
        raise AddressError(f"{named} has a port in its host that is none; give a number from 1 to 65535.") from None
    if within and apart and within != int(apart):
        raise AddressError(f"{named} has port {within} in its host and {apart} in its port; give it once.")
    return within or (int(apart) if apart else None)


def _by_type(connection: Connection) -> str | None:
    """The scheme of a connection given as the URI ``https://host``."""
    return "https" if connection.conn_type == "https" else None
