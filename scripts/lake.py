"""The data lake: its bucket, and the programs that fill it; what a system puts there is in scripts/systems."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ontap_mlops import registry
from ontap_mlops.ontap import dataset_versions
from ontap_mlops.ontap.errors import NotFound
from ontap_mlops.records import DatasetVersion
from scripts.embedded import environment, secrets
from scripts.embedded.layout import ROOT
from scripts.services import Stack

BUCKET = "lake"


def variables(stack: Stack) -> dict[str, str]:
    """Return the environment in which a program reads and writes the lake."""
    return environment.clean() | {
        "AWS_ACCESS_KEY_ID": secrets.get(stack.layout, secrets.LAKE_ACCESS_KEY),
        "AWS_SECRET_ACCESS_KEY": secrets.get(stack.layout, secrets.LAKE_SECRET_KEY),
        "AWS_ENDPOINT_URL_S3": stack.urls["lake"],
        "AWS_DEFAULT_REGION": environment.REGION,
    }


def run_program(stack: Stack, module: str, *arguments: str, own: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a program on the lake and return its result. SystemExit with its last sentence when it fails.

    :param own: variables beside those of the lake.
    """
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=variables(stack) | dict(own or {}) | {"RESULT_FILE": str(result)},
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
            raise SystemExit(f"{module} failed: {last}")
        return json.loads(result.read_text())


def bucket(stack: Stack) -> Any:
    """Return the lake's bucket, made where it is missing."""
    import boto3

    env = variables(stack)
    s3 = boto3.resource(
        "s3",
        endpoint_url=env["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        region_name=environment.REGION,
    )
    if BUCKET not in {each.name for each in s3.buckets.all()}:
        s3.create_bucket(Bucket=BUCKET)
    return s3.Bucket(BUCKET)


def versions_of(stack: Stack, dataset: str) -> list[DatasetVersion]:
    """Return all versions of the dataset, oldest first, read from ONTAP as the DAGs do; [] before it has a volume."""
    from ontap_mlops.ontap.client import Client

    connection = environment.connections(stack.layout, stack.ports)["ontap_default"]
    known = registry.dataset(dataset)
    svm = known.svm or connection["extra"]["svm"]
    with Client(
        host=connection["host"],
        port=connection["port"],
        username=connection["login"],
        password=connection["password"],
        verify=connection["extra"]["verify"],
    ) as client:
        try:
            return dataset_versions.list_versions(client, svm=svm, volume=known.volume, dataset=known.name)
        except NotFound:
            return []
