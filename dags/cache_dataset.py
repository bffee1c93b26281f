"""
# Cache a dataset version at another site

**What.** Brings one dataset version near to the compute of a site of `config/sites.yaml`: a FlexCache there, of a clone
of the version at home, so that it is this version for ever, whatever is written to the dataset. Everybody at the site
reads it without another download. The folders named are copied ahead of use; the rest comes as it is read.

**When it runs.** When triggered. A version that is cached already is used again; its time of last use is set.

**What it needs.** The connections of the dataset (`ontap_default` where none is named) and of the site. To make the two
SVMs peers for `flexcache`, both logins must be a cluster administrator's; where they are already, accounts of the SVMs
will do. Room within the site's `cache_bytes`: without it the version is refused, with the names of the caches that
could be removed first. To measure, a place whose programs see the site's volumes.

**What it leaves behind.** The cache `mlops_cache_<version id>`, mounted at that name at the site; at home a clone of
that name, which takes no space and keeps the version's snapshot. `evict_caches` removes both once nobody has used the
cache for `cache_keep_unused_days`.

**If it fails.** The sentence names both ends and what is missing; nothing half made stays. Clear the failed task: it
goes on from what it finds, and joins a copying that still runs.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param, task

from ontap_mlops import locations, registry, sites
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.dataset_caches import DatasetCacheEnsureOperator
from ontap_mlops.operators.peers import OntapSvmPeerEnsureOperator
from ontap_mlops.operators.workload import WorkloadOperator

SITES, DATASETS = sorted(sites.usable()), sorted(registry.usable())


@task.short_circuit
def asked_to_measure(params: dict[str, object] | None = None) -> bool:
    """Goes on to `measure` where the form names a place for it."""
    return bool((params or {}).get("measure_at"))


if SITES and DATASETS:
    with DAG(
        dag_id="cache_dataset",
        description="One dataset version, cached near to the compute of another site",
        doc_md=__doc__,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        default_args={"retries": RETRIES},
        tags=["storage"],
        params={
            "dataset": Param(type="string", enum=DATASETS, title="Dataset"),
            "site": Param(SITES[0], type="string", enum=SITES, title="Site", description="Where it is cached."),
            "version": Param(
                None,
                type=["null", "string"],
                title="Dataset version",
                description="Its id (python -m scripts.versions lists them); empty for the newest.",
            ),
            "as_of": Param(
                None,
                type=["null", "string"],
                title="As of",
                description="In place of a version: the one that was current then, like 2026-11-20.",
            ),
            "prepopulate": Param(
                ["/"],
                type=["null", "array"],
                items={"type": "string"},
                title="Folders to copy ahead of use",
                description="One a line, / for all; empty: files come as they are read.",
            ),
            "measure_at": Param(
                None,
                type=["null", "string"],
                title="Measure at",
                description="Place of compute.yaml that sees the site's volumes: it reads a sample twice and says how "
                "warm the cache is. Empty: nothing is measured.",
            ),
        },
    ):
        peer = OntapSvmPeerEnsureOperator(
            task_id="peer",
            ontap_conn_id=locations.of_site("ontap_conn_id"),
            source_conn_id=locations.of_dataset("ontap_conn_id"),
            svm=locations.of_site("svm"),
            source_svm=locations.of_dataset("svm"),
            applications=["flexcache"],
        )
        ensure = DatasetCacheEnsureOperator(
            task_id="cache",
            home_svm=peer.output,
            dataset="{{ params.dataset }}",
            site="{{ params.site }}",
            version="{{ params.version or '' }}",
            as_of="{{ params.as_of or '' }}",
            prepopulate="{{ (params.prepopulate or []) | join('\n') }}",
            hold=False,
        )
        measure = WorkloadOperator(
            task_id="measure",
            program="tasks.data.warmth",
            arguments=["--folder={cache}"],
            mounts={"cache": ensure.output},
            compute="{{ params.measure_at }}",
        )
        peer >> ensure >> asked_to_measure() >> measure
