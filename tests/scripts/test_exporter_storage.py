"""What the exporter tells of ONTAP: snapshots by volume, caches by site, whether it answers; and its alerts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ontap_mlops import names, settings
from ontap_mlops.ontap import caches, marks, snapshots, volumes
from scripts.exporter.__main__ import server
from scripts.exporter.storage import StorageCollector
from tests.conftest import REPOSITORY
from tests.ontap_mlops.conftest import GIB, MARK, SVM, Ontap

PROMETHEUS = REPOSITORY / "docker" / "prometheus"
DASHBOARD = REPOSITORY / "docker" / "grafana" / "dashboards" / "storage.json"
VERSION = "v20261120t063000z0123abcd"


def told(collector: StorageCollector) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Samples by metric, as Prometheus' own parser reads them."""
    registry = CollectorRegistry()
    registry.register(collector)
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name.removeprefix("ontap_mlops_"), []).append((sample.labels, sample.value))
    return found


@pytest.fixture
def ontap(emulator, monkeypatch, tmp_path: Path) -> Any:
    (tmp_path / "datasets.yaml").write_text('datasets:\n  tyres: {source: "s3://lake/tyre/", volume: tyre}\n')
    site = "  west: {ontap_conn_id: ontap_remote, svm: svm1, cache_bytes: 400MB}\n"
    (tmp_path / "sites.yaml").write_text(f"sites:\n{site}")
    monkeypatch.setenv(settings.variable("config_dir"), str(tmp_path))
    with emulator.client() as http:
        made = Ontap(emulator, http)
        made.control("POST", "/reset")
        for name in ("DEFAULT", "REMOTE"):
            monkeypatch.setenv(f"AIRFLOW_CONN_ONTAP_{name}", made.connection())
        client = made.client()
        for name in ("tyre", "bare"):
            made_ = volumes.ensure(client, svm=SVM, name=name, size_bytes=GIB, comment=MARK, junction_path=f"/{name}")
            for number in range(3 if name == "tyre" else 0):
                snapshots.ensure(client, volume_uuid=made_.uuid, name=f"s{number}", comment="")
        yield made
        client.close()
        made.control("POST", "/reset")


def test_snapshots_are_told_by_volume_and_caches_by_site(ontap) -> None:
    comment = marks.mark(f"cache of tyres {VERSION} at west, used 2026-11-20T07:00:00+00:00")
    cache = {"svm": SVM, "name": names.cache_volume(VERSION), "origin_svm": SVM, "origin_volume": "tyre"}
    caches.ensure(ontap.clients[0], **cache, comment=comment, size_bytes=200 << 20)
    collector = StorageCollector()
    collector.look()
    found = told(collector)
    labels = {"ontap_conn_id": "ontap_default", "svm": SVM, "volume": "tyre", "dataset": "tyres"}
    assert found["volume_snapshots"] == [(labels, 3.0)], "a volume without snapshots is near no limit"
    assert found["volume_snapshots_limit"] == [({}, 1023.0)]
    assert found["site_cache_budget_bytes"] == [({"site": "west"}, 400 << 20)]
    assert found["site_cache_committed_bytes"] == [({"site": "west"}, 200 << 20)]
    assert found["site_caches"] == [({"site": "west"}, 1.0)]
    assert [value for _, value in found["storage_up"]] == [1.0, 1.0]


def test_an_ontap_that_does_not_answer_is_told_of_and_its_last_figures_stay(ontap, monkeypatch) -> None:
    collector = StorageCollector()
    collector.look()
    away = {**json.loads(ontap.connection()), "password": "wrong"}
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", json.dumps(away))
    collector.look()
    found = told(collector)
    assert {labels["ontap_conn_id"]: value for labels, value in found["storage_up"]} == {
        "ontap_default": 0.0,
        "ontap_remote": 1.0,
    }
    assert [value for _, value in found["volume_snapshots"]] == [3.0]


def test_a_dataset_that_is_no_longer_named_is_forgotten(ontap, tmp_path) -> None:
    collector = StorageCollector()
    collector.look()
    (tmp_path / "datasets.yaml").write_text("datasets: {}\n")
    collector.look()
    assert "volume_snapshots" not in told(collector)


def test_the_service_shows_them_beside_the_workloads(ontap, tmp_path) -> None:
    collector = StorageCollector(every_s=0.05).start()
    with server(tmp_path / "workloads", port=0, storage=collector) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        while "volume_snapshots{" not in (
            said := urlopen(f"http://127.0.0.1:{serving.server_port}/metrics").read().decode()
        ):
            pass
        serving.shutdown()
    collector.stop()
    assert 'ontap_mlops_volume_snapshots{dataset="tyres"' in said


ALERTS = {
    "SnapshotsNearLimit": (("volume_snapshots{svm='svm1',volume='tyre'}", 950), ("volume_snapshots_limit", 1023)),
    "SnapshotsAtLimit": (("volume_snapshots{svm='svm1',volume='tyre'}", 1010), ("volume_snapshots_limit", 1023)),
    "CacheBudgetNearlyUsed": (
        ("site_cache_committed_bytes{site='west'}", 95),
        ("site_cache_budget_bytes{site='west'}", 100),
    ),
    "StorageNotSeen": (("storage_up{ontap_conn_id='ontap_default'}", 0),),
}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="There is no promtool here; it comes with Prometheus.")
def test_each_alert_fires_in_its_case_and_only_then(tmp_path: Path) -> None:
    """By Prometheus' own tester: one file of series for each alert, and one in which all is well."""
    well = (("volume_snapshots{svm='svm1',volume='tyre'}", 800), *ALERTS["CacheBudgetNearlyUsed"][1:])
    cases = {**ALERTS, "": (*well, ("volume_snapshots_limit", 1023), ("storage_up", 1))}
    tests = []
    for fires, series in cases.items():
        data = [{"series": f"ontap_mlops_{name}", "values": f"{value}x30"} for name, value in series]
        data = [{**each, "values": each["values"].replace("x", "+0x")} for each in data]
        expressions = [
            {"expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) or vector(0)', "eval_time": "25m",
             "exp_samples": [{"labels": "{}", "value": int(name == fires or (name, fires) == EITHER)}]}
            for name in ALERTS
        ]  # fmt: skip
        tests.append({"interval": "1m", "input_series": data, "promql_expr_test": expressions})
    file = tmp_path / "alerts.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(PROMETHEUS / "rules.yml")], "tests": tests}))
    ran = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


EITHER = ("SnapshotsNearLimit", "SnapshotsAtLimit")
"""At the limit is near it too."""


def test_the_dashboard_asks_for_what_there_is(ontap) -> None:
    collector = StorageCollector()
    collector.look()
    there = {f"ontap_mlops_{name}" for name in told(collector)}
    rules = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
    there |= {rule["record"] for group in rules for rule in group["rules"] if "record" in rule}
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = {
        name
        for panel in panels
        for each in panel["targets"]
        for name in re.findall(r"[a-z_]+(?::[a-z_]+)+|ontap_mlops_\w+", each["expr"])
    }
    assert asked and asked <= there, asked - there
