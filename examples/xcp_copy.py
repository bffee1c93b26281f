"""A volume's files copied to another volume by NetApp XCP, and every byte compared."""

from datetime import UTC, datetime

from airflow.sdk import DAG

from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator
from ontap_mlops.operators.workload import WorkloadOperator
from ontap_mlops.operators.xcp import XcpCopyOperator, XcpVerifyOperator

with DAG("example_xcp_copy", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["example"]):
    source, target = (
        OntapVolumeEnsureOperator(
            task_id=name,
            volume=f"example_xcp_{name}",
            size_bytes=1024**3,
            junction_path=f"/example_xcp_{name}",
            comment="ontap-mlops example",
        )
        for name in ("source", "target")
    )
    fill = WorkloadOperator(
        task_id="fill", program="programs.write", arguments=["{source}/data"], mounts={"source": source.output}
    )
    both = {
        # Of servers: "10.0.0.5:/data". The command xcp and its licence are on the machine of the place.
        "source": "file://{source}/data",
        "destination": "file://{target}/data",
        "mounts": {"source": source.output, "target": target.output},
    }
    copy = XcpCopyOperator(task_id="copy", catalog_id="example", **both)
    fill >> copy >> XcpVerifyOperator(task_id="verify", **both)
