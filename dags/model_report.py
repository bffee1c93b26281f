"""
# Model report

**What.** Tells what a model version was made of, for whoever answers for it: `collect` asks MLflow, ONTAP and Airflow,
`report` checks the digests in the snapshots and writes one page that stands alone, and the same as JSON. Each statement
has where it can be checked, and whether it was checked just now.

**When it runs.** When triggered.

**What it needs.** Connections `mlflow_default` and `ontap_default`; `airflow_api` to tell who triggered and approved
the training. What a service does not tell is in the report as not known. The volumes of data and model mounted at the
place of *Compute*.

**What it leaves behind.** On the volume `governance`, `<model>/<version>/<run key>.html` and `.json`. Nothing else is
changed.

**If it fails.** `report` fails when a statement does not hold, such as a snapshot that is gone or a digest that
differs: the report is written all the same, and its red lines say which. The log of `collect` says which version is not
there.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from ontap_mlops import names
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.governance_program import GovernanceProgramOperator
from ontap_mlops.operators.model_reports import ModelReportCollectOperator
from ontap_mlops.operators.places import places_param
from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator

VOLUME = "governance"

with DAG(
    dag_id="model_report",
    description="What a model version was made of, each statement with where it can be checked",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    default_args={"retries": RETRIES},
    tags=["governance"],
    params={
        "model": Param("tyre", type="string", title="Model", description="Its name in the registry."),
        "version": Param(
            None, type=["null", "integer"], minimum=1, title="Version", description="Empty: the one that serves."
        ),
        "recompute": Param(
            False,
            type="boolean",
            title="Read all data again",
            description="Recompute the digest of the dataset version from its files, not by its manifest.",
        ),
        "compute": places_param(title="Compute"),
    },
):
    volume = OntapVolumeEnsureOperator(
        task_id="volume",
        volume=VOLUME,
        size_bytes=1024**3,
        junction_path=names.junction_path(VOLUME),
        unix_permissions="777",
        comment="ontap-mlops governance reports",
    )
    collect = ModelReportCollectOperator(
        task_id="collect", model="{{ params.model }}", version="{{ params.version or '' }}"
    )
    report = GovernanceProgramOperator(
        task_id="report",
        program="tasks.governance.report",
        facts="collect",
        target=volume.output,
        arguments=["{{ '--recompute' if params.recompute else '' }}"],
        compute="{{ params.compute }}",
        time_limit=timedelta(hours=6),
    )
    [volume, collect] >> report
