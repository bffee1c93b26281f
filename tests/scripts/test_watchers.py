"""`make watchers` against a server that answers as Airflow does."""

from __future__ import annotations

from typing import Any

import httpx

from scripts.airflow_api import AirflowApi
from scripts.watchers import table, watchers

STATE = {
    "looked_at": "2026-11-26T10:00:00+00:00",
    "events": 3,
    "last_event": {"id": "u", "snapshot": "weekly.1", "at": "2026-11-26T09:00:00+00:00"},
    "trouble": None,
}
TROUBLE = {"since": "2026-11-26T10:00:30+00:00", "said": "Unreachable: no answer"}


def answered(state: dict[int, list[dict[str, Any]]], count: int = 0) -> list[dict[str, str]]:
    """The rows that are shown for assets of these ids; ``count`` more are watched by nobody."""
    assets = [{"id": id_, "name": f"dataset/d{id_}", "watchers": [{"name": "w"}]} for id_ in state]
    assets = [{"id": 1000 + n, "name": f"model/{n}", "watchers": []} for n in range(count)] + assets

    def server(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v2/")
        if path == "assets":
            first, size = int(request.url.params["offset"]), int(request.url.params["limit"])
            return httpx.Response(200, json={"assets": assets[first : first + size]})
        entries = state[int(path.split("/")[1])]
        return httpx.Response(200, json={"asset_state_store": entries})

    api = AirflowApi("http://airflow", "admin", "x")
    api._http = httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(server))
    return list(watchers(api))


def test_a_watcher_is_shown_with_its_last_look_and_its_last_event() -> None:
    (row,) = answered({1: [{"key": "made_here", "value": ["r1"]}, {"key": "watch_snapshot", "value": STATE}]})
    assert row == {
        "asset": "dataset/d1",
        "looked at": "2026-11-26 10:00:00",
        "events": "3",
        "last event": "weekly.1 of 2026-11-26 09:00:00",
        "trouble": "",
    }
    assert "weekly.1" in table([row])


def test_trouble_is_shown_with_its_beginning() -> None:
    (row,) = answered({1: [{"key": "watch_snapshot", "value": STATE | {"trouble": TROUBLE}}]})
    assert row["trouble"] == "since 2026-11-26 10:00:30: Unreachable: no answer"


def test_one_that_has_not_looked_yet_is_shown_and_assets_without_a_watcher_are_not() -> None:
    (row,) = answered({7: []}, count=250)
    assert (row["asset"], row["looked at"], row["last event"]) == ("dataset/d7", "not yet", "none")


def test_nothing_watched_is_said_in_a_sentence_that_helps() -> None:
    assert "watch: true" in table(answered({}, count=3))
