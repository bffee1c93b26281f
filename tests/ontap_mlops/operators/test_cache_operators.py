"""Operators on caches, on two clusters: made at one site, of a volume at another."""

from __future__ import annotations

from typing import Any

import pytest
from running import Run

from ontap_mlops.ontap import caches, errors, volumes
from ontap_mlops.operators.caches import (
    OntapCacheDeleteOperator,
    OntapCacheEnsureOperator,
    OntapCacheMountOperator,
    OntapCachePrepopulateOperator,
    listed,
)
from tests.ontap_mlops.conftest import GIB, MARK, Ontap

MB = 1024**2
THERE = {"ontap_conn_id": "ontap_remote", "svm": "svm2", "cache": "near"}


@pytest.fixture
def sites(peered, monkeypatch: pytest.MonkeyPatch):
    """The clusters here and there, with the volume `tyre` here and two folders in it."""
    with peered.here.client() as one, peered.there.client() as two:
        here, there = Ontap(peered.here, one), Ontap(peered.there, two)
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", here.connection())
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_REMOTE", there.connection())
        volumes.ensure(here.client(), svm="svm1", name="tyre", size_bytes=GIB, comment=MARK, junction_path="/tyre")
        for name in ("good/1", "bad/2"):
            (peered.here.namespace / "tyre" / name).parent.mkdir()
            (peered.here.namespace / "tyre" / name).write_text(name)
        yield here, there
        for client in here.clients + there.clients:
            client.close()


def ensure(**other: Any) -> Any:
    facts = {**THERE, "origin_volume": "tyre", "source_conn_id": "ontap_default", "size_bytes": 50 * MB}
    return Run().execute(OntapCacheEnsureOperator, **{**facts, **other})


def test_made_filled_read_and_removed(sites):
    here, there = sites
    made = ensure()
    assert (made["origin"], made["junction_path"], made["used_bytes"]) == ("svm1:tyre", "/near", 0)
    assert ensure() == made
    found = Run().execute(OntapCachePrepopulateOperator, **THERE, paths="/good, /bad", poll_interval_s=0.1)
    assert (found["before_bytes"], found["used_bytes"]) == (0, 11)
    assert (there.emulator.namespace / "near" / "good" / "1").read_text() == "good/1"
    assert Run().execute(OntapCacheDeleteOperator, **THERE) is True
    assert Run().execute(OntapCacheDeleteOperator, **THERE) is False
    assert (here.emulator.namespace / "tyre" / "good" / "1").read_text() == "good/1"
    assert here.records("/storage/flexcache/origins") == []


def test_only_what_is_mounted_is_prepopulated_and_mounting_it_helps(sites):
    _, there = sites
    cache = ensure()
    there.http.patch(f"/api/storage/volumes/{cache['uuid']}?return_timeout=20", json={"nas": {"path": ""}})
    with pytest.raises(errors.OntapPermanentError, match="cache svm2:near of volume svm1:tyre is mounted nowhere"):
        Run().execute(OntapCachePrepopulateOperator, **THERE)
    assert Run().execute(OntapCacheMountOperator, **THERE)["junction_path"] == "/near"
    assert Run().execute(OntapCachePrepopulateOperator, **THERE, poll_interval_s=0.1)["used_bytes"] == 11


def test_a_peer_that_is_not_there_fails_at_once_naming_both_ends(sites):
    with pytest.raises(errors.NotPeered, match="create cache svm2:near of volume far:tyre.*Peer the two clusters"):
        ensure(origin_svm="far")


def test_an_origins_cluster_that_is_away_is_waited_for_by_retries(sites):
    here, there = sites
    ensure()
    here.fault("POST", "/intercluster/flexcache.origin", "refuse", times=1000)
    with pytest.raises(errors.OtherEndAway, match="near"):
        Run().execute(OntapCachePrepopulateOperator, **THERE, poll_interval_s=0.1)
    here.control("DELETE", "/faults")
    assert caches.get(there.client(), svm="svm2", name="near").origin_volume == "tyre"


def test_paths_are_a_list_or_lines_or_commas():
    assert listed(["/a", " /b "]) == listed("/a\n/b") == listed("/a, /b,") == ["/a", "/b"]
    assert listed("") == listed(None) == []
