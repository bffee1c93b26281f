"""A training run reads its version from a cache beside its compute, or from the source, and says which and why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from running import Run

from ontap_mlops.hooks.mlflow import MlflowHook
from ontap_mlops.ontap import caches
from ontap_mlops.ontap.errors import OntapTemporaryError
from ontap_mlops.operators.program import ProgramOperator
from ontap_mlops.operators.run_cache import RunCacheOperator, RunCacheReleaseOperator, RunReadsOperator, site_of
from ontap_mlops.records import RunCache, Workspace
from tests.ontap_mlops.operators.run_context import VERSION, context, record
from tests.ontap_mlops.operators.two_sites import SITES, Two
from tests.serving import free_ports, mlflow_connection, mlflow_port

__all__ = ["mlflow_connection", "mlflow_port"]

ASKED: dict[str, Any] = {"dataset": "tyre", "cache_at": "west", "ontap_conn_id": None, "poll_interval_s": 0.1}


class Told(Run):
    """A run whose earlier tasks have returned something."""

    def __init__(self, run_id: str = "manual__1", **results: Any) -> None:
        super().__init__(run_id)
        self.results = results

    def context(self, task_id: str) -> dict[str, Any]:
        found = super().context(task_id)
        found["ti"].xcom_pull = lambda task_ids, key="return_value": self.results.get(task_ids)
        return found


def chosen(two: Two, run_id: str = "manual__1", content: str | None = None) -> Told:
    """A run on the newest version; with ``content`` on a new one."""
    from ontap_mlops.ontap import dataset_versions

    if content:
        two.version(content)
    version = dataset_versions.list_versions(two.home, svm="svm1", volume="tyre", dataset="tyre")[-1]
    return Told(run_id, choose=record(dataset_version=version, run_key=run_id).to_json())


def cache(run: Told, **other: Any) -> RunCache:
    run.results["cache"] = run.execute(RunCacheOperator, **{**ASKED, **other})
    return RunCache.from_json(run.results["cache"])


def test_the_second_run_brings_nothing_from_the_source(two: Two):
    content = "x" * 50_000
    first = cache(chosen(two, "one", content))
    second = cache(chosen(two, "two"))
    assert first.site == second.site == "west" and first.cache and second.cache
    assert first.filled_bytes >= len(content) and (second.filled_bytes, second.fill_seconds) == (0, 0.0)
    assert two.read(second.cache.volume) == content


def test_programs_read_the_cache_and_write_into_the_workspace(two: Two):
    run = chosen(two, content="first")
    assert cache(run).cache
    space = Workspace(
        run_key="r1",
        svm="svm1",
        volume="mlops_ws_r1",
        volume_uuid="w",
        junction_path="/mlops_ws_r1",
        bucket="",
        dataset_version=VERSION,
    )
    results = {**run.results, "create_workspace": space.to_json()}

    def workload() -> Any:
        operator = ProgramOperator(
            task_id="train", program="p", volumes={"workspace": ""}, cached="cache", mlflow_conn_id=None
        )
        return operator.workload(context(results))

    made = workload()
    assert made.run["data"] == "{cache}/data" and made.run["folders"]["workspace"] == "{workspace}"
    assert (made.mounts["cache"].svm, made.mounts["cache"].read_only) == ("svm2", True)
    results["cache"] = RunCache(reason="none").to_json()
    made = workload()
    assert made.run["data"] == "{workspace}/data" and "cache" not in made.mounts


@pytest.mark.parametrize(
    ("asked", "site", "why"),
    [
        ({"cache_at": "compute", "compute": ["gpu", "cloud"]}, "west", ""),
        ({"cache_at": "compute", "compute": ["cloud", "gpu"]}, "", "Place cloud is at no site"),
        ({"cache_at": "source", "compute": ["gpu"]}, "", "was asked to read the source"),
        ({"cache_at": "west", "compute": ["cloud"]}, "west", ""),
    ],
)
def test_the_site_is_that_of_the_first_place(two: Two, tmp_path: Any, asked: dict[str, Any], site: str, why: str):
    (tmp_path / "sites.yaml").write_text(f"{SITES}    places: [gpu]\n")
    found = site_of(record(), **asked)
    assert found[0] == site and why in found[1]
    assert site_of(record(site="west"), **asked) == ("", "The run reads the mirror at site west.")


def test_a_site_that_is_down_is_tried_again_and_then_fails_nothing(
    two: Two, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    run = chosen(two, content="first")
    away = {**json.loads(two.there.connection()), "port": free_ports(1)[0]}
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_REMOTE", json.dumps(away))
    for kind in (RunCacheOperator, RunCacheReleaseOperator):
        with pytest.raises(OntapTemporaryError):
            run.execute(kind, dataset="tyre", cache_at="west", ontap_conn_id=None)
    run.try_number = run.max_tries + 1
    used = cache(run)
    assert used.cache is None and used.site == "" and used.reason.startswith("Site west has no cache for this run. ")
    assert "The source is read." in capsys.readouterr().out
    with pytest.raises(AirflowSkipException, match="The lease at site west stays until evict_caches finds"):
        run.execute(RunCacheReleaseOperator, dataset="tyre", cache_at="west", ontap_conn_id=None)


def test_a_site_without_room_is_passed_over_and_nothing_is_left_there(two: Two):
    used = cache(chosen(two, content="first"), size_bytes=10**9)
    assert used.cache is None and "was not cached at site west" in used.reason and "cache_bytes" in used.reason
    assert two.cached() == [] and two.clones() == []


def test_a_lease_ends_with_the_run(two: Two):
    run = chosen(two, content="first")
    used = cache(run)
    assert used.cache
    held = run.execute(RunCacheReleaseOperator, dataset="tyre", cache_at="west", ontap_conn_id=None)
    assert held == [used.cache.volume] and two.cached(), "the cache stays for the next run"
    assert run.execute(RunCacheReleaseOperator, dataset="tyre", cache_at="source", ontap_conn_id=None) == []


def reads(run: Told, mlflow_run_id: str, **trained: Any) -> dict[str, Any]:
    run.results["train"] = {"mlflow_run_id": mlflow_run_id, "data_bytes": 700, "data_seconds": 1.5, **trained}
    return run.execute(RunReadsOperator)


def test_bytes_from_the_source_are_those_that_ontap_counts_and_the_run_before_is_beside(
    two: Two, mlflow_connection: str
):
    first = chosen(two, "one", "y" * 9_000)
    used = cache(first)
    assert used.cache
    told = reads(first, tracked(first))
    assert told["source_bytes"] == used.filled_bytes and told["before"] is None
    second = chosen(two, "two")
    blocks = {"client_requested_blocks": 9, "cache_miss_blocks": 4}
    two.there.control("PUT", f"/caches/{used.cache.volume_uuid}/reads", blocks)
    assert cache(second).missed_blocks == 4
    two.there.control("PUT", f"/caches/{used.cache.volume_uuid}/reads", {**blocks, "cache_miss_blocks": 6})
    told = reads(second, tracked(second), data_seconds=0.25)
    assert told["source_bytes"] == 2 * 4096, "what clients asked for in vain since it was filled"
    assert told["before"] == {
        "run_key": "one",
        "source_bytes": used.filled_bytes,
        "fill_seconds": used.fill_seconds,
        "data_seconds": 1.5,
    }
    assert told["said"].startswith("Data: from the cache at site west; 8,192 bytes from the source")
    assert "Run one before it: " in told["said"]
    third = chosen(two, "three")
    cache(third, cache_at="source")
    told = reads(third, tracked(third))
    assert (told["source_bytes"], told["before"]) == (700, None), "a run of the source is compared with its like"
    assert told["said"].endswith("The run was asked to read the source.")


def tracked(run: Told) -> str:
    """An MLflow run with the tags that programs give theirs."""
    service, facts = MlflowHook().service, run.results["choose"]
    tags = {"run_key": facts["run_key"], "dataset_version": facts["dataset_version"]["id"]}
    body = {"experiment_id": "0", "tags": [{"key": key, "value": value} for key, value in tags.items()]}
    return service.part("POST", "runs/create", "make a run", "run", json=body)["info"]["run_id"]


def test_a_cache_in_use_is_not_evicted(two: Two):
    from ontap_mlops.operators.dataset_caches import DatasetCacheEvictOperator

    run = chosen(two, content="first")
    used = cache(run)
    assert used.cache
    evict = Run("evict", "evict_caches")
    done = evict.execute(DatasetCacheEvictOperator, site="west", days=0)
    assert done["removed"] == {} and "manual__1" in next(iter(done["kept"].values()))
    assert len(two.cached()) == 1 and caches.find(two.site, svm="svm2", name=used.cache.volume)
    version = used.cache.dataset_version.id
    with pytest.raises(ValueError, match=rf"The cache of tyre {version} at west was not released: in use: .*manual__1"):
        evict.execute(DatasetCacheEvictOperator, site="west", version=version)
    run.execute(RunCacheReleaseOperator, dataset="tyre", cache_at="west", ontap_conn_id=None)
    assert evict.execute(DatasetCacheEvictOperator, site="west", version="v0")["removed"] == {}
    released = evict.execute(DatasetCacheEvictOperator, site="west", version=version)
    assert list(released["removed"]) == [f"tyre {version} at west"] and two.cached() == []
