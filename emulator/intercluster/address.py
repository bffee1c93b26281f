"""The address at which peers reach an emulated cluster: one of the loopback network's, of its own.

In a container it listens at all of the container's, and peers are told the container's name.
"""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

PORT = 11105
"""ONTAP's own, for intercluster traffic."""
EVERYWHERE = "0.0.0.0"  # noqa: S104 - in a container, whose network decides who reaches it
_TRIES = 50


def listen(root: Path, wanted: str | None) -> socket.socket:
    """Listen at ``wanted``, or at the address that the emulator had before, or at a free one made of its root's path.

    The address is kept in the root, since peers remember it. OSError when it cannot be had.
    """
    kept = root / "intercluster-ip"
    if wanted or kept.exists():
        listener = _bound(wanted or kept.read_text().strip())
    else:
        listener = _first_free(root)
    if wanted != EVERYWHERE:
        kept.write_text(listener.getsockname()[0] + "\n")
    return listener


def _first_free(root: Path) -> socket.socket:
    for number in range(_TRIES):
        try:
            return _bound(_derived(root, number))
        except OSError as error:
            refused = error
    raise refused


def _derived(root: Path, number: int) -> str:
    """127.a.b.c, never one of those that other programs like to use."""
    digest = hashlib.sha256(f"{root}#{number}".encode()).digest()
    return f"127.{16 + digest[0] % 224}.{digest[1]}.{1 + digest[2] % 254}"


def _bound(address: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, PORT))
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"{address} port {PORT}: {error.strerror}") from error
    return listener
