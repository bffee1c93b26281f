"""Clients of Amazon FSx, with the amazon provider's own hook and connections of type ``aws``."""

from __future__ import annotations

from typing import Any

from ontap_mlops.clouds.errors import InvalidRequest
from ontap_mlops.hooks.clients import Clients


class FsxHook(Clients[Any]):
    """boto3's client for FSx in the region of the connection, or of ``region_name``."""

    def __init__(self, aws_conn_id: str = "aws_default", region_name: str | None = None) -> None:
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name

    def get_conn(self) -> Any:
        try:
            from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
            from botocore.exceptions import NoRegionError
        except ImportError:
            raise InvalidRequest(
                "FSx needs Airflow's Amazon provider, which is not installed; install "
                "airflow-provider-ontap-mlops[amazon]."
            ) from None
        try:
            return AwsBaseHook(
                aws_conn_id=self.aws_conn_id, region_name=self.region_name, client_type="fsx"
            ).get_client_type()
        except NoRegionError:
            raise InvalidRequest(
                f"Connection {self.aws_conn_id!r} has no region_name; give one in its extra, or in the task."
            ) from None
