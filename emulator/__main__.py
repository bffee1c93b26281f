"""Start the emulator: ``python -m emulator --root DIR --port N [--s3-port M] [--http] [--svm NAME]... ``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from emulator import logs, seed, tls
from emulator.auth import initial_password
from emulator.cluster import state as cluster
from emulator.errors import OntapError
from emulator.flexcache import views
from emulator.intercluster import address
from emulator.intercluster import server as intercluster
from emulator.intercluster.address import EVERYWHERE
from emulator.s3 import server as s3
from emulator.s3.protocol import Protocol
from emulator.server import App
from emulator.svms.state import check_name
from emulator.ticking import Ticking
from emulator.world import Config, World

HOST = "127.0.0.1"

log = logging.getLogger("emulator")


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m emulator", description="ONTAP on a folder, for one machine.")
    parser.add_argument("--root", type=Path, required=True, help="folder that holds everything; made when missing")
    parser.add_argument("--port", type=int, required=True, help="port of the REST API; 0 takes a free one")
    parser.add_argument(
        "--s3-port", type=int, default=0, help="port of the S3 server; 0 (the default) takes a free one"
    )
    parser.add_argument(
        "--host",
        choices=(HOST, EVERYWHERE),
        default=HOST,
        help="where it listens: on this machine only (the default), or to everybody who reaches this container",
    )
    parser.add_argument(
        "--name",
        metavar="NAME",
        type=_host_name,
        help="host name by which clients reach it: part of its certificate, and the address of its interfaces",
    )
    parser.add_argument("--http", action="store_true", help="REST over plain HTTP instead of HTTPS")
    parser.add_argument(
        "--svm",
        action="append",
        metavar="NAME",
        type=_svm,
        help="an SVM to begin with; may be given again (default: svm1)",
    )
    parser.add_argument(
        "--cluster",
        type=_cluster,
        default=cluster.CLUSTER_NAME,
        help="name of the cluster when it is made (default: %(default)s)",
    )
    parser.add_argument(
        "--intercluster-ip",
        metavar="ADDRESS",
        help="address at which peered clusters reach this one (default: a loopback one that follows from the root, or, "
        f"with --host {EVERYWHERE} and --name, the name)",
    )
    parser.add_argument(
        "--no-schedules",
        action="store_true",
        help="nothing begins by itself at the time of a schedule: no update of a mirror, no snapshot of a policy",
    )
    parser.add_argument("--ontap-version", type=_version, default="9.16.1", help="the release to behave like")
    return parser.parse_args(argv)


def _version(text: str) -> str:
    if not re.fullmatch(r"\d+\.\d+\.\d+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no release such as 9.16.1")
    return text


def _host_name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no host name: small letters, digits, dots and hyphens")
    return text


def _cluster(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,43}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a cluster: a letter, then letters, digits, - and _")
    return text


def _svm(text: str) -> str:
    try:
        check_name(text)
    except OntapError as error:
        raise argparse.ArgumentTypeError(error.message) from error
    return text


def main() -> int:
    args = arguments()
    logs.configure()
    root = args.root.resolve()
    root.mkdir(parents=True, exist_ok=True)
    lock = _lock(root)
    if lock is None:
        return _refuse(f"another emulator already runs on {root}; stop it first, or choose another --root")
    # A kill leaves the address of a process that is no more.
    (root / "endpoint.json").unlink(missing_ok=True)
    try:
        listener = _listen(args.port, args.host)
    except OSError as error:
        return _refuse(
            f"port {args.port} on {args.host} cannot be used ({error.strerror}); choose another --port, or 0"
        )
    try:
        peers = address.listen(root, args.intercluster_ip or (EVERYWHERE if _in_container(args) else None))
    except OSError as error:
        return _refuse(f"no address for peered clusters ({error.strerror}); choose another --intercluster-ip")
    world = World(root, _config(args, peers))
    seed.prepare(world, initial_password(root))
    answering = intercluster.serve(world, peers)
    caches = views.Watch(world)
    ticking = Ticking(world)
    try:
        return _run(world, listener, args)
    finally:
        caches.stop()
        (root / "endpoint.json").unlink(missing_ok=True)
        ticking.stop()
        world.transfers.stop()
        intercluster.stop(answering)
        world.peers.close()
        world.jobs.stop()
        world.store.close()


def _in_container(args: argparse.Namespace) -> bool:
    """Whether everybody who reaches this container knows it by a name; its addresses change, its name stays."""
    return bool(args.name) and args.host == EVERYWHERE


def _config(args: argparse.Namespace, peers: socket.socket) -> Config:
    found = peers.getsockname()[0]
    return Config(
        ontap_version=args.ontap_version,
        cluster=args.cluster,
        intercluster_ip=args.name if found == EVERYWHERE else found,
        name=args.name or HOST,
        svms=tuple(args.svm or (seed.SVM,)),
        schedules=not args.no_schedules,
    )


def _run(world: World, listener: socket.socket, args: argparse.Namespace) -> int:
    try:
        handle = s3.serve(world, args.host, args.s3_port)
    except OSError as error:
        return _refuse(
            f"port {args.s3_port} on {args.host} cannot be used for S3 ({error}); choose another --s3-port, or 0"
        )
    try:
        config, endpoint = _settings(world, listener, args)
        asyncio.run(_serve(Server(config), listener, world.root, endpoint))
    finally:
        handle.stop()
    return 0


def _settings(
    world: World, listener: socket.socket, args: argparse.Namespace
) -> tuple[uvicorn.Config, dict[str, object]]:
    ca, certificate, key = tls.ensure(world.root / "tls", args.name)
    secure = {} if args.http else {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
    scheme = "http" if args.http else "https"
    world.config.rest_url = f"{scheme}://{world.config.name}:{listener.getsockname()[1]}"
    endpoint: dict[str, object] = {
        "rest_url": world.config.rest_url,
        "s3_url": f"http://{world.config.name}:{world.config.s3_port}",
        "pid": os.getpid(),
        "ca": None if args.http else str(ca),
        "intercluster_ip": world.config.intercluster_ip,
    }
    config = uvicorn.Config(
        App(world),
        log_level="warning",
        access_log=False,
        lifespan="off",
        # ONTAP's Date is its own clock's, and it does not call itself uvicorn.
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        # A head that never ends is given up; a request to speak another protocol is answered as if it had not asked.
        http=Protocol,
        ws="none",
        **secure,  # type: ignore[arg-type]
    )
    return config, endpoint


class Server(uvicorn.Server):
    """Uvicorn would raise the signal again once it has stopped, before we could put our own things away."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


async def _serve(server: Server, listener: socket.socket, root: Path, endpoint: dict[str, object]) -> None:
    """Serve until SIGTERM or SIGINT, announcing the address once requests are answered."""
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    if server.started:
        _write(root / "endpoint.json", json.dumps(endpoint, indent=2) + "\n")
        log.info("ready at %s, S3 at %s, data in %s", endpoint["rest_url"], endpoint["s3_url"], root)
    await serving


def _listen(port: int, host: str = HOST) -> socket.socket:
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts; without, each small answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(256)
    return listener


def _lock(root: Path) -> int | None:
    """Held as long as this process lives, however it ends; None when another has it."""
    handle = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _write(path: Path, text: str) -> None:
    stage = path.with_suffix(".new")
    stage.write_text(text)
    stage.rename(path)


def _refuse(reason: str) -> int:
    sys.stderr.write(f"emulator: {reason}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
