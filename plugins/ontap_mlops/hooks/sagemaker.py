"""Clients of Amazon SageMaker, by the amazon provider's own hook and connections of type ``aws``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ontap_mlops.compute import connections


class SageMakerHook:
    """boto3's client for SageMaker in the region of the connection, or of ``region_name``."""

    def __init__(self, aws_conn_id: str = "aws_default", region_name: str | None = None) -> None:
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Raises PlaceRefused where the amazon provider is not installed or no region is known."""
        yield connections.aws_client(self.aws_conn_id, "sagemaker", self.region_name)
