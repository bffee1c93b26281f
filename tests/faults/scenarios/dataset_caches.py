from datetime import timedelta
from typing import Any

from ontap_mlops.ontap import cluster, dataset_caches, volumes
from ontap_mlops.operators.dataset_caches import (
    DatasetCacheEnsureOperator,
    DatasetCacheEvictOperator,
    DatasetCacheReleaseOperator,
)
from tests.faults.scenarios.versions import DATASET, version
from tests.faults.site import Scenario, Site

WEST = {"name": "west", "ontap_conn_id": "ontap_remote", "svm": "svm2", "cache_bytes": "1GB"}
WHICH = {"task_id": "t", "dataset": DATASET, "site": WEST}


def ensure(site: Site) -> DatasetCacheEnsureOperator:
    return DatasetCacheEnsureOperator(**WHICH, poll_interval_s=0.1)


def cached(site: Site) -> None:
    version(site)
    site.run(ensure(site))


def unused(site: Site, at: Any = WEST) -> None:
    """Cached and released, and said to be last used three days ago."""
    version(site)
    which = WHICH | {"site": at}
    site.run(DatasetCacheEnsureOperator(**which, poll_interval_s=0.1))
    site.run(DatasetCacheReleaseOperator(**which))
    with site.there.client() as client:
        (found,) = dataset_caches.list_cached(client, svm="svm2")
        comment = found.cache.comment.rpartition(" ")[0]
        then = (cluster.now(client) - timedelta(days=3)).isoformat(timespec="seconds")
        volumes.set_comment(client, volume=found.cache.volume, comment=f"{comment} {then}")


def evict(site: Site) -> DatasetCacheEvictOperator:
    return DatasetCacheEvictOperator(task_id="t", site=WEST)


SCENARIOS: list[Any] = [
    Scenario(operator="DatasetCacheEnsureOperator", clusters=2, prepare=version, make=ensure),
    Scenario(
        operator="DatasetCacheReleaseOperator",
        clusters=2,
        prepare=cached,
        make=lambda site: DatasetCacheReleaseOperator(**WHICH),
    ),
    Scenario(operator="DatasetCacheEvictOperator", clusters=2, prepare=unused, make=evict),
]
