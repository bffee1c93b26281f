"""`make plan` against an Airflow that answers as it does, for ends that need no ONTAP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from scripts import plan
from scripts.airflow_api import AirflowApi

MOVED = {
    "schema": 1,
    "source": "filer:/old",
    "target": "nas:/new",
    "way": "XCP",
    "bytes": 10**9,
    "seconds": 20.0,
    "ended_at": "2026-11-26T10:00:00+00:00",
    "said_s": 8.0,
}


def api(extras: list[Any], known: bool = True) -> AirflowApi:
    def server(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/assets"):
            names = ["transfers"] if known else []
            found = [{"id": 7, "name": name} for name in ("transfers_of_others", *names)]
            return httpx.Response(200, json={"assets": found})
        assert request.url.params["asset_id"] == "7"
        return httpx.Response(200, json={"asset_events": [{"extra": extra} for extra in extras]})

    made = AirflowApi("http://airflow", "admin", "x")
    made._http = httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(server))
    return made


def run(capsys: pytest.CaptureFixture[str], *arguments: str, extras: Any = (), known: bool = True) -> tuple[int, str]:
    code = plan.main(list(arguments), api(list(extras), known))
    return code, capsys.readouterr().out


def test_a_plan_learns_its_speed_from_recorded_transfers(capsys) -> None:
    asked = ("filer:/old", "nas:/new", "--size-bytes", "1e9", "--change-bytes-a-day", "1e6")
    code, said = run(capsys, *asked, extras=[{"transfer": MOVED}, None, {"else": 1}])
    assert code == 0 and said.startswith("XCP from filer:/old to nas:/new: 1 GB at first (20 s)")
    assert "not known" in run(capsys, *asked, known=False)[1]


def test_without_ends_it_shows_what_transfers_took(capsys) -> None:
    code, said = run(capsys, extras=[{"transfer": MOVED}])
    assert code == 0 and "filer:/old -> nas:/new" in said and "8 s" in said
    assert "No transfer has been recorded yet." in run(capsys)[1]


def test_no_way_is_exit_code_1_and_a_wrong_end_2(capsys) -> None:
    asked = ("//pc/share", "filer:/old", "--size-bytes", "1e9")
    assert run(capsys, *asked)[0] == 1
    assert run(capsys, "nothing like it", "filer:/old")[0] == 2
