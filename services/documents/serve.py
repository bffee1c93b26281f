"""Serve documents that answer until stopped.

    python -m services.documents.serve --port 8660 --index /mnt/documents_index --documents /mnt/documents/data \
        --database sqlite:////srv/documents.db --people people.yaml

``--documents`` is the volume as it is now: who may read what is asked there, at each question. ``GENERATOR_URL``,
``GENERATOR_MODEL`` and ``GENERATOR_KEY`` of the environment name a language model behind OpenAI's chat interface;
without it answers are sentences of the documents.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Collection
from pathlib import Path
from threading import Lock

import httpx
import sqlalchemy as sa
import uvicorn

from services.documents import app
from services.documents.asking import Assistant, Library
from services.documents.generator import Endpoint, Generator
from services.documents.guard import Guardrails, GuardrailsError, Mask
from services.documents.people import People, PeopleError
from services.documents.store import Store
from tasks.common.program import BadInput
from tasks.documents.embedding import Embedding
from tasks.documents.personal import find
from tasks.documents.personal import mask as hide

BAD_INPUT = 2


def main() -> int:
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("httpx", "mcp", "presidio-analyzer"):
        # They would write addresses asked, requests, and what is in texts.
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        people, guardrails = People(options.people), Guardrails.of(options.guardrails)
        embedding, store = Embedding(options.encoder), Store(options.database)
    except (PeopleError, GuardrailsError, BadInput) as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    except sa.exc.SQLAlchemyError as error:
        url = sa.make_url(options.database).render_as_string() if "://" in options.database else "--database"
        print(f"The database {url} cannot be used: {type(error).__name__}.", file=sys.stderr)
        return BAD_INPUT
    try:
        asyncio.run(_serve(options, people, guardrails, embedding, store))
    finally:
        store.close()
    return 0


def masking(kinds: Collection[str]) -> Mask:
    """Return what hides personal data of these kinds in a text; one text at a time, as its reader of English wants."""
    lock = Lock()

    def mask(text: str) -> str:
        if not kinds or not text.strip():
            return text
        with lock:
            return hide(text, find(text), kinds)

    return mask


async def _serve(
    options: argparse.Namespace, people: People, guardrails: Guardrails, embedding: Embedding, store: Store
) -> None:
    async with httpx.AsyncClient() as client:
        endpoint = Endpoint.of_environment()
        generator = Generator(endpoint, client, embedding.of) if endpoint else None
        library = Library(options.index, options.documents)
        mask = masking(guardrails.mask)
        # The first question would wait for what this loads.
        await asyncio.to_thread(mask, "Nobody is named here.")
        assistant = Assistant(library, embedding.of, store, guardrails, mask, generator)
        service = app.Service(assistant, people, options.a_minute)
        made = app.make(service, options.host)
        config = uvicorn.Config(made, host=options.host, port=options.port, log_level="warning")
        await uvicorn.Server(config).serve()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--index", type=Path, required=True, help="where the volume of the index is mounted")
    parser.add_argument("--documents", type=Path, required=True, help="folder of the documents as they are now")
    parser.add_argument("--database", required=True, help="SQLAlchemy URL for what was asked and shown")
    parser.add_argument("--people", type=Path, help="YAML of who may bring which token")
    parser.add_argument("--guardrails", type=Path, help="YAML of refused topics and kinds of data to hide")
    parser.add_argument("--encoder", type=Path, help="folder of the encoder; else the one that is installed")
    parser.add_argument("--a-minute", type=int, default=app.A_MINUTE, help="questions of one person in a minute")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
