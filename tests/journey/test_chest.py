"""Chest X-rays are cached beside the compute by the first run; the second reads nothing from the source."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ontap_mlops import names
from ontap_mlops.ontap import peers, volumes
from ontap_mlops.ontap.client import Client
from scripts import demo
from scripts.embedded import environment
from scripts.systems.chest import SYSTEM
from tests.journey.world import World

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]

TRAIN, SITE = SYSTEM.train_dag, "remote"
PICTURES = 160
QUICK = {"epochs": 1}
USES = ["flexcache", "snapmirror"]
EVICT = f"evict_at_{SITE}"


@pytest.fixture
def site(world: World) -> Iterator[Client]:
    """The site, as its administrator, who has made its SVM a peer of the home's."""
    rows = environment.connections(world.stack.layout, world.stack.ports)
    home, there = (
        Client(
            host=row["host"],
            port=row["port"],
            username=row["login"],
            password=row["password"],
            verify=row["extra"]["verify"],
        )
        for row in (rows["ontap_default"], rows["ontap_remote"])
    )
    peers.ensure_svm_peer(there, home, svm=environment.REMOTE_SVM, peer_svm="svm1", applications=USES)
    yield there
    home.close()
    there.close()


def test_the_first_run_fills_the_cache_and_the_second_reads_nothing_from_the_source(world: World, site: Client):
    world.wait_for_dags(SYSTEM.ingest_dag, TRAIN)
    world.pause(TRAIN)

    world.step("Pictures become a version; the first run fills the cache at the site of its compute, and is deployed")
    SYSTEM.fill_lake(world.stack, 1, demo.options(["chest", f"--count={PICTURES}"]))
    version = world.api.xcom(SYSTEM.ingest_dag, world.run(SYSTEM.ingest_dag), "freeze")
    asked = {"dataset_version": version["id"], **QUICK}
    first_id = world.run(TRAIN, asked)
    first = world.api.xcom(TRAIN, first_id, "summary")
    cached = world.api.xcom(TRAIN, first_id, "cache")
    assert first["reads"]["site"] == SITE and first["reads"]["before"] is None
    assert first["reads"]["source_bytes"] >= version["bytes"] > 0
    assert cached["cache"]["used_bytes"] >= version["bytes"]
    assert first["deployment"]["model_version"]["model"] == "chest_xray"
    assert first["deployment"]["proof"]["actual"], "asked about a patient that the table knows"
    assert len(first["metrics"]["challenger"]) > 1, "findings, and their mean"

    world.step("The second run on the same site reads nothing from the source, by ONTAP's count, and says both")
    second = world.api.xcom(TRAIN, world.run(TRAIN, {**asked, "promote": "never"}), "summary")
    assert second["reads"]["source_bytes"] == 0 and second["reads"]["fill_seconds"] == 0
    assert second["reads"]["before"]["run_key"] == first["run_key"]
    assert second["reads"]["before"]["source_bytes"] == first["reads"]["source_bytes"]
    assert second["metrics"]["challenger"] == first["metrics"]["challenger"], "the same data, wherever it is read"

    world.step(
        "The daily DAG removes the cache once it is unused, and says why; a run then reads the source if told to"
    )
    called = f"chest_xray {version['id']} at {SITE}"
    evicted = world.api.xcom("evict_caches", world.run("evict_caches", {"days": 0}), EVICT)
    assert "unused for" in evicted["removed"][called], evicted
    (shown,) = (site for site in world.hub("caches")["sites"] if site["name"] == SITE)
    assert {each["cache"]: each["why"] for each in shown["evicted"]} == evicted["removed"]
    assert volumes.find(site, svm=environment.REMOTE_SVM, name=names.cache_volume(version["id"])) is None
    assert world.workspaces() == set()
