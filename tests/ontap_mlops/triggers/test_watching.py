"""A snapshot, whoever makes it, becomes an event of its asset: once, by one look for all, and over restarts."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import unquote

import pytest

from ontap_mlops import assets, names, registry
from ontap_mlops.ontap import cluster, dataset_versions, snapshots, volumes
from ontap_mlops.triggers.memory import MADE_HERE
from tests.ontap_mlops.conftest import GIB, MARK, SVM
from tests.ontap_mlops.triggers.watched import Stores, Triggerer, eventually, watched


@pytest.fixture(autouse=True)
def connection(ontap, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())


def of(volume: str, **more: Any) -> Any:
    (watcher,) = assets.snapshots_asset(volume, **{"every_s": 0.05, **more}).watchers
    return watcher.trigger


def of_dataset(**watch: Any) -> Any:
    entry = {"name": "tyres", "source": "s3://lake/tyre/", "volume": "tyre", "watch": {"every_s": 5, **watch}}
    (watcher,) = assets.dataset_asset(registry.as_dataset(entry)).watchers
    watcher.trigger.interval_s = 0.05
    return watcher.trigger


def take(client, volume, name: str, **more: Any) -> snapshots.Snapshot:
    return snapshots.ensure(client, volume_uuid=volume.uuid, name=name, **{"comment": "", **more})


def listings(ontap) -> list[str]:
    seen = ontap.control("GET", "/requests")["requests"]
    return [unquote(r["path"]) for r in seen if "/storage/volumes" in r["path"]]


def test_a_new_snapshot_is_one_event_of_its_asset_with_its_record(client, volume, monkeypatch) -> None:
    async def steps() -> None:
        take(client, volume, "before")
        stores, trigger = Stores(), of("tyre")
        triggerer = Triggerer([trigger], stores)
        await eventually(lambda: stores.kept.get("snapshots/tyre"), "the first look")
        made = take(client, volume, "weekly.1", comment="by hand", label="weekly")
        await eventually(lambda: triggerer.told, "the event")
        await asyncio.sleep(0.3)
        await triggerer.stop()
        (event,) = triggerer.told["snapshots/tyre"]
        assert (event["id"], event["snapshot"], event["svm"], event["volume"]) == (made.uuid, "weekly.1", SVM, "tyre")
        assert (event["comment"], event["label"]) == ("by hand", "weekly")
        kept = stores.kept["snapshots/tyre"]["watch_snapshot"]
        assert kept["events"] == 1 and kept["last_event"] == event and kept["looked_at"]

    watched(steps, monkeypatch)


def test_watchers_of_a_cluster_share_one_look_and_each_gets_its_own(client, volume, ontap, monkeypatch) -> None:
    for number in range(20):
        volumes.ensure(client, svm=SVM, name=f"v{number}", size_bytes=GIB, comment=MARK)

    async def steps() -> None:
        stores = Stores()
        triggers = [of(f"v{number}", every_s=0.5) for number in range(20)]
        triggers += [of("v*", every_s=0.5), of("*", name="weekly.*", every_s=0.5)]
        triggerer = Triggerer(triggers, stores)
        await eventually(lambda: stores.looked(22), "the first look of all")
        for name in ("v3", "v7"):
            take(client, volumes.get(client, svm=SVM, name=name), "weekly.1" if name == "v7" else "s")
        ontap.forget_requests()
        await eventually(lambda: len(triggerer.told) == 4, "the events")
        await triggerer.stop()
        counts = {asset: len(told) for asset, told in triggerer.told.items()}
        assert counts == {"snapshots/v3": 1, "snapshots/v7": 1, "snapshots/v*": 2, "snapshots/*,weekly.*": 1}
        asked = listings(ontap)
        assert asked and all(path.startswith("/api/storage/volumes/*/snapshots") for path in asked)
        assert len(asked) <= 3, "one look for all of them, and not one for each"

    watched(steps, monkeypatch)


def test_what_happens_while_the_triggerer_is_down_is_told_once_by_the_next(client, volume, monkeypatch) -> None:
    async def steps() -> None:
        stores, trigger = Stores(), of("tyre")
        first = Triggerer([trigger], stores)
        await eventually(lambda: stores.kept.get("snapshots/tyre"), "the first look")
        take(client, volume, "one")
        await eventually(lambda: stores.kept["snapshots/tyre"]["watch_snapshot"]["events"], "the first event")
        await first.stop()
        take(client, volume, "two")
        second = Triggerer([trigger], stores)
        await eventually(lambda: second.told, "the second event")
        await asyncio.sleep(0.3)
        await second.stop()
        assert [event["snapshot"] for event in first.told["snapshots/tyre"]] == ["one"]
        assert [event["snapshot"] for event in second.told["snapshots/tyre"]] == ["two"]

    watched(steps, monkeypatch)


def test_a_watcher_that_comes_late_goes_on_where_it_was(client, volume, monkeypatch) -> None:
    async def steps() -> None:
        stores, trigger = Stores(), of("tyre")
        first = Triggerer([trigger], stores)
        await eventually(lambda: stores.kept.get("snapshots/tyre"), "the first look")
        await first.stop()
        take(client, volume, "missed")
        both = Triggerer([of("other"), trigger], stores)
        await eventually(lambda: both.told, "the event")
        await both.stop()
        assert [event["snapshot"] for event in both.told["snapshots/tyre"]] == ["missed"]

    watched(steps, monkeypatch)


def test_an_outage_is_logged_once_shown_in_the_state_store_and_nothing_is_lost(
    client, volume, ontap, monkeypatch, caplog
) -> None:
    async def steps() -> None:
        stores, trigger = Stores(), of("tyre")
        triggerer = Triggerer([trigger], stores)
        await eventually(lambda: stores.kept.get("snapshots/tyre"), "the first look")
        kept = stores.kept["snapshots/tyre"]
        take(client, volume, "before")
        await eventually(lambda: kept["watch_snapshot"]["events"] == 1, "the first event")
        ontap.fault("GET", "/storage/volumes/.*/snapshots.*", "error", times=12, status=503, code="4", message="away")
        await eventually(lambda: kept["watch_snapshot"]["trouble"], "the trouble")
        assert "away" in kept["watch_snapshot"]["trouble"]["said"]
        ontap.control("DELETE", "/faults")
        take(client, volume, "meanwhile")
        await eventually(lambda: kept["watch_snapshot"]["events"] == 2, "the event after it")
        assert kept["watch_snapshot"]["trouble"] is None
        await triggerer.stop()
        assert [event["snapshot"] for event in triggerer.told["snapshots/tyre"]] == ["before", "meanwhile"]

    monkeypatch.setattr("ontap_mlops.ontap.client._PAUSES_S", ())
    with caplog.at_level(logging.INFO, logger="ontap_mlops.triggers.watching"):
        watched(steps, monkeypatch)
    said = [record.getMessage() for record in caplog.records if record.name == "ontap_mlops.triggers.watching"]
    assert [line.partition(";")[0] for line in said if "cannot be watched" in line] == [
        "ontap_default snapshot cannot be watched"
    ]
    assert sum("is watched again" in line for line in said) == 1


def test_a_state_store_that_is_away_delays_the_watch_and_loses_nothing(client, volume, monkeypatch) -> None:
    async def steps() -> None:
        stores, trigger = Stores(), of("tyre")
        first = Triggerer([trigger], stores)
        await eventually(lambda: stores.kept.get("snapshots/tyre"), "the first look")
        await first.stop()
        take(client, volume, "one")
        stores.fails = True
        second = Triggerer([trigger], stores)
        await asyncio.sleep(0.3)
        assert not second.told
        stores.fails = False
        await eventually(lambda: second.told, "the event")
        await second.stop()

    monkeypatch.setattr("ontap_mlops.triggers.watching._AGAIN_S", 0.05)
    watched(steps, monkeypatch)


def freeze(client, run: str, digest: str) -> dataset_versions.Frozen:
    facts = {"source": "s3://lake/tyre/", "files": 3, "size": 10}
    return dataset_versions.freeze(client, svm=SVM, volume="tyre", dataset="tyres", digest=digest, run_key=run, **facts)


def test_a_version_from_elsewhere_is_an_event_and_one_of_a_run_here_is_left_to_its_task(
    client, volume, monkeypatch
) -> None:
    async def steps() -> None:
        stores, trigger = Stores(), of_dataset()
        triggerer = Triggerer([trigger], stores)
        await eventually(lambda: stores.kept.get("dataset/tyres"), "the first look")
        stores.kept["dataset/tyres"][MADE_HERE] = ["r20261126t000000zaaaaaaaa"]
        freeze(client, "r20261126t000000zaaaaaaaa", "sha256:aaaaaaaa")
        take(client, volume, "hourly.2026-11-26_0005")
        elsewhere = freeze(client, "r20261126t000000zbbbbbbbb", "sha256:bbbbbbbb").version
        await eventually(lambda: triggerer.told, "the event")
        await asyncio.sleep(0.3)
        await triggerer.stop()
        (event,) = triggerer.told["dataset/tyres"]
        assert event["dataset_version"] == elsewhere.to_json()

    watched(steps, monkeypatch)


def test_a_snapshot_by_rule_becomes_a_version_that_a_run_can_name(client, volume, monkeypatch) -> None:
    async def steps() -> None:
        stores, trigger = Stores(), of_dataset(adopt=["weekly.*"], labels=["gold"])
        triggerer = Triggerer([trigger], stores)
        await eventually(lambda: stores.kept.get("dataset/tyres"), "the first look")
        for name, label in (("weekly.1", None), ("by_hand", "gold"), ("hourly.1", "hourly")):
            take(client, volume, name, label=label)
        await eventually(lambda: len(triggerer.told.get("dataset/tyres", ())) == 2, "the events")
        await triggerer.stop()
        versions = [event["dataset_version"] for event in triggerer.told["dataset/tyres"]]
        assert {version["snapshot"] for version in versions} == {"weekly.1", "by_hand"}
        rule = dataset_versions.Adoption(("weekly.*",), ("gold",))
        listed = dataset_versions.list_versions(client, svm=SVM, volume="tyre", dataset="tyres", adopt=rule)
        assert {v.id for v in listed} == {version["id"] for version in versions}
        assert all(names.id_in(version["id"]) == version["id"] for version in versions)
        assert not dataset_versions.list_versions(client, svm=SVM, volume="tyre", dataset="tyres")

    watched(steps, monkeypatch)


def test_a_watched_snapshot_as_old_as_the_clock_is_wrong_is_told(client, volume, ontap, monkeypatch) -> None:
    """Nodes of one cluster differ by seconds: a snapshot may be older than the newest one that a look has seen."""

    async def steps() -> None:
        stores, trigger = Stores(), of("tyre")
        triggerer = Triggerer([trigger], stores)
        await eventually(lambda: stores.kept.get("snapshots/tyre"), "the first look")
        ontap.control("PUT", "/clock", {"offset_s": 60})
        take(client, volume, "ahead")
        await eventually(lambda: triggerer.told, "the event")
        ontap.control("PUT", "/clock", {"offset_s": 0})
        take(client, volume, "behind")
        await eventually(lambda: len(triggerer.told["snapshots/tyre"]) == 2, "the other event")
        await triggerer.stop()
        assert cluster.now(client)

    watched(steps, monkeypatch)


@pytest.mark.parametrize("account", ["least", "vsadmin", "readonly"])
def test_an_account_with_few_rights_is_enough(client, volume, ontap, monkeypatch, account) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection(login=account))

    async def steps() -> None:
        stores, trigger = Stores(), of("tyre")
        triggerer = Triggerer([trigger], stores)
        await eventually(stores.looked, "the first look")
        take(client, volume, "one")
        await eventually(lambda: triggerer.told, "the event")
        await triggerer.stop()

    watched(steps, monkeypatch)
