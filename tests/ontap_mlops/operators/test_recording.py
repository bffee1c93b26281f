"""Whoever moves data keeps what it took, beside what the newest plan for the route had said; nobody wires it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ontap_mlops import assets, ends, settings
from ontap_mlops.operators.caches import OntapCacheEnsureOperator, OntapCachePrepopulateOperator
from ontap_mlops.operators.mirrors import OntapMirrorEnsureOperator
from ontap_mlops.operators.planning import TransferPlanOperator
from ontap_mlops.operators.transfers import OntapMirrorUpdateOperator
from ontap_mlops.planning import Record
from tests.ontap_mlops.operators.running import Run

BOTH = {"ontap_conn_id": "ontap_remote", "source_conn_id": "ontap_default", "poll_interval_s": 0.02}


class Events(list[Any]):
    def ascending(self, up: bool) -> Events:
        return self if up else Events(reversed(self))

    def limit(self, count: int) -> Events:
        return Events(self[:count])


class Airflow:
    """Runs of operators, of which each sees what those before have told."""

    def __init__(self) -> None:
        self.events: dict[Any, Events] = {assets.TRANSFERS: Events(), assets.PLANS: Events()}

    def run(self, kind: type, **arguments: Any) -> Any:
        run = Run()
        run.inlet_events = self.events
        result = run.execute(kind, **arguments)
        for asset, said in run.outlet_events.items():
            for where, extra in [(asset, said.extra)] * bool(said.extra) + said.added:
                self.events[where].append(SimpleNamespace(extra=extra))
        return result

    @property
    def kept(self) -> list[Record]:
        return [Record.from_json(event.extra["transfer"]) for event in self.events[assets.TRANSFERS]]


@pytest.fixture
def airflow(there, volume, tmp_path, monkeypatch) -> Airflow:
    (tmp_path / "datasets.yaml").write_text('datasets:\n  tyres: {source: "s3://lake/tyre/", volume: tyre}\n')
    site = "  west: {ontap_conn_id: ontap_remote, svm: svm2, cache_bytes: 1GB}\n"
    (tmp_path / "sites.yaml").write_text(f"sites:\n{site}")
    monkeypatch.setenv(settings.variable("config_dir"), str(tmp_path))
    return Airflow()


def test_a_mirrors_transfer_is_kept_once_beside_the_plan_for_its_route(airflow, ontap, there) -> None:
    folder = ontap.emulator.namespace / "tyre"
    (folder / "big").write_bytes(b"x" * 60_000_000)
    said = airflow.run(TransferPlanOperator, source="tyres", target="west", link_mbps=100, snapshots=True)
    asked = {**BOTH, "volume": "tyre"}
    # ONTAP tells how long a transfer took in whole seconds.
    ontap.fault("POST", "/intercluster/mirror.begin", "slow", delay_s=1.5, times=1)
    told = airflow.run(OntapMirrorEnsureOperator, **asked)
    (record,) = airflow.kept
    assert (record.way, record.source, record.target, record.run) == (
        "SnapMirror",
        "tyres",
        "west",
        "tyre_quality/manual__1",
    )
    assert (record.bytes, record.seconds) == (told["bytes"], told["seconds"]) and record.bytes >= 60_000_000
    plan = next(way for way in said["ways"] if way["name"] == "SnapMirror")
    assert (record.said_bytes, record.said_s) == (plan["first_bytes"], plan["first_s"])
    airflow.run(OntapMirrorEnsureOperator, **asked)
    assert len(airflow.kept) == 1, "the same transfer, found done by a second task"
    (folder / "more").write_bytes(b"y" * 1000)
    airflow.run(OntapMirrorUpdateOperator, ontap_conn_id="ontap_remote", mirror_volume="tyre", poll_interval_s=0.02)
    assert len(airflow.kept) == 2
    again = airflow.run(TransferPlanOperator, source="svm1:tyre", target="ontap_remote:svm2:copy", snapshots=True)
    rate = next(way for way in again["ways"] if way["name"] == "SnapMirror")
    assert rate["first_s"] == pytest.approx(rate["first_bytes"] * record.seconds / record.bytes), (
        "by any name of the ends"
    )


def test_the_filling_of_a_cache_is_kept_and_what_moved_nothing_is_not(airflow, ontap) -> None:
    (ontap.emulator.namespace / "tyre" / "one").write_bytes(b"x" * 2_000_000)
    cache = {"ontap_conn_id": "ontap_remote", "cache": "near"}
    airflow.run(OntapCacheEnsureOperator, **cache, origin_volume="tyre", origin_svm="svm1")
    filled = [airflow.run(OntapCachePrepopulateOperator, **cache, poll_interval_s=0.02) for _ in range(2)]
    (record,) = airflow.kept
    assert (record.way, record.source, record.target) == ("FlexCache", "tyres", "west")
    assert record.bytes == filled[0]["used_bytes"] - filled[0]["before_bytes"] >= 2_000_000
    assert record.seconds == filled[0]["seconds"] > 0


def test_what_cannot_be_kept_fails_no_task(airflow, ontap, monkeypatch, capsys) -> None:
    (ontap.emulator.namespace / "tyre" / "one").write_bytes(b"x" * 1000)
    monkeypatch.setattr(ends, "canonical", lambda *_, **__: 1 / 0)
    assert airflow.run(OntapMirrorEnsureOperator, **BOTH, volume="tyre")["bytes"] > 0
    assert not airflow.kept and "could not be kept for the planner: division by zero" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "is_target", "name"),
    [
        ("svm1:tyre", False, "tyres"),
        ("ontap_default:svm1:tyre", False, "tyres"),
        ("ontap_other:svm1:tyre", False, "ontap_other:svm1:tyre"),
        ("tyres", False, "tyres"),
        ("svm2:tyre", True, "west"),
        ("ontap_remote:svm2:anything", True, "west"),
        ("west", True, "west"),
        ("s3://lake/tyre/", False, "s3://lake/tyre"),
        ("nfs://10.0.0.5/data", False, "10.0.0.5:/data"),
        ("cifs://10.0.0.5/share", True, "//10.0.0.5/share"),
        ("onprem://10.0.0.5/data", True, "10.0.0.5:/data"),
        ("sgws://grid/443/lake", True, "sgws://grid/443/lake"),
    ],
)
def test_an_end_is_remembered_by_one_name(airflow, text: str, is_target: bool, name: str) -> None:
    assert ends.canonical(text, is_target=is_target) == name
