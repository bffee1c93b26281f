from ontap_mlops.ontap import caches, marks
from ontap_mlops.operators.caches import (
    OntapCacheDeleteOperator,
    OntapCacheEnsureOperator,
    OntapCacheMountOperator,
    OntapCachePrepopulateOperator,
)
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import SVM, Scenario, Site

MB = 1024**2
THERE = {"task_id": "t", "ontap_conn_id": "ontap_remote", "svm": "svm2", "cache": "tyre_near"}


def ensure(site: Site) -> OntapCacheEnsureOperator:
    return OntapCacheEnsureOperator(**THERE, origin_volume="tyre", origin_svm=SVM, size_bytes=50 * MB)


def made(site: Site) -> None:
    tyre(site)
    site.run(ensure(site))


def unmounted(site: Site) -> None:
    tyre(site)
    facts = {"origin_svm": SVM, "origin_volume": "tyre", "comment": marks.mark("tyre_near"), "size_bytes": 50 * MB}
    with site.there.client() as client:
        caches.ensure(client, svm="svm2", name="tyre_near", **facts)


SCENARIOS = [
    Scenario(operator="OntapCacheEnsureOperator", clusters=2, prepare=tyre, make=ensure),
    Scenario(
        operator="OntapCachePrepopulateOperator",
        clusters=2,
        prepare=made,
        make=lambda site: OntapCachePrepopulateOperator(**THERE, poll_interval_s=0.1),
    ),
    Scenario(
        operator="OntapCacheMountOperator",
        clusters=2,
        prepare=unmounted,
        make=lambda site: OntapCacheMountOperator(**THERE),
    ),
    Scenario(
        operator="OntapCacheDeleteOperator",
        clusters=2,
        prepare=made,
        make=lambda site: OntapCacheDeleteOperator(**THERE),
    ),
]
