"""A dataset at home and a site elsewhere that may cache its versions, on two emulators."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from ontap_mlops import settings
from ontap_mlops.ontap import cluster, dataset_caches, dataset_versions, volumes
from tests.ontap_mlops.conftest import GIB, MARK, Ontap

DATASETS = """datasets:
  tyre: {source: "s3://lake/tyre/", volume: tyre}
"""
SITES = """sites:
  west:
    ontap_conn_id: ontap_remote
    svm: svm2
    cache_bytes: 250MB
"""


class Two:
    """Here with the dataset `tyre`, there the site `west`; what they say and hold."""

    def __init__(self, pair: Any, here: Ontap, there: Ontap) -> None:
        self.pair, self.here, self.there = pair, here, there
        self.home, self.site, self.minutes = here.client(), there.client(), 0

    def version(self, content: str) -> Any:
        """Write a file and freeze a version, a minute after the last one."""
        self.minutes += 1
        self.here.control("PUT", "/clock", {"offset_s": 60 * self.minutes})
        (self.pair.here.namespace / "tyre" / "good" / "1").write_text(content)
        digest = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
        facts = {"svm": "svm1", "volume": "tyre", "dataset": "tyre", "source": "s", "files": 1, "size": len(content)}
        return dataset_versions.freeze(self.home, **facts, digest=digest, run_key=digest[7:30]).version

    def read(self, volume: str) -> str:
        return (self.pair.there.namespace / volume / "good" / "1").read_text()

    def cached(self) -> list[str]:
        return [each.version_id for each in dataset_caches.list_cached(self.site, svm="svm2")]

    def clones(self) -> list[str]:
        return [clone.name for clone in dataset_caches.origins(self.home, svm="svm1")]

    def unused_for(self, version_id: str, **span: float) -> None:
        cached = dataset_caches.find(self.site, svm="svm2", version_id=version_id)
        assert cached is not None
        then = cluster.now(self.site) - timedelta(**span)
        comment = dataset_caches._comment("tyre", version_id, "west", then)
        volumes.set_comment(self.site, volume=cached.cache.volume, comment=comment)


@pytest.fixture
def two(peered, monkeypatch: pytest.MonkeyPatch, tmp_path):
    (tmp_path / "datasets.yaml").write_text(DATASETS)
    (tmp_path / "sites.yaml").write_text(SITES)
    monkeypatch.setenv(settings.variable("config_dir"), str(tmp_path))
    with peered.here.client() as one, peered.there.client() as other:
        here, there = Ontap(peered.here, one), Ontap(peered.there, other)
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", here.connection())
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_REMOTE", there.connection())
        two = Two(peered, here, there)
        volumes.ensure(two.home, svm="svm1", name="tyre", size_bytes=GIB, comment=MARK, junction_path="/tyre")
        (peered.here.namespace / "tyre" / "good").mkdir()
        yield two
        here.control("PUT", "/clock", {"offset_s": 0})
        for client in here.clients + there.clients:
            client.close()
