"""A frozen state of a volume, and a writable copy of it for one run, which is removed whatever happens to the run."""

from datetime import UTC, datetime

from airflow.sdk import DAG

from ontap_mlops.operators.clones import OntapCloneCreateOperator, OntapCloneDeleteOperator
from ontap_mlops.operators.snapshots import OntapSnapshotCreateOperator
from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator
from ontap_mlops.operators.workload import WorkloadOperator

RUN = "{{ dag_run.run_after | ts_nodash | lower }}"  # the same on every try of the run, so that a retry finds its own

with DAG("example_snapshot_and_clone", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["example"]):
    volume = OntapVolumeEnsureOperator(
        task_id="volume", volume="example", size_bytes=1024**3, junction_path="/example", comment="ontap-mlops example"
    )
    snapshot = OntapSnapshotCreateOperator(task_id="snapshot", volume="example", snapshot=f"example_{RUN}")
    clone = OntapCloneCreateOperator(
        task_id="clone", clone=f"example_{RUN}", parent_volume="example", parent_snapshot=f"example_{RUN}"
    )
    work = WorkloadOperator(
        task_id="work", program="programs.count", arguments=["{copy}"], mounts={"copy": clone.output}
    )
    remove = OntapCloneDeleteOperator(task_id="remove", clone=f"example_{RUN}", with_bucket=False)
    volume >> snapshot >> clone.as_setup() >> work >> remove.as_teardown(setups=clone)
