"""Weatherstack, Yelp Fusion and eBay's Browse API for one machine: their paths, fields and refusals, facts made up.

    python -m services.dialog.stubs --port 8700

What is said of a place or an article follows from its name alone, so that the same question has the same answer. A
key is wanted, as by the real ones; any but ``wrong`` will do. Places named ``Nowhere`` are not known, articles named
``unobtainium`` are not sold, and ``Slowtown`` takes a minute to answer.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

SKIES = ("Sunny", "Partly cloudy", "Overcast", "Light rain", "Light snow")
SLOW_S = 60


def number(text: str, below: int) -> int:
    """Return a number from 0 to ``below`` - 1 that follows from the text."""
    return int.from_bytes(hashlib.sha256(text.lower().encode()).digest()[:4]) % below


async def weather(request: Request) -> JSONResponse:
    if request.query_params.get("access_key", "wrong") in ("", "wrong"):
        return JSONResponse({"success": False, "error": {"code": 101, "type": "invalid_access_key"}})
    place = request.query_params.get("query", "")
    if not place or place == "Nowhere":
        return JSONResponse({"success": False, "error": {"code": 615, "type": "request_failed"}})
    if place == "Slowtown":
        await asyncio.sleep(SLOW_S)
    sky = SKIES[number(place, len(SKIES))]
    current = {
        "temperature": -3 if "snow" in sky else 8 + number(place, 25),
        "weather_descriptions": [sky],
        "precip": 0.4 if "Light" in sky else 0,
        "humidity": 30 + number(place, 60),
        "cloudcover": {"Sunny": 0, "Partly cloudy": 40}.get(sky, 100),
    }
    return JSONResponse({"request": {"query": place}, "location": {"name": place}, "current": current})


def _bearer(request: Request) -> bool:
    return request.headers.get("authorization", "").removeprefix("Bearer ") not in ("", "wrong")


async def places(request: Request) -> JSONResponse:
    if not _bearer(request):
        return JSONResponse({"error": {"code": "TOKEN_INVALID", "description": "Invalid access token"}}, 401)
    place, term = request.query_params.get("location", ""), request.query_params.get("term", "general")
    if not place or place == "Nowhere":
        return JSONResponse({"error": {"code": "LOCATION_NOT_FOUND", "description": "Could not find it"}}, 400)
    if place == "Slowtown":
        await asyncio.sleep(SLOW_S)
    if term == "unobtainium":
        return JSONResponse({"businesses": [], "total": 0})
    best = request.query_params.get("sort_by") == "rating"
    business: dict[str, Any] = {
        "name": f"The {'Golden' if best else 'Corner'} {term.title()}",
        "rating": 4.8 if best else 3 + number(place + term, 15) / 10,
        "location": {"display_address": [f"{1 + number(place + term, 200)} Main Street", place]},
    }
    return JSONResponse({"businesses": [business], "total": 1})


async def prices(request: Request) -> JSONResponse:
    if not _bearer(request):
        return JSONResponse({"errors": [{"errorId": 1001, "message": "Invalid access token"}]}, 401)
    item = request.query_params.get("q", "")
    if not item:
        return JSONResponse({"errors": [{"errorId": 12001, "message": "The call must have a valid 'q'"}]}, 400)
    if item == "unobtainium":
        return JSONResponse({"total": 0})
    cents = 500 + number(item, 20_000) // (2 if request.query_params.get("sort") == "price" else 1)
    offer = {"title": item.title(), "price": {"value": f"{cents / 100:.2f}", "currency": "USD"}}
    return JSONResponse({"total": 1, "itemSummaries": [offer]})


APP = Starlette(
    routes=[
        Route("/weatherstack/current", weather),
        Route("/yelp/v3/businesses/search", places),
        Route("/ebay/buy/browse/v1/item_summary/search", prices),
    ]
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    uvicorn.run(APP, host=options.host, port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
