"""What people are told by the services for weather, places, prices and stock, over real HTTP to their stubs."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
import uvicorn

from services.dialog import stubs
from services.dialog.fulfilment import STOCK, Provider, Providers, Services, weather_sentence
from tasks.retail.dialog.conversation import ServiceError

NOW = {"temperature": 7, "weather_descriptions": ["Light rain"], "precip": 0.4, "humidity": 81, "cloudcover": 100}


@pytest.fixture(scope="module")
def stub_url() -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(stubs.APP, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    server.force_exit = True  # one of its requests takes a minute
    thread.join(60)


@pytest.fixture
def providers(stub_url: str, tmp_path: Path) -> Providers:
    url = f"sqlite:///{tmp_path / 'stock.db'}"
    engine = sa.create_engine(url)
    STOCK.create(engine)
    rows = [("North", "Boston", "jeans", 3), ("South", "Boston", "Jeans", 12), ("West", "Boston", "jeans", 0)]
    with engine.begin() as connection:
        connection.execute(STOCK.insert(), [dict(zip(STOCK.c.keys(), row, strict=True)) for row in rows])
    engine.dispose()
    return Providers(
        Provider("weather service", f"{stub_url}/weatherstack", "a-key"),
        Provider("service for places", f"{stub_url}/yelp/", "a-key"),
        Provider("service for prices", f"{stub_url}/ebay", "a-key"),
        url,
    )


def ask(providers: Providers, service: str, intent: str, time_limit_s: float = 60, **slots: str) -> str:
    async def asked() -> str:
        async with httpx.AsyncClient() as client:
            keys = {name.replace("__", "."): value for name, value in slots.items()}
            return await Services(providers, client, time_limit_s).fulfil(service, {"intent": intent, **keys})

    return asyncio.run(asked())


def test_each_wish_is_answered(providers: Providers):
    assert ask(providers, "Weather", "weather", location="Boston").startswith(("Sunny", "Partly", "Overcast", "Light"))
    store = ask(providers, "Retail", "find_the_store", location="Boston", item__type="pasta", rating__high="best")
    assert store.startswith("The Golden Pasta, ") and store.endswith(", Boston; rated 4.8 of 5.")
    store = ask(providers, "Retail", "find_the_store", location="Boston", item__type="sushi", store__type="restaurant")
    assert store.startswith("The Corner Sushi Restaurant, ")
    price = ask(providers, "Retail", "check_item_price", item__name="laptop memory", item__color="blue")
    assert price.startswith("Blue Laptop Memory costs ") and price.endswith(" USD.")
    assert (
        ask(providers, "Retail", "retail_inventory_check", item__name="jeans", location="boston")
        == "In boston there are of jeans: 12 at South, 3 at North."
    )


def test_what_is_not_there_is_said(providers: Providers):
    assert ask(providers, "Weather", "rain", location="Nowhere") == "The weather service does not know Nowhere."
    assert (
        ask(providers, "Retail", "find_the_store", location="Nowhere")
        == "The service for places does not know Nowhere."
    )
    told = ask(providers, "Retail", "find_the_store", location="Boston", item__name="unobtainium")
    assert told == "I found no place for unobtainium in Boston."
    assert ask(providers, "Retail", "check_item_price", item__name="unobtainium") == "I found no offer of unobtainium."
    told = ask(providers, "Retail", "retail_inventory_check", item__name="skis", location="Boston")
    assert told == "skis is not in stock in Boston."
    assert "which article" in ask(providers, "Retail", "retail_inventory_check", location="Boston")


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ("temperature", "It is 7 °C in Bonn."),
        ("tempyesno", "It is cold in Bonn, 7 °C."),
        ("sunny", "No, 100 % of the sky of Bonn is cloudy."),
        ("cloudy", "Yes, 100 % of the sky of Bonn is cloudy."),
        ("snow", "No, it is not snowing in Bonn."),
        ("rainfall", "Yes, it is raining in Bonn, 0.4 mm."),
        ("humidity", "The air of Bonn has a humidity of 81 %."),
        ("weather", "Light rain in Bonn, 7 °C, humidity 81 %."),
    ],
)
def test_the_weather_is_said_for_each_question(wish: str, says: str):
    assert weather_sentence(wish, "Bonn", NOW) == says


def test_a_forecast_is_not_made_up(providers: Providers):
    told = ask(providers, "Weather", "rainfall", location="Boston", time__period_of_time="next week")
    assert told.endswith(" I only know the weather of now, not of next week.")
    assert "I only" not in ask(providers, "Weather", "rainfall", location="Boston", time__period_of_time="Today")


def test_a_service_that_hangs_is_left(providers: Providers):
    started = time.monotonic()
    with pytest.raises(ServiceError, match="^The weather service does not answer.$"):
        ask(providers, "Weather", "rain", time_limit_s=0.5, location="Slowtown")
    assert time.monotonic() - started < stubs.SLOW_S / 2


@pytest.mark.parametrize("which", ["weather", "places", "prices"])
def test_a_service_that_is_not_there_or_not_set_or_refuses_is_said(providers: Providers, which: str, caplog):
    service, intent, slots = {
        "weather": ("Weather", "rain", {"location": "Boston"}),
        "places": ("Retail", "find_the_store", {"location": "Boston"}),
        "prices": ("Retail", "check_item_price", {"item__name": "jeans"}),
    }[which]
    provider = getattr(providers, which)
    secret = "a-secret-key"
    for change, says in (
        ({"url": "http://127.0.0.1:9", "key": secret}, "does not answer"),
        ({"url": None}, f"I have no {provider.title} to ask"),
        ({"key": "wrong"}, "does not let me ask"),
    ):
        changed = replace(providers, **{which: replace(provider, **change)})
        with pytest.raises(ServiceError, match=says):
            ask(changed, service, intent, **slots)
    assert secret not in caplog.text and secret not in repr(replace(provider, key=secret))


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, "<html>", "I do not understand what the weather service says."),
        (200, "[]", "The weather service does not answer."),
        (200, '{"location": {"name": "Bonn"}, "current": {}}', "I do not understand what the weather service says."),
        (429, "{}", "The weather service has been asked too often; please try again later."),
        (503, "{}", "The weather service does not answer."),
    ],
)
def test_an_odd_answer_is_said(providers: Providers, status: int, body: str, says: str, caplog):
    class Odd(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Odd) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        odd = replace(providers.weather, url=f"http://127.0.0.1:{server.server_port}")
        try:
            with caplog.at_level(logging.WARNING), pytest.raises(ServiceError) as error:
                ask(replace(providers, weather=odd), "Weather", "rain", location="Bonn")
        finally:
            server.shutdown()
            thread.join(60)
    assert str(error.value) == says


def test_a_database_that_is_not_there_is_said(providers: Providers, tmp_path: Path):
    gone = replace(providers, stock=f"sqlite:///{tmp_path / 'no' / 'such.db'}")
    with pytest.raises(ServiceError, match="^The database of what is in stock does not answer.$"):
        ask(gone, "Retail", "retail_inventory_check", item__name="jeans", location="Boston")
    with pytest.raises(ServiceError, match="^I have no database"):
        ask(replace(providers, stock=None), "Retail", "retail_inventory_check", item__name="jeans", location="Boston")
