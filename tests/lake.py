"""A real S3 server with one bucket, in a process of its own."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.serving import free_ports
from tests.until import until


class Lake:
    """The bucket ``lake`` of a server that is started, stopped and started again on one port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        self.environment = {
            "AWS_ACCESS_KEY_ID": f"TEST{secrets.token_hex(8)}",
            "AWS_SECRET_ACCESS_KEY": secrets.token_hex(16),
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.port}",
        }
        self.server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        keys = {
            "NANIO_ACCESS_KEY": self.environment["AWS_ACCESS_KEY_ID"],
            "NANIO_SECRET_KEY": self.environment["AWS_SECRET_ACCESS_KEY"],
        }
        address = ["--host", "127.0.0.1", "--port", str(self.port), "--data-dir", str(self.folder)]
        with (self.folder.parent / "nanio.log").open("ab") as log:
            self.server = subprocess.Popen(
                [sys.executable, "-m", "nanio", "serve", "--no-access-log", *address],
                env={**os.environ, **keys},
                stdout=log,
                stderr=log,
            )
        until(self._listens, "nanio does not start")

    def _listens(self) -> bool:
        with socket.socket() as asking:
            return asking.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self.server:
            self.server.kill()
            self.server.wait()

    @property
    def client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL_S3"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
        )

    def put(self, files: dict[str, bytes], prefix: str) -> None:
        client = self.client
        for key, content in files.items():
            client.put_object(Bucket="lake", Key=f"{prefix}/{key}", Body=content)

    def contents(self, prefix: str) -> dict[str, bytes]:
        client, found = self.client, {}
        for item in client.list_objects_v2(Bucket="lake", Prefix=f"{prefix}/").get("Contents", []):
            found[item["Key"][len(prefix) + 1 :]] = client.get_object(Bucket="lake", Key=item["Key"])["Body"].read()
        return found
