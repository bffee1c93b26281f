"""
# Workspace

**What.** A writable copy of one dataset version for a person: to look at the data, try something, or label it. It costs
no space until it is written to, changes nothing of the dataset, and is there within seconds. It is mounted in the
SVM's namespace and, if wanted, shown as an S3 bucket.

**When it runs.** When triggered: to make one, to let one end later or earlier, or to end one now. Each has a name; one
person may have several. To make one that is there already changes nothing but its end.

**What it needs.** A version of the dataset, and its ONTAP connection. A bucket needs the S3 server that
`provision_ontap` makes.

**What it leaves behind.** The workspace, until its time is over; then it is removed **with all that is in it**, by this
DAG's next run or by the ingest of any dataset on that SVM. A version stays as long as a workspace is on it.

**If it fails.** The sentence says what to enter instead. A workspace on another version is never replaced: end it, or
choose another name.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param

from ontap_mlops import registry
from ontap_mlops.operators.personal_workspaces import ACTIONS, PersonalWorkspaceOperator

with DAG(
    dag_id="workspace",
    description="A copy of a dataset version for a person, for some days",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    tags=["storage"],
    params={
        "what": Param("make", type="string", enum=list(ACTIONS), values_display=ACTIONS, title="What to do"),
        "dataset": Param(type="string", enum=sorted(registry.usable()), title="Dataset"),
        "name": Param(
            "scratch",
            type="string",
            pattern="^[a-z0-9]+(_[a-z0-9]+)*$",
            maxLength=30,
            title="Name",
            description="Of the workspace: a-z, 0-9 and _.",
        ),
        "person": Param(
            None, type=["null", "string"], title="For whom", description="A login; empty: who triggers the run."
        ),
        "days": Param(
            7, type="number", exclusiveMinimum=0, title="Days", description="From now on; then it is removed."
        ),
        "version": Param(
            None, type=["null", "string"], title="Version", description="Empty: the newest.", section="Make one"
        ),
        "path": Param(
            None,
            type=["null", "string"],
            title="Mount path",
            description="In the SVM's namespace, such as /ada; empty: after the volume.",
            section="Make one",
        ),
        "bucket": Param(False, type="boolean", title="S3 bucket", section="Make one"),
    },
):
    PersonalWorkspaceOperator(
        task_id="workspace",
        action="{{ params.what }}",
        dataset="{{ params.dataset }}",
        name="{{ params.name }}",
        person="{{ params.person or '' }}",
        days="{{ params.days }}",
        version="{{ params.version or '' }}",
        junction_path="{{ params.path or '' }}",
        with_bucket="{{ params.bucket }}",
    )
