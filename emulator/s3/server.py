"""Starts the S3 server in a thread of the emulator: `serve(world, host, port)`."""

from __future__ import annotations

import shutil
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from emulator.s3 import flat, uploads
from emulator.s3.accounts import Accounts
from emulator.s3.app import App
from emulator.s3.context import Server
from emulator.s3.facts import FactStore
from emulator.s3.protocol import Protocol
from emulator.s3.space import Space

if TYPE_CHECKING:
    from emulator.world import World

_START_TIMEOUT_S = 120


@dataclass
class Handle:
    """A running S3 server."""

    host: str
    port: int
    _server: uvicorn.Server
    _thread: threading.Thread

    def stop(self) -> None:
        """Requests under way have a few seconds to end."""
        self._server.should_exit = True
        self._thread.join(timeout=10)


def serve(
    world: World,
    host: str = "127.0.0.1",
    port: int = 0,
    ssl_certfile: str | None = None,
    ssl_keyfile: str | None = None,
) -> Handle:
    """Listen and return once connections are accepted; port 0 takes a free one. OSError when the port is taken.

    Plain HTTP without a certificate, HTTPS with one. The port is noted in `world.config.s3_port`.
    """
    _forget_orphans(world)
    flat.adopt_trees(world)
    listener = socket.create_server((host, port), backlog=512, reuse_port=False)
    config = uvicorn.Config(
        App(Server(world, Accounts(world), FactStore(), Space(), flat.Index())),
        ssl_certfile=ssl_certfile,
        ssl_keyfile=ssl_keyfile,
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
        timeout_keep_alive=60,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="s3", daemon=True)
    thread.start()
    _wait_until_started(server, thread)
    world.config.s3_port = listener.getsockname()[1]
    return Handle(host, world.config.s3_port, server, thread)


def _forget_orphans(world: World) -> None:
    """Remove objects and uploads of buckets that are gone: a kill or a reset left them."""
    known = {bucket["uuid"] for bucket in world.store.find("s3_bucket")}
    for buckets in (world.root / "s3" / "objects", world.root / "s3" / "buckets"):
        for folder in buckets.iterdir() if buckets.exists() else ():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)
    uploads.forget_others(world, known)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    waited = threading.Event()
    for _ in range(_START_TIMEOUT_S * 100):
        if server.started:
            return
        if not thread.is_alive():
            break
        waited.wait(0.01)
    raise RuntimeError("The S3 server did not start; its log says why.")
