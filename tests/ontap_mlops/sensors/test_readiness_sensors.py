"""Before a computation is submitted: the version is warm in its cache, or its snapshot is where it is to be read."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSensorTimeout, TaskDeferred
from airflow.triggers.shared_stream import SharedStreamManager

from ontap_mlops import settings
from ontap_mlops.ontap import dataset_versions, errors, mirrors, volumes
from ontap_mlops.operators.dataset_caches import DatasetCacheEnsureOperator
from ontap_mlops.sensors.mirrors import OntapMirrorLagSensor
from ontap_mlops.sensors.readiness import DatasetVersionReadySensor, OntapCacheWarmSensor
from ontap_mlops.triggers import together
from ontap_mlops.triggers.polling import outcome
from tests.ontap_mlops.conftest import GIB, MARK, SVM, Ontap
from tests.ontap_mlops.operators.running import Run

CONTENT = b"tyre" * 300_000
SITES = """sites:
  west: {ontap_conn_id: ontap_remote, svm: svm2, cache_bytes: 250MB}
"""


class Two:
    def __init__(self, here: Ontap, there: Ontap, namespace: Any) -> None:
        self.here, self.there, self.namespace = here, there, namespace
        self.home = here.client()

    def version(self) -> Any:
        """Two folders of one file each, frozen."""
        for folder in ("good", "defective"):
            (self.namespace / "tyre" / folder).mkdir()
            (self.namespace / "tyre" / folder / "1").write_bytes(CONTENT)
        digest = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
        facts = {"svm": SVM, "volume": "tyre", "dataset": "tyre", "source": "s", "files": 2, "run_key": "r1"}
        return dataset_versions.freeze(self.home, **facts, size=2 * len(CONTENT), digest=digest).version

    def mirror(self) -> None:
        asked: dict[str, Any] = {"source": {"path": f"{SVM}:tyre"}, "destination": {"path": "svm2:tyre"}}
        asked |= {"state": "snapmirrored", "create_destination": {"enabled": True}}
        asked["policy"] = {"name": mirrors.POLICY}
        path = "/api/snapmirror/relationships?return_timeout=15"
        self.there.http.post(path, json=asked).raise_for_status()


@pytest.fixture
def two(peered, monkeypatch, tmp_path) -> Iterator[Two]:
    (tmp_path / "datasets.yaml").write_text('datasets:\n  tyre: {source: "s3://lake/tyre/", volume: tyre}\n')
    (tmp_path / "sites.yaml").write_text(SITES)
    monkeypatch.setenv(settings.variable("config_dir"), str(tmp_path))
    with peered.here.client() as one, peered.there.client() as other:
        here, there = Ontap(peered.here, one), Ontap(peered.there, other)
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", here.connection())
        extra = {"verify": peered.there.ca, "svm": "svm2"}
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_REMOTE", there.connection(extra=extra))
        two = Two(here, there, peered.here.namespace)
        volumes.ensure(two.home, svm=SVM, name="tyre", size_bytes=GIB, comment=MARK, junction_path="/tyre")
        yield two
        there.control("PUT", "/clock", {"offset_s": 0})
        for client in here.clients + there.clients:
            client.close()


def cache(*folders: str) -> Any:
    facts = {"dataset": "tyre", "site": "west", "prepopulate": folders, "hold": False, "deferrable": False}
    return Run().execute(DatasetCacheEnsureOperator, **facts)


def deferred(sensor: type, **arguments: Any) -> Any:
    """The trigger, as the triggerer makes it anew from what is stored."""
    with pytest.raises(TaskDeferred) as found:
        Run().execute(sensor, **{"poke_interval": 0.05, "timeout": 20, "deferrable": True, **arguments})
    trigger = found.value.trigger
    return type(trigger)(**json.loads(json.dumps(trigger.serialize()[1])))


def fired(*triggers: Any, meanwhile: Any = lambda: None) -> list[Any]:
    """What each gets, run together as in one triggerer; ``meanwhile`` is done once all have looked."""

    async def one(streams: SharedStreamManager, number: int, trigger: Any) -> Any:
        key = trigger.shared_stream_key()
        stream = trigger.filter_shared_stream(streams.subscribe(trigger_id=number, trigger=trigger, key=key))
        payload = (await anext(stream)).payload
        await streams.unsubscribe(number, key)
        return payload

    async def all_of_them() -> list[Any]:
        streams = SharedStreamManager()
        tasks = [asyncio.create_task(one(streams, *each)) for each in enumerate(triggers)]
        await asyncio.sleep(0.3)
        await asyncio.to_thread(meanwhile)
        try:
            return await asyncio.wait_for(asyncio.gather(*tasks), 90)
        finally:
            await streams.stop_all()

    return asyncio.run(all_of_them())


def test_a_cache_that_holds_half_is_no_warm_one_and_the_sentence_says_so(two, capsys) -> None:
    version = two.version()
    cache("/good")
    wanted = {"dataset": "tyre", "version": version.id, "site": "west"}
    sensor = OntapCacheWarmSensor(task_id="t", deferrable=False, **wanted)
    assert not sensor.poke(Run().context("t"))
    said = f"Waiting for version {version.id} of dataset tyre to be warm at site west: cache mlops_cache_{version.id} "
    assert said + "holds 1,200,000 of 2,400,000 bytes, 50% of the 90% wanted." in capsys.readouterr().out
    half = Run().execute(OntapCacheWarmSensor, deferrable=False, share="0.5", **wanted)
    assert (half["share"], half["junction_path"]) == (0.5, f"/mlops_cache_{version.id}")


def test_tasks_that_wait_for_one_site_share_one_look_and_end_when_their_version_is_warm(two, monkeypatch) -> None:
    version = two.version()
    looks: list[str] = []
    look = together._look
    monkeypatch.setattr(together, "_look", lambda *place: (looks.append("look"), look(*place))[1])
    wanted = {"dataset": "tyre", "version": version.to_json(), "site": "west", "poke_interval": 0.2}
    waiting = [deferred(OntapCacheWarmSensor, share=share, **wanted) for share in (0.2, *[0.9] * 19)]
    assert len({trigger.shared_stream_key() for trigger in waiting}) == 1
    began = time.monotonic()
    told = [outcome(event) for event in fired(*waiting, meanwhile=lambda: cache("/"))]
    assert {answer["share"] for answer in told} == {1.0}
    assert len(looks) <= (time.monotonic() - began) / 0.2 + 2, "20 that wait look no more often than one would"


def test_a_version_that_is_not_there_fails_at_once(two) -> None:
    two.version()
    with pytest.raises(ValueError, match="has no version 'v1'"):
        Run().execute(OntapCacheWarmSensor, dataset="tyre", version="v1", site="west")


@pytest.mark.parametrize("share", [0, 90, "most"])
def test_a_share_that_is_none_is_refused(two, share: object) -> None:
    wanted = {"dataset": "tyre", "version": two.version().id, "site": "west"}
    with pytest.raises(ValueError, match="share is .*; give a number above 0 and up to 1"):
        Run().execute(OntapCacheWarmSensor, share=share, **wanted)


def test_a_version_is_readable_at_home_at_once_and_elsewhere_when_its_mirror_has_brought_it(two) -> None:
    version = two.version()
    wanted = {"dataset": "tyre", "version": version.id}
    home = Run().execute(DatasetVersionReadySensor, deferrable=False, **wanted)
    assert (home["site"], home["snapshot_uuid"]) == ("home", version.snapshot_uuid)
    (event,) = fired(deferred(DatasetVersionReadySensor, site="west", **wanted), meanwhile=two.mirror)
    assert (outcome(event)["site"], outcome(event)["snapshot"]) == ("west", version.snapshot)


def test_mirrors_of_one_site_share_a_look_and_one_that_breaks_fails_its_wait(two) -> None:
    two.version()
    two.mirror()
    wanted = {"ontap_conn_id": "ontap_remote", "volume": "tyre", "deferrable": False, "poke_interval": 0.05}
    Run().execute(OntapMirrorLagSensor, below_s=3600, **wanted)
    two.there.control("PUT", "/clock", {"offset_s": 7200})
    waiting = [deferred(OntapMirrorLagSensor, **wanted | {"deferrable": True, "below_s": bound}) for bound in (60, 600)]
    assert len({trigger.shared_stream_key() for trigger in waiting}) == 1

    def broken() -> None:
        with two.there.client() as client:
            mirrors.break_off(client, mirror=mirrors.get(client, svm="svm2", volume="tyre"))

    for event in fired(*waiting, meanwhile=broken):
        with pytest.raises(errors.WrongState, match="its lag will not come below"):
            outcome(event)


def test_an_ontap_that_is_away_is_asked_again_and_one_that_refuses_ends_the_wait(two) -> None:
    version = two.version()
    wanted = {"dataset": "tyre", "version": version.id, "site": "west"}
    waiting = deferred(OntapCacheWarmSensor, **wanted)
    two.there.fault("GET", "/storage/flexcache.*", "refuse", times=2)
    (event,) = fired(waiting, meanwhile=lambda: cache("/"))
    assert outcome(event)["share"] == 1.0
    refused = {**json.loads(two.there.connection()), "password": "wrong"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_ONTAP_REMOTE", json.dumps(refused))
        (event,) = fired(waiting)
    with pytest.raises(errors.AuthenticationFailed):
        outcome(event)


def test_at_its_time_limit_the_task_says_what_it_was_waiting_for(two) -> None:
    version = two.version()
    wanted = {"dataset": "tyre", "version": version.id, "site": "west"}
    (event,) = fired(deferred(OntapCacheWarmSensor, timeout=0.3, **wanted))
    sensor = OntapCacheWarmSensor(task_id="t", timeout=0.3, **wanted)
    with pytest.raises(AirflowSensorTimeout, match="did not come within 0.3 s.*it is not cached there yet"):
        sensor.execute_complete(Run().context("t"), event)
