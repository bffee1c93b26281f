"""The documents for an assistant, by the protocol's own client: the same rights, answers and refusals as over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from reading_room import TOKENS, Room, listening

from services.documents import app


@pytest.fixture
def url(room: Room) -> Iterator[str]:
    service, store = room.service()
    with listening(lambda: app.make(service)) as url:
        yield f"{url}/mcp"
    store.close()


def call(url: str, who: str, tool: str, **arguments: Any) -> tuple[bool, Any]:
    """Whether a tool refused, and what it answered."""

    async def asked() -> tuple[bool, Any]:
        headers = {"Authorization": f"Bearer {TOKENS.get(who, who)}"} if who else {}
        async with (
            httpx.AsyncClient(headers=headers) as client,
            streamable_http_client(url, http_client=client) as (read, write, *_),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            if not tool:
                return False, [each.name for each in (await session.list_tools()).tools]
            answer = await session.call_tool(tool, arguments)
            text = "".join(each.text for each in answer.content)
            return bool(answer.is_error), text if answer.is_error else json.loads(text)

    return asyncio.run(asked())


def test_its_tools_answer_search_and_open(url: str):
    assert call(url, "", "") == (False, ["ask", "search", "passage"])
    wrong, told = call(url, "anna", "ask", question="Which company does the board want to buy?")
    assert not wrong and "Northwind" in told["answer"][0]["text"]
    source = told["sources"][0]
    cited = {"passage": source["passage"], "dataset_version": source["dataset_version"]}
    assert call(url, "anna", "passage", **cited)[1]["file"] == "board/plans.md"
    wrong, said = call(url, "ben", "passage", **cited)
    assert wrong and "you may not read it" in said
    wrong, told = call(url, "", "search", question="second class trains", limit=1)
    assert not wrong and told["text"] == "Trains are booked in second class."


def test_refusals_are_told_in_full(url: str):
    assert "Nobody has this token" in call(url, "guess", "ask", question="leave?")[1]
    assert "as_of is a day" in call(url, "", "ask", question="leave?", as_of="soon")[1]
    told = call(url, "", "ask", question="How many days of annual leave a year?", as_of="2026-06-01")[1]
    assert "twenty-five" in told["answer"][0]["text"]
