"""What a wish is answered with: weather, stores and prices by their services' real interfaces, stock by a database.

Weatherstack, Yelp Fusion and eBay's Browse API are asked at the addresses and with the keys of the environment; a stub
of each for one machine is ``services.dialog.stubs``. Nothing is asked twice, and nothing waits longer than
``TIME_LIMIT_S``: a person is waiting.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import sqlalchemy as sa

from tasks.retail.dialog.conversation import ServiceError

TIME_LIMIT_S = 3.0
COLD_C = 10
HOT_C = 25
CLOUDY_PERCENT = 50

STOCK = sa.Table(
    "stock",
    sa.MetaData(),
    sa.Column("store", sa.String(200), primary_key=True),
    sa.Column("location", sa.String(200), primary_key=True),
    sa.Column("item", sa.String(200), primary_key=True),
    sa.Column("quantity", sa.Integer, nullable=False),
)
"""What is in stock where, as the shop keeps it; read only."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Provider:
    """A service of someone else: how a person knows it, its address and its key."""

    title: str
    url: str | None
    key: str = field(default="", repr=False)

    @classmethod
    def of_environment(cls, title: str, name: str) -> Provider:
        return cls(title, os.environ.get(f"{name}_URL"), os.environ.get(f"{name}_KEY", ""))


@dataclass(frozen=True)
class Providers:
    """``WEATHER_URL``, ``PLACES_URL`` and ``PRICES_URL`` with ``_KEY`` each; ``STOCK_DATABASE``, an SQLAlchemy URL."""

    weather: Provider
    places: Provider
    prices: Provider
    stock: str | None = field(default=None, repr=False)

    @classmethod
    def of_environment(cls) -> Providers:
        return cls(
            Provider.of_environment("weather service", "WEATHER"),
            Provider.of_environment("service for places", "PLACES"),
            Provider.of_environment("service for prices", "PRICES"),
            os.environ.get("STOCK_DATABASE"),
        )


class Services:
    """Answers wishes of the flows ``Retail`` and ``Weather``."""

    def __init__(self, providers: Providers, client: httpx.AsyncClient, time_limit_s: float = TIME_LIMIT_S) -> None:
        self._providers = providers
        self._client = client
        self._time_limit_s = time_limit_s
        self._stock = sa.create_engine(providers.stock, pool_pre_ping=True) if providers.stock else None
        self._retail: Mapping[str, Callable[[Mapping[str, str]], Awaitable[str]]] = {
            "find_the_store": self._store,
            "check_item_price": self._price,
            "retail_inventory_check": self._in_stock,
        }

    async def fulfil(self, service: str, keys: Mapping[str, str]) -> str:
        """Return a sentence that answers ``keys['intent']``. Raises ServiceError with one that says who did not."""
        wish = keys["intent"]
        if service == "Weather":
            return await self._weather(wish, keys)
        if wish not in self._retail:
            raise ServiceError(f"I cannot answer that yet ({wish}).")
        return await self._retail[wish](keys)

    async def _weather(self, wish: str, keys: Mapping[str, str]) -> str:
        place = keys["location"]
        provider = self._providers.weather
        found = await self._get(provider, "/current", {"access_key": provider.key, "query": place, "units": "m"})
        # Weatherstack says with status 200 that it could not.
        error = found.get("error")
        if error:
            if error.get("code") == 615:
                return f"The {provider.title} does not know {place}."
            raise self._refused(provider, f"error {error.get('code')} ({error.get('type')})")
        try:
            told = weather_sentence(wish, str(found["location"]["name"]), found["current"])
        except (KeyError, TypeError, ValueError, IndexError) as fault:
            raise self._odd(provider, fault) from fault
        # The free interface knows the weather of now, and no more is claimed.
        when = keys.get("time.period_of_time")
        return f"{told} I only know the weather of now, not of {when}." if when and not _now(when) else told

    async def _store(self, keys: Mapping[str, str]) -> str:
        place = keys["location"]
        words = [keys.get(slot) for slot in ("item.name", "item.type", "store.type")]  # a sushi restaurant
        term = keys.get("store.name") or " ".join(word for word in words if word)
        query = {"location": place, "limit": "1", "sort_by": "rating" if "rating.high" in keys else "best_match"}
        if term:
            query["term"] = term
        for slot, price in (("cost.low", "1"), ("cost.average", "2"), ("cost.high", "3,4")):
            if slot in keys:
                query["price"] = price
        provider = self._providers.places
        found = await self._get(provider, "/v3/businesses/search", query, bearer=True)
        error = found.get("error")
        if error:
            if error.get("code") == "LOCATION_NOT_FOUND":
                return f"The {provider.title} does not know {place}."
            raise self._refused(provider, str(error.get("code")))
        try:
            if not found["businesses"]:
                return f"I found no place for {term} in {place}." if term else f"I found no store in {place}."
            business = found["businesses"][0]
            address = ", ".join(business["location"]["display_address"])
            return f"{business['name']}, {address}; rated {float(business['rating']):.1f} of 5."
        except (KeyError, TypeError, ValueError) as fault:
            raise self._odd(provider, fault) from fault

    async def _price(self, keys: Mapping[str, str]) -> str:
        words = [keys.get(slot, "") for slot in ("item.size", "item.color", "item.name", "item.type")]
        item = " ".join(word for word in words if word)
        provider = self._providers.prices
        query = {"q": item, "limit": "1", **({"sort": "price"} if "cost.low" in keys else {})}
        found = await self._get(provider, "/buy/browse/v1/item_summary/search", query, bearer=True)
        if found.get("errors"):
            raise self._refused(provider, str(found["errors"][0].get("message")))
        try:
            if not found.get("itemSummaries"):
                return f"I found no offer of {item}."
            offer = found["itemSummaries"][0]
            price = f"{float(offer['price']['value']):,.2f} {offer['price']['currency']}"
            return f"{offer['title']} costs {price}."
        except (KeyError, TypeError, ValueError, IndexError) as fault:
            raise self._odd(provider, fault) from fault

    async def _in_stock(self, keys: Mapping[str, str]) -> str:
        item, place = keys.get("item.name") or keys.get("item.type"), keys["location"]
        if not item:
            return "Please say which article, for instance: are jeans in stock in Boston?"
        if self._stock is None:
            raise ServiceError("I have no database of what is in stock.")
        try:
            async with asyncio.timeout(self._time_limit_s):
                rows = await asyncio.to_thread(self._stock_rows, item, place)
        except (sa.exc.SQLAlchemyError, TimeoutError) as error:
            log.warning("The database of the stock: %s", type(error).__name__)
            raise ServiceError("The database of what is in stock does not answer.") from error
        if not rows:
            return f"{item} is not in stock in {place}."
        stores = ", ".join(f"{row.quantity} at {row.store}" for row in rows)
        return f"In {place} there are of {item}: {stores}."

    def _stock_rows(self, item: str, place: str) -> list[sa.Row[Any]]:
        assert self._stock is not None
        wanted = sa.select(STOCK).where(
            sa.func.lower(STOCK.c.item) == item.lower(),
            sa.func.lower(STOCK.c.location) == place.lower(),
            STOCK.c.quantity > 0,
        )
        with self._stock.connect() as connection:
            return list(connection.execute(wanted.order_by(STOCK.c.quantity.desc()).limit(3)))

    async def _get(
        self, provider: Provider, path: str, query: Mapping[str, str], *, bearer: bool = False
    ) -> dict[str, Any]:
        if not provider.url:
            raise ServiceError(f"I have no {provider.title} to ask.")
        headers = {"Authorization": f"Bearer {provider.key}"} if bearer else {}
        try:
            # Of all of the exchange: httpx's own limit is one of each read, which a slow drip never meets.
            async with asyncio.timeout(self._time_limit_s):
                answer = await self._client.get(provider.url.rstrip("/") + path, params=dict(query), headers=headers)
            found = answer.json()
        except TimeoutError as error:
            raise ServiceError(f"The {provider.title} does not answer.") from error
        except httpx.HTTPError as error:
            # Its text may hold the address with the key in it.
            log.warning("The %s: %s", provider.title, type(error).__name__)
            raise ServiceError(f"The {provider.title} does not answer.") from error
        except ValueError as error:
            raise self._odd(provider, error) from error
        if answer.status_code in (401, 403):
            raise self._refused(provider, f"status {answer.status_code}")
        if answer.status_code == 429:
            raise ServiceError(f"The {provider.title} has been asked too often; please try again later.")
        if answer.status_code >= 500 or not isinstance(found, dict):
            log.warning("The %s answered with status %s.", provider.title, answer.status_code)
            raise ServiceError(f"The {provider.title} does not answer.")
        return found

    @staticmethod
    def _refused(provider: Provider, why: str) -> ServiceError:
        log.error("The %s refused: %s. Look at its key.", provider.title, why)
        return ServiceError(f"The {provider.title} does not let me ask.")

    @staticmethod
    def _odd(provider: Provider, fault: Exception) -> ServiceError:
        log.error("The %s answered something else than it should: %r.", provider.title, fault)
        return ServiceError(f"I do not understand what the {provider.title} says.")


def weather_sentence(wish: str, place: str, now: Mapping[str, Any]) -> str:
    """Return one sentence on ``wish``, a context of the flows, from Weatherstack's ``current`` in metric units."""
    temperature, sky = int(now["temperature"]), str(now["weather_descriptions"][0])
    snows, rains = "snow" in sky.lower(), float(now["precip"]) > 0
    clouds, humidity = int(now["cloudcover"]), int(now["humidity"])
    match wish:
        case "temperature":
            return f"It is {temperature} °C in {place}."
        case "tempyesno":
            felt = "cold" if temperature < COLD_C else "hot" if temperature > HOT_C else "neither hot nor cold"
            return f"It is {felt} in {place}, {temperature} °C."
        case "sunny":
            return f"{'Yes' if clouds < CLOUDY_PERCENT else 'No'}, {clouds} % of the sky of {place} is cloudy."
        case "cloudy":
            return f"{'Yes' if clouds >= CLOUDY_PERCENT else 'No'}, {clouds} % of the sky of {place} is cloudy."
        case "snow" | "snowfall":
            return f"Yes, it is snowing in {place}." if snows else f"No, it is not snowing in {place}."
        case "rain" | "rainfall":
            wet = rains and not snows
            return (
                f"Yes, it is raining in {place}, {now['precip']} mm." if wet else f"No, it is not raining in {place}."
            )
        case "humidity":
            return f"The air of {place} has a humidity of {humidity} %."
        case _:
            return f"{sky} in {place}, {temperature} °C, humidity {humidity} %."


def _now(when: str) -> bool:
    return when.lower().strip() in {"now", "today", "right now", "currently", "at the moment"}
