"""What the exporter tells of ONTAP: versions, space and clones, snapshots by volume, caches by site."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ontap_mlops import names, settings
from ontap_mlops.ontap import caches, dataset_versions, marks, snapshots, volumes, workspaces
from scripts.exporter.looking import Watch
from scripts.exporter.pages import server
from scripts.exporter.storage import Homes, Sites
from tests.ontap_mlops.conftest import GIB, MARK, SVM, Ontap

VERSION = "v20261120t063000z0123abcd"


def told(watch: Watch) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Samples by metric, as Prometheus' own parser reads them."""
    registry = CollectorRegistry()
    registry.register(watch)
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name.removeprefix("ontap_mlops_"), []).append((sample.labels, sample.value))
    return found


def looked() -> Watch:
    homes = Homes()
    watch = Watch([homes, Sites(homes)])
    watch.look()
    return watch


@pytest.fixture
def ontap(emulator, monkeypatch, tmp_path: Path) -> Any:
    (tmp_path / "datasets.yaml").write_text('datasets:\n  tyres: {source: "s3://lake/tyre/", volume: tyre}\n')
    site = "  west: {ontap_conn_id: ontap_remote, svm: svm1, cache_bytes: 400MB}\n"
    (tmp_path / "sites.yaml").write_text(f"sites:\n{site}")
    monkeypatch.setenv(settings.variable("config_dir"), str(tmp_path))
    with emulator.client() as http:
        made = Ontap(emulator, http)
        made.reset()
        for name in ("DEFAULT", "REMOTE"):
            monkeypatch.setenv(f"AIRFLOW_CONN_ONTAP_{name}", made.connection())
        client = made.client()
        for name in ("tyre", "bare"):
            made_ = volumes.ensure(client, svm=SVM, name=name, size_bytes=GIB, comment=MARK, junction_path=f"/{name}")
            for number in range(3 if name == "tyre" else 0):
                snapshots.ensure(client, volume_uuid=made_.uuid, name=f"s{number}", comment="")
        yield made
        client.close()
        made.reset()


def cached(ontap: Ontap, version: str) -> caches.Cache:
    comment = marks.mark(f"cache of tyres {version} at west, used 2026-11-20T07:00:00+00:00")
    origin = {"svm": SVM, "name": names.cache_volume(version), "origin_svm": SVM, "origin_volume": "tyre"}
    return caches.ensure(ontap.clients[0], **origin, comment=comment, size_bytes=200 << 20)


def test_snapshots_are_told_by_volume_and_caches_by_site(ontap) -> None:
    cached(ontap, VERSION)
    found = told(looked())
    svm = {"ontap_conn_id": "ontap_default", "svm": SVM}
    labels = {**svm, "volume": "tyre", "dataset": "tyres"}
    assert found["volume_snapshots"] == [(labels, 3.0)], "a volume without snapshots is near no limit"
    assert found["volume_snapshots_limit"] == [(svm, 1023.0)]
    assert found["site_cache_budget_bytes"] == [({"site": "west"}, 400 << 20)]
    assert found["site_cache_committed_bytes"] == [({"site": "west"}, 200 << 20)]
    assert found["site_caches"] == [({"site": "west"}, 1.0)]
    assert [value for _, value in found["source_up"]] == [1.0, 1.0]


def test_versions_space_and_clones_are_told_by_dataset(ontap) -> None:
    client = ontap.clients[0]
    facts = {"source": "s3://lake/tyre/", "digest": "sha256:" + "0123abcd" * 8, "files": 3, "size": 70_000}
    made = dataset_versions.freeze(client, svm=SVM, volume="tyre", dataset="tyres", run_key="r1", **facts).version
    run = {"svm": SVM, "parent_volume": "tyre", "parent_snapshot": made.snapshot, "with_bucket": False}
    for run_key in ("r20261120t070000z0123abcd", "r20261120t080000z0123abcd"):
        workspaces.ensure(client, run_key=run_key, airflow_run="train/manual", **run)
    workspaces.keep(client, svm=SVM, run_key=run_key)
    found, tyres = told(looked()), {"dataset": "tyres"}
    assert found["dataset_versions"] == [(tyres, 1.0)]
    newest = dataset_versions.when(made).timestamp()
    assert found["dataset_newest_version_timestamp_seconds"] == [(tyres, newest)]
    assert found["dataset_newest_version_bytes"] == [(tyres, 70_000)]
    assert found["dataset_size_bytes"] == [(tyres, GIB)]
    assert found["workspaces_kept"][0][1] == 1
    assert abs(found["workspace_oldest_kept_timestamp_seconds"][0][1] - newest) < 600
    clones = {labels["purpose"]: value for labels, value in found["clones"]}
    assert clones == {"run": 1, "failed run": 1, "cache origin": 0, "other": 0}


def test_a_dataset_without_a_volume_or_a_version_has_a_count_and_no_age(ontap, tmp_path) -> None:
    (tmp_path / "datasets.yaml").write_text('datasets:\n  new: {source: "s3://lake/new/", volume: not_there}\n')
    found = told(looked())
    assert found["dataset_versions"] == [({"dataset": "new"}, 0.0)]
    assert not {"dataset_newest_version_timestamp_seconds", "dataset_used_bytes"} & found.keys()


def test_a_cache_is_as_warm_as_what_it_holds_and_hits_what_it_need_not_fetch(ontap) -> None:
    facts = {"source": "s3://lake/tyre/", "digest": "sha256:" + "0123abcd" * 8, "files": 1, "size": 1_000}
    version = dataset_versions.freeze(
        ontap.clients[0], svm=SVM, volume="tyre", dataset="tyres", run_key="r1", **facts
    ).version
    cache = cached(ontap, version.id)
    found = told(looked())
    labels = {"site": "west", "dataset": "tyres", "version": version.id}
    assert found["cache_warmth_ratio"] == [(labels, min(1.0, cache.used_bytes / 1_000))]
    assert found["cache_last_use_timestamp_seconds"] == [(labels, 1_795_158_000.0)]
    assert "cache_requested_blocks_total" not in found, "what ONTAP does not tell is not told"
    ontap.control("PUT", f"/caches/{cache.uuid}/reads", {"client_requested_blocks": 200, "cache_miss_blocks": 30})
    found = told(looked())
    assert found["cache_requested_blocks_total"] == [(labels, 200.0)]
    assert found["cache_missed_blocks_total"] == [(labels, 30.0)]


def test_the_warmth_of_a_version_that_nobody_knows_is_not_told(ontap) -> None:
    cached(ontap, VERSION)
    found = told(looked())
    assert found["site_caches"][0][1] == 1
    assert "cache_warmth_ratio" not in found


def test_an_ontap_that_does_not_answer_is_told_of_and_its_last_figures_stay(ontap, monkeypatch) -> None:
    watch = looked()
    away = {**json.loads(ontap.connection()), "password": "wrong"}
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", json.dumps(away))
    watch.look()
    found = told(watch)
    assert {(labels["source"], labels["name"]): value for labels, value in found["source_up"]} == {
        ("ontap", "ontap_default/"): 0.0,
        ("site", "west"): 1.0,
    }
    assert [labels["error"] for labels, _ in found["source_last_error"]] == ["AuthenticationFailed"]
    assert [value for _, value in found["volume_snapshots"]] == [3.0]


def test_a_dataset_that_is_no_longer_named_is_forgotten(ontap, tmp_path) -> None:
    watch = looked()
    (tmp_path / "datasets.yaml").write_text("datasets: {}\n")
    watch.look()
    assert "volume_snapshots" not in told(watch)


def test_the_service_shows_them_beside_the_workloads(ontap, tmp_path) -> None:
    watch = Watch([Homes()]).start()
    with server(tmp_path / "workloads", "127.0.0.1", 0, watch) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        while "volume_snapshots{" not in (
            said := urlopen(f"http://127.0.0.1:{serving.server_port}/metrics").read().decode()
        ):
            pass
        serving.shutdown()
    watch.stop()
    assert 'ontap_mlops_volume_snapshots{dataset="tyres"' in said
