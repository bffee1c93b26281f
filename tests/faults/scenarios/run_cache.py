from typing import Any

from ontap_mlops.operators.run_cache import RunCacheOperator, RunCacheReleaseOperator
from tests.faults.scenarios.dataset_caches import WEST
from tests.faults.scenarios.results import chosen
from tests.faults.scenarios.versions import DATASET
from tests.faults.site import SKIPPED, Scenario, Site

WHICH = {"task_id": "t", "dataset": DATASET, "ontap_conn_id": None, "cache_at": WEST}


def cache(site: Site) -> RunCacheOperator:
    return RunCacheOperator(**WHICH, poll_interval_s=0.1)


def cached(site: Site) -> None:
    chosen(site)
    site.run(cache(site))


def from_the_source(site: Site, result: Any) -> str | None:
    return result["reason"] or None


def left(site: Site, result: Any) -> str | None:
    return site.skipped if result == SKIPPED else None


SCENARIOS = [
    Scenario(operator="RunCacheOperator", clusters=2, prepare=chosen, make=cache, without=from_the_source),
    Scenario(
        operator="RunCacheReleaseOperator",
        clusters=2,
        prepare=cached,
        make=lambda site: RunCacheReleaseOperator(**WHICH),
        without=left,
    ),
]
