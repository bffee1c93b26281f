"""What edge servers were asked comes home by each site's way, becomes a dataset version, and only then goes there."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from ontap_mlops import names
from ontap_mlops.ontap import cluster, dataset_versions, volumes
from ontap_mlops.operators import edge_inputs
from ontap_mlops.records import DatasetVersion
from services.edge.archive import Archive
from tasks.data import check, sync
from tests.inference_server.edge_world import QUICK, EdgeWorld, Play
from tests.lake import Lake
from tests.ontap_mlops.conftest import GIB, MARK, SVM, there  # noqa: F401
from tests.until import until

DATASET = "edge_inputs"
SOURCE = f"s3://lake/{DATASET}/"


class Home(Play):
    """A run of edge_inputs, task by task, by the rules that the DAG gives its tasks."""

    def run(self) -> None:
        asked = {"model": self.world.model, "dataset": DATASET}
        if not self.step(edge_inputs.EdgeInputsSitesOperator(task_id="sites", **asked)):
            return
        for index, item in enumerate(self.result("sites")):
            bring = edge_inputs.EdgeInputsBringOperator(task_id="gathering.bring", site=item, **QUICK)
            gather = edge_inputs.EdgeInputsGatherOperator(task_id="gathering.gather", site=item)
            _ = self.step(bring, index) and self.program(gather, index)
        gathered = edge_inputs.EdgeInputsGatheredOperator(task_id="gathered", gather="gathering.gather")
        if self.step(gathered) and self.kept("ingest", -1, self.params.get("ingest") or self.ingest):
            self.step(edge_inputs.EdgeInputsVersionOperator(task_id="version", dataset=DATASET))
            for index, item in enumerate(self.result("gathered")):
                held = edge_inputs.EdgeInputsHeldOperator(task_id="clearing.held", site=item)
                clear = edge_inputs.EdgeInputsClearOperator(task_id="clearing.clear", site=item, held=held.task_id)
                _ = self.program(held, index) and self.program(clear, index)
        told = {"first": ("gathering.bring", "gathering.gather"), "second": ("clearing.held", "clearing.clear")}
        self.step(edge_inputs.EdgeInputsEndOperator(task_id="end", **told))

    def ingest(self) -> Any:
        """What ingest_edge_inputs does."""
        world = self.world
        where = {"svm": SVM, "name": DATASET, "junction_path": f"/{DATASET}", "unix_permissions": "777"}
        volumes.ensure(world.client, size_bytes=GIB, comment=MARK, **where)
        folder = world.here.emulator.namespace / DATASET
        sync.sync(sync.parse([f"--source={SOURCE}", f"--destination={folder}/data", "--delete"]))
        found = check.check(check.parse([f"--volume={folder}", f"--source={SOURCE}"]))
        facts = {"svm": SVM, "volume": DATASET, "dataset": DATASET, "source": SOURCE}
        # ONTAP's clock tells seconds: two versions of one second have no order.
        until(lambda: all(dataset_versions.when(each) < self.now() for each in self.versions()), "no second goes by")
        facts["run_key"] = names.run_key("ingest_edge_inputs", str(world.runs), self.at)
        counts = {"digest": found["digest"], "files": found["files"], "size": found["bytes"]}
        return dataset_versions.freeze(world.client, **facts, **counts)[0].to_json()

    def versions(self) -> list[DatasetVersion]:
        return dataset_versions.list_versions(self.world.client, svm=SVM, volume=DATASET, dataset=DATASET)

    def now(self) -> datetime:
        return cluster.now(self.world.client).replace(microsecond=0)


class Inputs:
    """An EdgeWorld whose sites serve a model, each with a front that archives."""

    def __init__(self, world: EdgeWorld, lake: Lake, tmp_path: Path) -> None:
        entry = {"source": SOURCE, "volume": DATASET, "size": "100MB"}
        (tmp_path / "datasets.yaml").write_text(yaml.safe_dump({"datasets": {DATASET: entry}}))
        self.world, self.lake = world, lake
        world.publish(1)
        assert world.roll_out().failures == {}

    def bring(self, **params: Any) -> Home:
        self.world.runs += 1
        play = Home(self.world, params)
        play.run()
        return play

    def at(self, site: str) -> Path:
        return self.world.there.emulator.namespace / names.edge_inputs_volume(self.world.model, site)

    def asked(self, site: str, *requests: str) -> None:
        """The site's front archives these, and closes its batch."""
        front = Archive(self.at(site), site=site, model=self.world.model, most=GIB)
        for request in requests:
            facts = {"at": "2026-11-27T21:00:00.000+00:00", "version": "1", "outputs": []}
            assert front.keep(request, f"picture {site} {request}".encode(), "png.bin", facts)
        front.close()

    def waiting(self, site: str) -> list[str]:
        return sorted(path.name for path in (self.at(site) / "closed").glob("*"))

    def version(self) -> dict[str, str]:
        """Digests by path in the newest version, as its manifest says."""
        with self.world.here.client() as client:
            newest = dataset_versions.list_versions(client, svm=SVM, volume=DATASET, dataset=DATASET)[-1]
        folder = self.world.here.emulator.namespace / DATASET / ".snapshot" / newest.snapshot
        return {e["path"]: e["sha256"] for e in json.loads((folder / ".mlops" / "manifest.json").read_text())["files"]}

    def pictures(self) -> list[str]:
        """site/request of each picture in the newest version."""
        parts = [path.split("/") for path in self.version() if path.endswith(".png.bin")]
        return sorted(f"{site}/{file.removesuffix('.png.bin')}" for _, site, _, file in parts)


@pytest.fixture
def inputs(ontap, there, tmp_path, monkeypatch, mlflow_connection):  # noqa: F811
    (tmp_path / "lake" / "lake").mkdir(parents=True)
    lake = Lake(tmp_path / "lake")
    lake.start()
    for name, value in lake.environment.items():
        monkeypatch.setenv(name, value)
    worlds = []

    def made(count: int, **more: Any) -> Inputs:
        worlds.append(EdgeWorld(ontap, there, tmp_path, monkeypatch, count, **more))
        return Inputs(worlds[-1], lake, tmp_path)

    yield made
    for each in worlds:
        each.close()
    lake.stop()


def test_inputs_of_sites_of_all_three_ways_become_a_version_with_site_and_time_and_then_go_there(inputs):
    sites = inputs(3)
    first = sites.bring()
    assert set(first.failures) == {"gathered"} and "No site has closed a batch" in first.failures["gathered"]
    sites.asked("edge_0", "one", "two")
    sites.asked("edge_1", "three")
    sites.asked("edge_2", "four")
    sites.asked("edge_2", "five")
    play = sites.bring()
    assert play.failures == {} and play.result("end") == {"inputs": 5, "sites": 3, "away": []}
    assert sites.pictures() == ["edge_0/one", "edge_0/two", "edge_1/three", "edge_2/five", "edge_2/four"]
    rows = [path for path in sites.version() if path.startswith(f"{sites.world.model}/edge_0/") and "jsonl" in path]
    kept = sites.world.here.emulator.namespace / DATASET / "data" / rows[0]
    assert [json.loads(line)["at"][:10] for line in kept.read_text().splitlines()] == ["2026-11-27"] * 2
    assert [sites.waiting(site) for site in sites.world.sites] == [[], [], []]

    sites.asked("edge_1", "six")
    assert sites.bring().failures == {}
    assert len(sites.pictures()) == 6, "what came before stays, and comes once"


def test_until_a_version_has_them_batches_stay_and_then_come_once(inputs):
    sites = inputs(3)
    sites.bring()
    for site in sites.world.sites:
        sites.asked(site, "one")

    def failed() -> None:
        raise RuntimeError("the check found personal data")

    play = sites.bring(ingest=failed)
    assert "edge_0: it came to no end" in play.failures["end"]
    assert [len(sites.waiting(site)) for site in sites.world.sites] == [1, 1, 1]

    def half() -> Any:
        """A version without one of the pictures, as when somebody cleans up in the lake."""
        key = next(name for name in sites.lake.contents(DATASET) if "edge_1" in name and name.endswith(".bin"))
        sites.lake.client.delete_object(Bucket="lake", Key=f"{DATASET}/{key}")
        return play.ingest()

    again = sites.bring(ingest=half)
    assert "edge_1" in again.failures["end"] and "stays at the site" in again.failures["end"]
    assert [len(sites.waiting(site)) for site in sites.world.sites] == [0, 1, 0]


def test_a_site_that_is_down_is_caught_up_by_the_next_run_and_a_spoilt_batch_stays_alone(inputs):
    sites = inputs(3, ways=["sync"])
    sites.bring()
    sites.asked("edge_0", "one")
    sites.asked("edge_1", "two")
    sites.asked("edge_1", "three")
    spoilt = sites.at("edge_1") / "closed" / sites.waiting("edge_1")[0]
    next(spoilt.glob("*.bin")).write_bytes(b"something else")
    sites.asked("edge_2", "four")
    sites.world.there.fault("GET", "inputs_at_edge_2", "refuse", times=1000)
    play = sites.bring()
    sites.world.there.control("DELETE", "/faults")
    assert set(play.failures) == {"gathering.bring.2", "end"}, "the site that is down is left for later"
    assert spoilt.name in play.failures["end"] and "not what its own list says" in play.failures["end"]
    assert "edge_2" not in play.failures["end"]
    assert sites.waiting("edge_1") == [spoilt.name] and sites.waiting("edge_0") == []
    assert len(sites.pictures()) == 2 and sites.pictures()[0] == "edge_0/one"

    spoilt.rename(sites.at("edge_1") / "mended-later")
    after = sites.bring()
    assert after.failures == {} and after.result("end") == {"inputs": 1, "sites": 3, "away": []}
    assert "edge_2/four" in sites.pictures() and sites.waiting("edge_2") == []
