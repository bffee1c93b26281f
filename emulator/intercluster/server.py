"""The intercluster listener: answers calls of peered clusters, at an address of its own."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from emulator.errors import NotAllowed, OntapError
from emulator.intercluster import handshake, signing
from emulator.intercluster.offers import OFFERS, Stream
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World

MAX_BODY_BYTES = 64 << 20
IDLE_TIMEOUT_S = 60

log = logging.getLogger(__name__)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # A peer that goes in the midst of an answer, or an emulator that stops, does not wait for the other.
    block_on_close = False

    def __init__(self, listener: socket.socket, world: World) -> None:
        super().__init__(listener.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.world = world

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("an intercluster connection ended", exc_info=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT_S
    server: Server
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def do_POST(self) -> None:
        name = self.path.strip("/")
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MAX_BODY_BYTES))
        faults, path = self.server.world.faults, f"/intercluster/{name}"
        if faults.take("POST", path, "refuse"):
            self._drop()
            return
        if slow := faults.take("POST", path, "slow"):
            time.sleep(slow.delay_s)
        lost = faults.take("POST", path, "lost_answer")
        try:
            if fault := faults.take("POST", path, "error"):
                raise fault.error()
            answer = self._answer(name, body)
        except OntapError as error:
            answer, status = error.body(), error.status
        except Exception as error:
            log.exception("the call %s of a peer failed inside the emulator", name)
            broken = OntapError(f"Internal error. {type(error).__name__}: {error}", code="20", status=500)
            answer, status = broken.body(), broken.status
        else:
            status = 200
        if lost:
            self._drop()
        else:
            self._send(status, answer)

    def _answer(self, name: str, body: bytes) -> dict[str, Any] | Stream:
        arguments = json.loads(body or b"{}")
        with self.server.world.gate.entered():
            if name == handshake.NAME:
                return handshake.answer(self.server.world, arguments)
            if name not in OFFERS:
                raise OntapError(f"The peer's release does not know {name}.", status=404)
            return OFFERS[name](self.server.world, self._peer(name, body), arguments)

    def _peer(self, name: str, body: bytes) -> Record:
        """The peer that signed the request, or 403."""
        known = self.server.world.store.find("cluster_peer", remote_uuid=self.headers.get(signing.CLUSTER) or "")
        if not known or not signing.agrees(known[0]["secret"], dict(self.headers), name, body):
            raise NotAllowed("The clusters are not peered, or their secrets differ.")
        return known[0]

    def _send(self, status: int, answer: dict[str, Any] | Stream) -> None:
        stream = answer if isinstance(answer, Stream) else None
        text = b"" if stream else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream" if stream else "application/json")
        self.send_header("Content-Length", str(stream.length if stream else len(text)))
        self.end_headers()
        for part in stream.parts if stream else (text,):
            self.wfile.write(part)
        self.wfile.flush()

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent, as the REST side is."""


def serve(world: World, listener: socket.socket) -> Server:
    """Answer in a thread until ``stop``."""
    server = Server(listener, world)
    threading.Thread(target=server.serve_forever, args=(0.1,), name="intercluster", daemon=True).start()
    return server


def stop(server: Server) -> None:
    server.shutdown()
    server.server_close()
