"""Calls to peered clusters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from emulator.errors import OntapError
from emulator.intercluster import handshake, signing
from emulator.intercluster.address import PORT
from emulator.store import Record

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 60.0


class PeerUnreachable(OntapError):
    code = "4653061"

    def __init__(self, cluster: str, reason: str) -> None:
        super().__init__(f'The peer cluster "{cluster}" cannot be reached: {reason}.')


class Peers:
    """The other end of every peering; calls may come from any thread."""

    def __init__(self, world: handshake.Place) -> None:
        self._world = world
        timeout = httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        self._http = httpx.Client(timeout=timeout, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def call(self, peer: Record, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What the peer answers under this name. `PeerUnreachable`, or the `OntapError` that the peer raised."""
        with self.read(peer, name, arguments) as response:
            found: dict[str, Any] = json.loads(response.read())
            return found

    @contextmanager
    def read(self, peer: Record, name: str, arguments: dict[str, Any]) -> Iterator[httpx.Response]:
        """As ``call``, for answers of bytes: ``iter_bytes()`` of the response reads them."""
        body = json.dumps(arguments).encode()
        own = handshake.facts(self._world)["uuid"]
        headers = signing.signed(peer["secret"] or "", own, name, body)
        try:
            with self._stream(peer["ip_addresses"], name, body, headers) as response:
                if response.status_code != 200:
                    raise _error(json.loads(response.read()), response.status_code)
                self._note(peer, available=True)
                yield response
        except (httpx.HTTPError, OSError) as error:
            self._note(peer, available=False)
            raise PeerUnreachable(peer["name"] or ", ".join(peer["ip_addresses"]), str(error)) from error

    def greet(self, address: str, key: str) -> dict[str, Any]:
        """The handshake with the cluster at an address. `PeerUnreachable`, `NotExpected` or `PassphraseMismatch`."""
        own = handshake.facts(self._world)
        body = json.dumps(own | {"proof": handshake.proof(key, own["uuid"])}).encode()
        try:
            with self._stream([address], handshake.NAME, body, {}) as response:
                told: dict[str, Any] = json.loads(response.read())
        except (httpx.HTTPError, OSError, ValueError) as error:  # or what answers there is no cluster
            raise PeerUnreachable(address, str(error)) from error
        if response.status_code == 200:
            if told["proof"] != handshake.proof(key, told["uuid"]):
                raise handshake.PassphraseMismatch()
            return told
        raise _error(told, response.status_code)

    def _stream(self, addresses: list[str], name: str, body: bytes, headers: dict[str, str]) -> Any:
        url = f"http://{addresses[0]}:{PORT}/{name}"
        return self._http.stream("POST", url, content=body, headers=headers)

    def _note(self, peer: Record, *, available: bool) -> None:
        """Availability is what the last call found."""
        world = self._world
        known = world.store.get(handshake.KIND, peer["uuid"])
        if known and known["available"] != available:
            world.store.update(handshake.KIND, peer["uuid"], available=available, update_time=world.clock.iso())


def _error(told: dict[str, Any], status: int) -> OntapError:
    error = told["error"]
    kinds = {kind.code: kind for kind in (handshake.NotExpected, handshake.PassphraseMismatch)}
    if error["code"] in kinds:
        return kinds[error["code"]]()
    return OntapError(error["message"], error.get("target"), code=error["code"], status=status)
