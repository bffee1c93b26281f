"""Watchers of mirrors, caches and buckets, each against the system that it looks at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ontap_mlops import assets
from ontap_mlops.ontap import caches, marks, volumes
from tests.lake import Lake
from tests.ontap_mlops.conftest import GIB, MARK, SVM, Ontap
from tests.ontap_mlops.triggers.watched import Stores, Triggerer, eventually, watched


def trigger_of(asset: Any) -> Any:
    return asset.watchers[0].trigger


@pytest.fixture
def there(peered, monkeypatch) -> Iterator[Ontap]:
    """The cluster of mirrors and caches, as `ontap_remote`; `tyre` with a file is on the other one."""
    with peered.here.client() as one, peered.there.client() as other:
        here, made = Ontap(peered.here, one), Ontap(peered.there, other)
        monkeypatch.setenv(
            "AIRFLOW_CONN_ONTAP_REMOTE", made.connection(extra={"verify": peered.there.ca, "svm": "svm2"})
        )
        client = here.client()
        volumes.ensure(client, svm=SVM, name="tyre", size_bytes=GIB, comment=MARK, junction_path="/tyre")
        (peered.here.namespace / "tyre" / "one.png").write_bytes(b"first")
        client.close()
        yield made


def test_each_finished_transfer_of_a_mirror_is_an_event(there, monkeypatch) -> None:
    async def steps() -> None:
        stores, trigger = Stores(), trigger_of(assets.mirror_asset("copy", ontap_conn_id="ontap_remote", every_s=0.1))
        triggerer = Triggerer([trigger], stores)
        await eventually(stores.looked, "the first look")
        asked = {"source": {"path": f"{SVM}:tyre"}, "destination": {"path": "svm2:copy"}, "state": "snapmirrored"}
        asked["create_destination"] = {"enabled": True}  # type: ignore[assignment]
        path = "/api/snapmirror/relationships"
        there.http.post(f"{path}?return_timeout=15", json=asked).raise_for_status()
        await eventually(lambda: triggerer.told, "the event of the first transfer")
        (uuid,) = [record["uuid"] for record in there.records("/snapmirror/relationships")]
        there.http.post(f"{path}/{uuid}/transfers?return_timeout=15", json={}).raise_for_status()
        await eventually(lambda: len(triggerer.told[trigger.asset]) == 2, "the event of the second")
        await triggerer.stop()
        first, second = triggerer.told[trigger.asset]
        assert (first["source"], first["destination"]) == (f"{SVM}:tyre", "svm2:copy")
        assert first["id"] != second["id"] and first["bytes"] > 0

    watched(steps, monkeypatch)


def test_a_finished_prepopulate_is_an_event_of_its_cache(there, monkeypatch) -> None:
    async def steps() -> None:
        client = there.client()
        facts = {"origin_svm": SVM, "origin_volume": "tyre", "comment": marks.mark("dataset tyre")}
        caches.ensure(client, svm="svm2", name="near", junction_path="/near", **facts)
        stores = Stores()
        names = ("near", "another")
        triggers = [trigger_of(assets.cache_asset(n, ontap_conn_id="ontap_remote", every_s=0.1)) for n in names]
        triggerer = Triggerer(triggers, stores)
        await eventually(lambda: stores.looked(2), "the first look")
        cursor: dict[str, Any] = {}
        while not (look := caches.prepopulated(client, svm="svm2", name="near", paths=["/"], cursor=cursor))["done"]:
            cursor = look["cursor"]
        await eventually(lambda: triggerer.told, "the event")
        await triggerer.stop()
        ((asset, (event,)),) = triggerer.told.items()
        assert asset == "cache/near,ontap_remote"
        assert (event["svm"], event["volume"], event["origin"]) == ("svm2", "near", f"{SVM}:tyre")

    watched(steps, monkeypatch)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch) -> Iterator[Lake]:
    folder = tmp_path / "lake"
    folder.mkdir()
    made = Lake(folder)
    made.start()
    made.client.create_bucket(Bucket="lake")
    keys = {"login": made.environment["AWS_ACCESS_KEY_ID"], "password": made.environment["AWS_SECRET_ACCESS_KEY"]}
    extra = {"endpoint_url": made.environment["AWS_ENDPOINT_URL_S3"], "region_name": "us-east-1"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", **keys, "extra": extra}))
    yield made
    made.stop()


def put(lake: Lake, *keys: str, body: bytes = b"x") -> None:
    for key in keys:
        lake.client.put_object(Bucket="lake", Key=key, Body=body)


def test_new_objects_below_a_prefix_are_one_event_a_look_and_none_twice(lake, monkeypatch) -> None:
    put(lake, "in/before")

    async def steps() -> None:
        stores = Stores()
        trigger = trigger_of(assets.objects_asset("s3://lake/in/", every_s=0.1))
        first = Triggerer([trigger], stores)
        await eventually(stores.looked, "the first look")
        put(lake, "in/one", "in/two", "other/three")
        told = first.told
        await eventually(lambda: sum(e["count"] for e in told.get(trigger.asset, ())) == 2, "both objects")
        put(lake, "in/one", body=b"written anew")
        await eventually(lambda: sum(e["count"] for e in told[trigger.asset]) == 3, "the one that was written anew")
        await first.stop()
        put(lake, "in/four")
        second = Triggerer([trigger], stores)
        await eventually(lambda: second.told, "what came meanwhile")
        await second.stop()
        (event,) = second.told[trigger.asset]
        assert (event["count"], event["keys"], event["newest"]) == (1, ["in/four"], "in/four")
        assert {key for e in told[trigger.asset] for key in e["keys"]} == {"in/one", "in/two"}

    watched(steps, monkeypatch)


def test_a_lake_that_is_away_is_looked_at_again_and_nothing_is_lost(lake, monkeypatch) -> None:
    async def steps() -> None:
        stores, trigger = Stores(), trigger_of(assets.objects_asset("s3://lake/in/", every_s=0.1))
        triggerer = Triggerer([trigger], stores)
        await eventually(stores.looked, "the first look")
        lake.stop()
        kept = stores.kept["objects/lake,in"]
        await eventually(lambda: kept["watch_objects"]["trouble"], "the trouble")
        lake.start()
        put(lake, "in/late")
        await eventually(lambda: triggerer.told, "the event")
        await triggerer.stop()

    watched(steps, monkeypatch)


def test_an_address_that_is_no_folder_of_a_bucket_is_refused() -> None:
    with pytest.raises(ValueError, match="no folder of a bucket; give it like s3://bucket/prefix/"):
        assets.objects_asset("/data/in")
