"""
# Remove cached dataset versions that nobody uses

**What.** Looks at each site of `config/sites.yaml` and removes the cached dataset versions that have been unused for
longer than the site's `cache_keep_unused_days`. The log, and what the task returns, says of each cache why it went or
why it stays, and how much of the site's space is left.

**When it runs.** Every day, and when triggered; then the days can be others, 0 for all that nobody uses now. *Dry run*
only says what would be done. *Release a version* removes that one from every site, and fails, naming the run, where it
is in use.

**What it needs.** The connections of the sites and of the datasets cached there.

**What it leaves behind.** Caches that a run holds, that were used lately, or of which it cannot tell: in doubt a cache
stays. A run that ended without releasing its cache is noticed, and counts as a use until now. With the last cache of a
version its clone at home goes, so that the version's snapshot can expire.

**If it fails.** A site or a home did not answer; the other sites are done all the same. Clear the task.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param

from ontap_mlops import sites
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.dataset_caches import DatasetCacheEvictOperator

SITES = sorted(sites.usable())

if SITES:
    with DAG(
        dag_id="evict_caches",
        description="Cached dataset versions that nobody uses make room for others",
        doc_md=__doc__,
        schedule="@daily",
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        default_args={"retries": RETRIES},
        tags=["storage"],
        params={
            "days": Param(
                None,
                type=["null", "number"],
                minimum=0,
                title="Days unused",
                description="After which a cache goes; empty: as each site's cache_keep_unused_days says.",
            ),
            "version": Param(
                None,
                type=["null", "string"],
                title="Release a version",
                description="Id of one dataset version to remove from the caches now, however lately it was used. It "
                "is refused while a run uses it. Empty: all that are unused.",
            ),
            "dry_run": Param(False, type="boolean", title="Dry run", description="Only say what would be done."),
        },
    ):
        for site in SITES:
            DatasetCacheEvictOperator(
                task_id=f"evict_at_{site}",
                site=site,
                days="{{ '' if params.days is none else params.days }}",
                dry="{{ params.dry_run }}",
                version="{{ params.version or '' }}",
            )
