"""Every dashboard and every alert has something to read: on a real Prometheus that scrapes the real exporter."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from ontap_mlops.records import DatasetVersion
from scripts.exporter import subjects

DOCKER = Path(__file__).parents[2] / "docker"
BOARDS = sorted((DOCKER / "grafana" / "dashboards").glob("*.json"))
GROUPS = yaml.safe_load((DOCKER / "prometheus" / "rules.yml").read_text())["groups"]
WAIT_S = 240

pytestmark = [
    pytest.mark.triton,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        shutil.which("prometheus") is None,
        reason="There is no Prometheus on this machine; `apt-get install prometheus` brings it.",
    ),
]

# A rate over blocks that are read, of which there are none: its two counters are asked for by themselves below.
MAY_BE_EMPTY = ("cache:hits:ratio",)
_SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})?")


def query(prometheus: httpx.Client, expression: str) -> list[dict[str, Any]]:
    said = prometheus.get("/api/v1/query", params={"query": expression})
    if said.status_code == 503:  # it is just starting
        return []
    answer = said.json()
    assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
    return answer["data"]["result"]


def wait_for(prometheus: httpx.Client, *expressions: str) -> dict[str, list[dict[str, Any]]]:
    """What each gave as soon as all of them give something."""
    deadline, found = time.monotonic() + WAIT_S, {}
    while missing := [each for each in expressions if each not in found]:
        for expression in missing:
            try:
                if result := query(prometheus, expression):
                    found[expression] = result
            except httpx.TransportError:  # it is just starting
                break
        assert time.monotonic() < deadline, f"these gave nothing within {WAIT_S} s: {missing}"
        time.sleep(0.5)
    return found


def asked_by(board: Path) -> list[str]:
    panels = json.loads(board.read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    return [each for each in asked if each not in MAY_BE_EMPTY]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_every_query_of_the_dashboard_answers(prometheus: httpx.Client, board: Path) -> None:
    wait_for(prometheus, *asked_by(board))


def selectors() -> list[str]:
    """Whatever the rules read, with its matchers."""
    recorded = {name for name in subjects_and_records() if ":" in name}
    scraped = (
        "up",
        "dask_scheduler_tasks_suspicious_total",
        "nv_inference_request_success",
        "nv_inference_request_failure",
    )
    known = {*(name for name in subjects_and_records() if name not in recorded), *scraped}
    texts = [rule["expr"] for group in GROUPS for rule in group["rules"]]
    return sorted({name + of for text in texts for name, of in _SELECTOR.findall(text) if name in known})


def subjects_and_records() -> set[str]:
    names = {name for _, name, _ in subjects.listed()}
    return names | {rule["record"] for group in GROUPS for rule in group["rules"] if "record" in rule}


def test_whatever_the_rules_read_is_there(prometheus: httpx.Client) -> None:
    wanted = selectors()
    assert len(wanted) > 30
    wait_for(prometheus, *wanted)


def test_no_rule_fails_and_every_record_but_that_of_unread_caches_has_values(prometheus: httpx.Client) -> None:
    records = [name for name in subjects_and_records() if ":" in name and name not in MAY_BE_EMPTY]
    wait_for(prometheus, *records)
    rules = [rule for group in prometheus.get("/api/v1/rules").json()["data"]["groups"] for rule in group["rules"]]
    assert len(rules) == sum(len(group["rules"]) for group in GROUPS)
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}


def test_every_metric_that_is_documented_is_told_with_those_labels(prometheus: httpx.Client) -> None:
    listed = [(name, told) for source, name, told in subjects.listed() if name != "ontap_mlops_source_last_error"]
    found = wait_for(prometheus, *(name for name, _ in listed))
    for name, told in listed:
        labels = {label for each in found[name] for label in each["metric"]} - {"__name__", "instance", "job"}
        assert set(told.labels) <= labels, name
        if not name.startswith("ontap_mlops_workload_"):  # those have the labels of their task too
            assert set(told.labels) == labels, name


def test_the_age_of_the_newest_version_is_that_of_the_storage(prometheus: httpx.Client, data: DatasetVersion) -> None:
    from ontap_mlops.ontap import dataset_versions

    name = 'ontap_mlops_dataset_newest_version_timestamp_seconds{dataset="tyres"}'
    (found,) = wait_for(prometheus, name)[name]
    assert float(found["value"][1]) == dataset_versions.when(data).timestamp()


def test_the_champion_serves_and_names_the_version_that_it_was_trained_on(
    prometheus: httpx.Client, data: DatasetVersion
) -> None:
    found = wait_for(prometheus, "ontap_mlops_deployment_up", "ontap_mlops_deployment_timestamp_seconds")
    (up,), (since,) = found.values()
    assert (up["metric"]["model"], up["metric"]["version"], up["value"][1]) == ("ctr", "1", "1")
    assert (since["metric"]["version"], since["metric"]["dataset_version"]) == ("1", data.id)
    assert since["metric"]["endpoint"] == up["metric"]["endpoint"]


def test_the_ratio_between_engines_is_that_of_their_rows_per_second(prometheus: httpx.Client) -> None:
    name = 'ctr:speedup:ratio{engine="dask"}'
    assert float(wait_for(prometheus, name)[name][0]["value"][1]) == 4


def test_a_failed_program_and_a_failed_run_raise_alerts(prometheus: httpx.Client) -> None:
    names = [f'ALERTS{{alertname="{name}",alertstate="firing"}}' for name in ("WorkloadFailed", "RunFailed")]
    found = wait_for(prometheus, *names)
    assert found[names[0]][0]["metric"]["workload"] == "r1-convert"
    assert [each["metric"]["dag_id"] for each in found[names[1]]] == ["watched_failure"]


def test_the_workers_of_a_programs_own_cluster_are_scraped(prometheus: httpx.Client) -> None:
    names = [f'up{{job="dask",component="{each}"}} == 1' for each in ("worker", "scheduler")]
    found = wait_for(prometheus, *names)
    assert len(found[names[0]]) in (1, 2)
