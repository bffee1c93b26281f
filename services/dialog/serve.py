"""Serve conversations until stopped.

    python -m services.dialog.serve --port 8600 --database sqlite:////srv/dialog.db \
        --endpoint http://127.0.0.1:8000 --models /srv/models

Flows with a fault are refused with every fault's file and line, and exit code 2. Keys and addresses of the services
that answer wishes come from the environment (``WEATHER_URL``, ``WEATHER_KEY``, ``PLACES_...``, ``PRICES_...``,
``STOCK_DATABASE``), as does ``DIALOG_EXPORT_TOKEN``, without which no day is exported. What people say aloud is
recognised here, by the Whisper that a package carries or that ``--recogniser`` names; a faulty one ends the start.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

import aiohttp
import httpx
import sqlalchemy as sa
import uvicorn

from services.dialog import app
from services.dialog.fulfilment import Providers, Services
from services.dialog.hearing import Ears
from services.dialog.model import ServedModel
from services.dialog.store import Store
from tasks.common.program import BadInput
from tasks.retail.dialog.conversation import Dialog
from tasks.retail.dialog.flow_check import BAD_INPUT, FLOWS, FaultyFlowsError, Flows, load

MODEL = "retail_assistant"


def main() -> int:
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # It would write every address asked, with the keys that some services want in it.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("faster_whisper").setLevel(logging.WARNING)  # a line for each recording
    try:
        flows = load(options.flows)
    except FaultyFlowsError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    try:
        ears = Ears(options.recogniser, tuple(filter(None, options.hints.split(","))))
        if options.recogniser:
            ears.load()
    except BadInput as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    try:
        store = Store(options.database)
    except sa.exc.SQLAlchemyError as error:
        url = sa.make_url(options.database).render_as_string() if "://" in options.database else "--database"
        print(f"The database {url} cannot be used: {type(error).__name__}.", file=sys.stderr)
        return BAD_INPUT
    try:
        asyncio.run(_serve(options, flows, store, ears))
    finally:
        store.close()
    return 0


async def _serve(options: argparse.Namespace, flows: Flows, store: Store, ears: Ears) -> None:
    async with httpx.AsyncClient() as client, aiohttp.ClientSession(trust_env=True) as served:
        labels = flows.vocabulary.intent_of_label()
        model = ServedModel(options.endpoint, options.name, options.models, labels, served)
        dialog = Dialog(flows, model, Services(Providers.of_environment(), client))
        service = app.Service(dialog, store, model, os.environ.get("DIALOG_EXPORT_TOKEN"), ears)
        config = uvicorn.Config(app.make(service), host=options.host, port=options.port, log_level="warning")
        await uvicorn.Server(config).serve()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--flows", type=Path, default=FLOWS, help="folder of *_flow.yml and vocabulary.yml")
    parser.add_argument("--database", required=True, help="SQLAlchemy URL of the conversations")
    parser.add_argument("--endpoint", required=True, help="address of the inference server")
    parser.add_argument("--name", default=MODEL, help="of the model there")
    parser.add_argument("--models", type=Path, required=True, help="where the model volume is mounted")
    parser.add_argument("--recogniser", help="folder of a Whisper for what is said aloud, loaded at the start")
    parser.add_argument("--hints", default="", help="names and words to expect in speech, with commas between them")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
