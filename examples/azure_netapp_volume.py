"""A volume of Azure NetApp Files, frozen in a snapshot and moved to a cheaper service level."""

from datetime import UTC, datetime

from airflow.sdk import DAG

from ontap_mlops.operators.azure_netapp import (
    AzureNetAppPoolChangeOperator,
    AzureNetAppPoolEnsureOperator,
    AzureNetAppSnapshotCreateOperator,
    AzureNetAppVolumeEnsureOperator,
)

SUBNET = "/subscriptions/.../subnets/delegated-to-Microsoft.NetApp-volumes"

with DAG("example_azure_netapp_volume", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), tags=["example"]):
    premium, standard = (
        AzureNetAppPoolEnsureOperator(
            task_id=level.lower(), capacity_pool=f"example-{level.lower()}", size_bytes=1024**4, service_level=level
        )
        for level in ("Premium", "Standard")
    )
    volume = AzureNetAppVolumeEnsureOperator(
        task_id="volume",
        volume="example",
        capacity_pool="example-premium",
        size_bytes=100 * 1024**3,
        subnet_id=SUBNET,
    )
    snapshot = AzureNetAppSnapshotCreateOperator(task_id="snapshot", volume="example", snapshot="example-{{ ds }}")
    cheaper = AzureNetAppPoolChangeOperator(task_id="cheaper", volume="example", capacity_pool="example-standard")
    premium >> standard >> volume >> snapshot >> cheaper
