"""The dashboards are whole by what can be told without a Grafana: ids, places, and no metric that nobody tells."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.exporter import subjects

HOUSE = Path(__file__).parents[2]
BOARDS = sorted((HOUSE / "docker" / "grafana" / "dashboards").glob("*.json"))
RULES = yaml.safe_load((HOUSE / "docker" / "prometheus" / "rules.yml").read_text())["groups"]
PANELS = {"row", "stat", "bargauge", "timeseries", "table"}
UNITS = {"none", "rowsps", "short", "s", "bytes", "percentunit", "reqps"}


@pytest.fixture(params=BOARDS, ids=lambda path: path.stem)
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    return json.loads(request.param.read_text())


def test_each_dashboard_has_an_id_of_its_own() -> None:
    boards = [json.loads(path.read_text()) for path in BOARDS]
    for fact in ("uid", "title"):
        assert len({board[fact] for board in boards}) == len(BOARDS)
    assert all(re.fullmatch(r"[a-z-]{1,40}", board["uid"]) for board in boards), "Grafana takes no longer uid"


def test_every_panel_asks_the_chosen_prometheus(board: dict[str, Any]) -> None:
    (variable,) = board["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")
    for panel in board["panels"]:
        assert panel["type"] in PANELS
        if panel["type"] == "row":
            continue
        assert panel["title"] and panel["targets"]
        assert panel["fieldConfig"]["defaults"].get("unit", "short") in UNITS, panel["title"]
        for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
            assert source == {"type": "prometheus", "uid": "${datasource}"}
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_panels_have_ids_and_do_not_cover_each_other(board: dict[str, Any]) -> None:
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] and place["x"] + place["w"] <= 24 and place["h"] > 0
    for one, other in combinations([panel["gridPos"] for panel in board["panels"]], 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert apart or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"], (one, other)


def test_dashboards_and_rules_name_only_what_is_told() -> None:
    told = {name for _, name, _ in subjects.listed()}
    told |= {rule["record"] for group in RULES for rule in group["rules"] if "record" in rule}
    boards = [json.loads(path.read_text())["panels"] for path in BOARDS]
    texts = [target["expr"] for panels in boards for panel in panels for target in panel.get("targets", [])]
    texts += [rule["expr"] for group in RULES for rule in group["rules"]]
    asked = {name for text in texts for name in re.findall(r"ontap_mlops_\w+|[a-z_]+(?::[a-z_]+)+", text)}
    assert asked - told == set()
    # Of a failed source the log says more; what it took is for whoever wonders about the exporter itself.
    unshown = {"ontap_mlops_source_errors_total", "ontap_mlops_source_last_error", "ontap_mlops_source_look_seconds"}
    assert told - asked == unshown, "and whatever is told is shown or watched"
