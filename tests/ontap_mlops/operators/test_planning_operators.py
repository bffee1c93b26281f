"""Plans from what two ONTAP clusters tell of themselves, and records from which the next plan learns."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ontap_mlops import assets, ends, registry
from ontap_mlops.ontap import errors, snapshots, transfer_facts, volumes
from ontap_mlops.operators.planning import TransferPlanOperator, TransferRecordOperator
from ontap_mlops.planning import Kind
from tests.ontap_mlops.conftest import GIB, MARK, SVM, Ontap
from tests.ontap_mlops.operators.running import Run

DATASET = registry.Dataset(name="tyre_images", source="s3://lake/tyre/", volume="tyre")


@pytest.fixture(autouse=True)
def connection(ontap, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())


@pytest.fixture
def two(peered, monkeypatch) -> Iterator[None]:
    """`svm1` of one cluster and `svm2` of another, peers; 3 MB on the volume `tyre`, of which 1 MB came in a day."""
    with peered.here.client() as one, peered.there.client() as other:
        here = Ontap(peered.here, one)
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", here.connection())
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_REMOTE", Ontap(peered.there, other).connection())
        client = here.client()
        made = volumes.ensure(client, svm=SVM, name="tyre", size_bytes=GIB, comment=MARK, junction_path="/tyre")
        folder = peered.here.namespace / "tyre"
        (folder / "old.bin").write_bytes(b"o" * 2_000_000)
        here.control("PUT", "/clock", {"offset_s": -86_400})
        snapshots.ensure(client, volume_uuid=made.uuid, name="yesterday", comment="")
        here.control("PUT", "/clock", {"offset_s": 0})
        (folder / "new.bin").write_bytes(b"n" * 1_000_000)
        yield
        client.close()


class Events(list):
    """What Airflow gives of an asset's events."""

    def ascending(self, up: bool) -> Events:
        return Events(reversed(self)) if not up else self

    def limit(self, count: int) -> Events:
        return Events(self[:count])


def planned(source: str = f"{SVM}:tyre", target: str = "ontap_remote:svm2:tyre", past: Any = (), **facts: Any) -> Any:
    run = Run()
    run.inlet_events = {assets.TRANSFERS: Events(SimpleNamespace(extra={"transfer": record}) for record in past)}
    return run.execute(TransferPlanOperator, source=source, target=target, **facts)


def test_a_plan_takes_its_facts_from_both_clusters(two) -> None:
    found = planned(link_mbps=100)
    mirror = next(way for way in found["ways"] if way["name"] == "SnapMirror")
    assert found["way"] == "SnapMirror" and not found["unknown"]
    assert mirror["first_bytes"] == pytest.approx(3_000_000, rel=0.05)
    assert mirror["daily_bytes"] == pytest.approx(1_000_000, rel=0.05)
    assert mirror["first_s"] == pytest.approx(mirror["first_bytes"] * 8 / 100e6)
    assert planned(share="0.1", size_bytes=1e12)["way"] == "FlexCache"


def test_of_clusters_that_are_not_peered_it_says_what_would_peer_them(two) -> None:
    found = planned(target="ontap_remote:svm3:tyre")
    assert found["way"] == "SnapMirror"
    assert found["sentence"].endswith(
        "Its two SVMs are not peered yet: the DAG replicate does that by itself, with logins of cluster administrators."
    )
    cached = next(way for way in found["ways"] if way["name"] == "FlexCache")
    assert (cached["why_not"], "DAG cache_dataset" in cached["first_do"]) == ("", True)
    assert planned()["ways"][0]["first_do"] == ""


def test_without_a_licence_there_is_no_mirror_and_who_may_not_read_licences_plans_with_one(peered, two, ontap) -> None:
    path = "/api/cluster/licensing/licenses/snapmirror?serial_number=*"
    with peered.there.client() as http:
        http.delete(path).raise_for_status()
    found = planned(snapshots=True)
    assert "has no licence for SnapMirror" in next(w for w in found["ways"] if w["name"] == "SnapMirror")["why_not"]
    assert transfer_facts.licensed(ontap.client(), "snapmirror") is True
    assert transfer_facts.licensed(ontap.client(username="least"), "snapmirror") is None


def test_within_one_cluster_nothing_has_to_move(two) -> None:
    assert planned(target=f"{SVM}:copy")["way"] == "FlexClone"


def test_an_end_that_is_not_on_ontap_needs_its_size_said(two) -> None:
    with pytest.raises(ValueError, match="size_bytes is not given, and filer:/old is not on ONTAP"):
        planned(source="filer:/old")
    assert planned(source="filer:/old", size_bytes="5e9")["way"] == "XCP"
    with pytest.raises(ValueError, match="size_bytes is 'much'; give a number"):
        planned(size_bytes="much")


def test_a_volume_that_is_not_there_is_named(two) -> None:
    with pytest.raises(errors.NotFound, match="no volume 'nowhere' of SVM 'svm1'"):
        planned(source=f"{SVM}:nowhere")


def test_what_happened_is_kept_beside_what_was_said_and_makes_the_next_plan_better(two) -> None:
    first, run = planned(size_bytes=1e9), Run()
    assert first["ways"][0]["first_s"] is None
    record = run.execute(TransferRecordOperator, plan=first, bytes_moved="1e9", seconds=20)
    assert (record["way"], record["said_bytes"], record["said_s"]) == (first["way"], 1e9, None)
    ((asset, event),) = run.outlet_events.items()
    assert asset == assets.TRANSFERS and assets.told(event)["transfer"] == record
    second = planned(size_bytes=1e9, past=[record, {"no": "record"}])
    assert second["ways"][0]["first_s"] == pytest.approx(20)
    told = Run().execute(TransferRecordOperator, plan=second, bytes_moved=1e9, seconds=25)
    assert told["said_s"] == pytest.approx(20)


def test_a_record_without_a_route_or_way_is_refused() -> None:
    with pytest.raises(ValueError, match="give way, source and target, or the plan"):
        Run().execute(TransferRecordOperator, bytes_moved=1, seconds=1)


@pytest.mark.parametrize(
    ("text", "kind", "conn", "svm", "volume"),
    [
        ("tyre_images", Kind.ONTAP, "ontap_default", "", "tyre_images"),
        ("remote", Kind.ONTAP, "ontap_remote", "svm_remote", ""),
        ("svm7:data", Kind.ONTAP, "ontap_default", "svm7", "data"),
        ("ontap_b:svm7:data", Kind.ONTAP, "ontap_b", "svm7", "data"),
        ("s3://lake/tyre/", Kind.S3, "", "", ""),
        ("filer:/export/old", Kind.NFS, "", "", ""),
        ("//pc/share", Kind.SMB, "", "", ""),
        ("azure://container/x", Kind.BLOB, "", "", ""),
    ],
)
def test_ends_are_named_as_people_name_them(text: str, kind: Kind, conn: str, svm: str, volume: str) -> None:
    found = ends.place(text)
    assert (found.kind, found.ontap_conn_id, found.svm, found.volume) == (kind, conn, svm, volume)


@pytest.mark.parametrize("text", ["", "nothing like it", "a:b:c:d", "ftp://x"])
def test_a_text_that_is_no_end_is_answered_with_the_forms(text: str) -> None:
    with pytest.raises(ValueError, match="is no end of a way: give a dataset or a site"):
        ends.place(text)


def test_a_change_rate_needs_a_snapshot_that_is_old_enough(client, volume, ontap) -> None:
    assert transfer_facts.change_rate(client, volume_uuid=volume.uuid) is None
    snapshots.ensure(client, volume_uuid=volume.uuid, name="now", comment="")
    assert transfer_facts.change_rate(client, volume_uuid=volume.uuid) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT3H27M45S", 12465), ("P1DT2S", 86402), ("PT0S", 0), ("PT1.5S", 1.5), (None, None), ("3h", None)],
)
def test_durations_are_read_as_ontap_writes_them(text: str | None, seconds: float | None) -> None:
    assert transfer_facts.seconds_of(text) == seconds


@pytest.mark.parametrize("account", ["least", "vsadmin"])
def test_an_account_of_one_svm_plans_with_what_it_may_read(client, volume, ontap, monkeypatch, account) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection(login=account))
    found = planned(source=f"{SVM}:tyre", target="s3://archive/tyre/", link_mbps=100)
    assert found["way"] == "S3 sync" and found["ways"][0]["first_bytes"] >= 5
    assert planned(source="s3://archive/", target=f"{SVM}:tyre", size_bytes=10)["way"] == "S3 sync"
