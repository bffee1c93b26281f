"""Two clusters as their users meet them: a copy at another site, training there, a fail over, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ontap_mlops.ontap import mirrors, peers, s3, volumes
from ontap_mlops.ontap.client import Client
from scripts.embedded import environment, layout
from scripts.systems.two_sites import contents
from scripts.systems.tyre import SYSTEM
from tests.journey.world import QUICK, TRAIN, World

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]

EVICT = "evict_at_remote"
COPY = {"dataset": "tyre_images", "site": "remote"}
HOME, SITE = ("svm1", "tyre_images"), (environment.REMOTE_SVM, "tyre_images")


@pytest.fixture
def clusters(world: World) -> Iterator[tuple[Client, Client]]:
    """Home and the site, as an administrator of each."""
    rows = environment.connections(world.stack.layout, world.stack.ports)
    made = [
        Client(
            host=row["host"],
            port=row["port"],
            username=row["login"],
            password=row["password"],
            verify=row["extra"]["verify"],
        )
        for row in (rows["ontap_default"], rows["ontap_remote"])
    ]
    yield made[0], made[1]
    for client in made:
        client.close()


def test_a_dataset_is_replicated_trained_on_elsewhere_failed_over_and_brought_back(
    world: World, clusters: tuple[Client, Client]
):
    home, site = clusters
    world.ready(SYSTEM)
    world.with_a_version()
    world.pause(TRAIN)
    at_home = world.files("tyre_images")
    at_site = layout.namespace_of(world.stack.layout.ontap_remote) / environment.REMOTE_SVM / "tyre_images"

    world.step("An administrator makes the SVMs peers, and the dataset is replicated")
    peers.ensure_svm_peer(site, home, svm=SITE[0], peer_svm=HOME[0], applications=["snapmirror", "flexcache"])
    run_id = world.run("replicate", COPY)
    assert world.api.xcom("replicate", run_id, "mirror")["bytes"] > 0
    assert world.api.xcom("replicate", run_id, "update")["lag_s"] is not None
    assert contents(at_site) == contents(at_home)
    assert versions(snapshots(site, *SITE)) == versions(world.snapshots("tyre_images")) != set()
    assert volumes.get(site, svm=SITE[0], name=SITE[1]).is_read_only

    world.step("The same version with the same seed gives the same metrics at the site")
    version = world.api.xcom(TRAIN, world.run(TRAIN, {"promote": "never", **QUICK}), "summary")
    trained = world.run(TRAIN, {"promote": "always", "site": "remote", **QUICK, **named(version)})
    there = world.api.xcom(TRAIN, trained, "summary")
    assert there["dataset_version"]["svm"] == environment.REMOTE_SVM
    assert there["metrics"]["challenger"] == version["metrics"]["challenger"]
    assert world.states(TRAIN, trained)["promote.publish"] == "skipped", "what serves is changed from home only"
    assert [v.name for v in volumes.list_volumes(site, name="mlops_ws_*")] == []

    world.step("Cached at the site, the version stays a day; then evict_caches removes it, and says why each time")
    world.run("cache_dataset", {**COPY, "version": version["dataset_version"]["id"]})
    called = f"tyre_images {version['dataset_version']['id']} at remote"
    kept = world.api.xcom("evict_caches", world.run("evict_caches"), EVICT)
    assert (kept["removed"], list(kept["kept"])) == ({}, [called]) and "last used" in kept["kept"][called], kept
    evicted = world.api.xcom("evict_caches", world.run("evict_caches", {"days": 0}), EVICT)
    assert (list(evicted["removed"]), evicted["kept"]) == ([called], {}) and evicted["freed_bytes"] > 0, evicted
    assert "unused for" in evicted["removed"][called]
    for client in clusters:
        assert [v.name for v in volumes.list_volumes(client, name="mlops_cache_*")] == []

    world.step("A planned fail over opens the site; done again, it changes nothing")
    world.run("fail_over", {**COPY, "direction": "to_site"})
    assert contents(at_site) == contents(at_home)
    (at_site / "data" / "good" / "of the site.txt").write_bytes(b"written at the site")
    assert s3.find_bucket(site, svm=SITE[0], name="tyre-images") is not None
    again = world.run("fail_over", {**COPY, "direction": "to_site"})
    assert world.states("fail_over", again)["break_off"] == "skipped"

    world.step("Back at home is what was written at the site, and the mirror goes on")
    world.run("fail_over", {**COPY, "direction": "back"})
    assert (at_home / "data" / "good" / "of the site.txt").read_bytes() == b"written at the site"
    assert contents(at_site) == contents(at_home)
    assert volumes.get(site, svm=SITE[0], name=SITE[1]).is_read_only
    forward = mirrors.get(site, svm=SITE[0], volume=SITE[1])
    assert (forward.state, forward.healthy) == ("snapmirrored", True)
    assert mirrors.find(home, svm=HOME[0], volume=HOME[1]) is None
    (at_home / "data" / "good" / "of the site.txt").unlink()
    world.run("replicate", COPY)
    assert contents(at_site) == contents(at_home)

    world.step("A file that somebody lost comes back with the version; how the data was stays as a snapshot")
    before = contents(at_home)
    next(path for path in sorted((at_home / "data" / "good").iterdir()) if path.is_file()).unlink()
    asked = {"dataset": "tyre_images", "version": version["dataset_version"]["id"], "dry_run": False}
    restored = world.api.xcom("restore_dataset", world.run("restore_dataset", asked), "restore")
    assert contents(at_home) == before
    assert restored["safety"] in world.snapshots("tyre_images")


def named(summary: dict[str, Any]) -> dict[str, str]:
    return {"dataset_version": summary["dataset_version"]["id"]}


def versions(names: list[str]) -> set[str]:
    """Of the snapshots those that are dataset versions; SnapMirror keeps some of its own at the source."""
    return {name for name in names if name.startswith("mlops_v")}


def snapshots(client: Client, svm: str, volume: str) -> list[str]:
    from ontap_mlops.ontap import snapshots as known

    return [s.name for s in known.list_snapshots(client, volume_uuid=volumes.get(client, svm=svm, name=volume).uuid)]
