"""Serve calls, live and past, until stopped.

    python -m services.calls.serve --port 8650 --database sqlite:////srv/calls.db

The environment's ``CALLS_TOKEN`` is what programs bring that write; without it nothing is written. With
``--read-database`` history is read from another database, such as a clone, and never from the one that is written to;
with that alone the service only reads.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket
import sys
from contextlib import ExitStack

import sqlalchemy as sa
import uvicorn

from services.calls import app
from services.calls.schema import SchemaError
from services.calls.store import Store

BAD_INPUT = 2
PATIENCE_S = 5
"""For answers that are on their way when it is told to stop; watchers are let go at once."""


class Server(uvicorn.Server):
    """Lets those who watch go before it waits for everybody to be answered."""

    def __init__(self, service: app.Service, host: str, port: int) -> None:
        self._feed = service.feed
        config = uvicorn.Config(app.make(service), host=host, port=port, log_level="warning")
        config.timeout_graceful_shutdown = PATIENCE_S
        super().__init__(config)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._feed.end()
        await super().shutdown(sockets)


def main() -> int:
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with ExitStack() as stack:
        try:
            writes = _store(options.database, stack) if options.database else None
            reads = _store(options.read_database, stack, upgrade=False) if options.read_database else writes
        except SchemaError as error:
            print(error, file=sys.stderr)
            return BAD_INPUT
        if reads is None:
            print("Name a database: --database, or --read-database for one that is only read.", file=sys.stderr)
            return BAD_INPUT
        service = app.Service(writes, reads, os.environ.get("CALLS_TOKEN"))
        asyncio.run(Server(service, options.host, options.port).serve())
    return 0


def _store(url: str, stack: ExitStack, *, upgrade: bool = True) -> Store:
    """Raise SchemaError where the database cannot be used, without its password."""
    try:
        store = Store(url, upgrade=upgrade)
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        named = sa.make_url(url).render_as_string() if "://" in url else "that is named"
        raise SchemaError(f"The database {named} cannot be used: {type(error).__name__}.") from None
    stack.callback(store.close)
    return store


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", help="SQLAlchemy URL of the calls, which is upgraded where that is needed")
    parser.add_argument("--read-database", help="SQLAlchemy URL to read history from: a clone, or a copy that follows")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
