"""
# Data subject search

**What.** Finds where the data of one person is, for the right to be forgotten: `collect` lists every dataset version
and model, `search` reads the versions through their snapshots. The report names versions, files and lines, the models
that were trained on them and the indexes made of them, what has to be remade or removed, and what is locked until when.
**It removes nothing.** A content that is the same in many versions is read once.

**When it runs.** When triggered.

**What it needs.** Connections `ontap_default` (and those of the datasets) and `mlflow_default`; the volumes mounted at
the place of *Compute*. *Identifiers* are masked in logs, but Airflow keeps what a run was started with in its database
and shows it on the run's page: where that must not be, put them into the password of a connection, one a line, which is
encrypted and never shown, name it, and remove it afterwards.

**What it leaves behind.** On the volume `governance`, `data_subject/<run key>.html` and `.json`, which name identifiers
by number and kind only.

**If it fails.** The log of `search` says what is missing. What could not be searched, such as pictures and recordings,
fails nothing: the report begins with it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from ontap_mlops import names
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.data_subjects import DataSubjectCollectOperator, DataSubjectSearchOperator
from ontap_mlops.operators.places import places_param
from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator

VOLUME = "governance"

with DAG(
    dag_id="data_subject_search",
    description="Where the data of one person is: versions, files, models and indexes, and what has to be remade",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    default_args={"retries": RETRIES},
    tags=["governance"],
    params={
        "identifiers": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Identifiers",
            description="Name, e-mail address, telephone number, customer number; one a line. Airflow keeps them with "
            "the run.",
        ),
        "identifiers_conn_id": Param(
            None,
            type=["null", "string"],
            title="Connection with identifiers",
            description="Whose password has them, one a line: encrypted, and not kept with the run.",
        ),
        "datasets": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Datasets",
            description="Names in datasets.yaml. Empty: all.",
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
    collect = DataSubjectCollectOperator(task_id="collect", datasets="{{ params.datasets | join(',') }}")
    search = DataSubjectSearchOperator(
        task_id="search",
        facts="collect",
        target=volume.output,
        compute="{{ params.compute }}",
        time_limit=timedelta(hours=12),
    )
    [volume, collect] >> search
