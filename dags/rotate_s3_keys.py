"""
# Rotate S3 keys

**What.** Makes new keys for the S3 user that programs and tasks read the data with, on each SVM that has datasets, and
puts them where the old ones are: into the secret store and into every Airflow connection that uses an old key. The old
keys work on for a while, so that what runs now goes on, and are then deleted. The keys of another site, which
`replicate` has made, are rotated when *Where* names that site.

**When it runs.** When triggered. For a weekly look that rotates only what ends soon, give it a schedule of your own and
set *Only when they end within*.

**What it needs.** The ONTAP connections of the datasets with rights on S3 users; the secret store that the option
`secret_store` of `[ontap_mlops]` names; `airflow_api` for the connections that follow. No secret is in a log, an error
or an XCom.

**What it leaves behind.** One pair of keys per SVM, in the store and in the connections. Connections that an
environment variable or a secrets backend defines cannot follow: change them before the old keys go.

**If it fails.** The key in the store works at every moment; clear the failed task and it makes another pair and goes
on. Old keys that were not deleted go with the next run.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, Param, task

from ontap_mlops import registry, sites
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.s3_keys import OntapS3UserKeysRetireOperator, OntapS3UserKeysRotateOperator

EVERY = "every SVM with datasets"
HOMES = {f"{svm or 'its own SVM'} of {conn_id}": (conn_id, svm) for conn_id, svm in registry.homes()}
SITES = {f"site {name}": (site.ontap_conn_id, site.svm) for name, site in sites.usable().items()}


@task(task_display_name="Where to rotate", retries=RETRIES)
def systems(where: str) -> list[dict[str, Any]]:
    """The SVMs that the form means, each with the place of its keys."""
    chosen = HOMES.values() if where == EVERY else [(HOMES | SITES)[where]]
    return [
        {"ontap_conn_id": conn_id, "svm": svm, "secret_suffix": registry.keys_suffix(conn_id, svm)}
        for conn_id, svm in chosen
    ]


with DAG(
    dag_id="rotate_s3_keys",
    description="New S3 keys in the store and in every connection, then the old ones go",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=1,
    default_args={"retries": RETRIES},
    tags=["provision"],
    params={
        "where": Param(EVERY, type="string", enum=[EVERY, *HOMES, *SITES], title="Where"),
        "s3_user": Param("mlops", type="string", minLength=1, title="S3 user"),
        "ttl_days": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Days the new keys live",
            description="They end by themselves after that. Empty: never.",
        ),
        "ending_within_days": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Only when they end within, days",
            description="Keys that live longer stay. Empty: rotate now.",
        ),
        "old_keys_stay_hours": Param(
            24,
            type="integer",
            minimum=0,
            title="Old keys work on for, hours",
            description="Longer than your longest training, which has been given the old ones.",
        ),
    },
):
    where = systems("{{ params.where }}")
    # One after the other: two places may turn out to be the same SVM.
    rotate = OntapS3UserKeysRotateOperator.partial(
        task_id="rotate",
        map_index_template="{{ task.ontap_conn_id }} {{ task.svm }}",
        max_active_tis_per_dagrun=1,
        user="{{ params.s3_user }}",
        ttl_days="{{ params.ttl_days or '' }}",
        ending_within_days="{{ params.ending_within_days or '' }}",
    ).expand_kwargs(where)
    retire = OntapS3UserKeysRetireOperator.partial(
        task_id="retire",
        map_index_template="{{ task.ontap_conn_id }} {{ task.svm }}",
        user="{{ params.s3_user }}",
        grace_hours="{{ params.old_keys_stay_hours }}",
    ).expand_kwargs(where)
    rotate >> retire
