"""The data lake of docker-compose.yaml, filled from this host with drawn photographs of tyres."""

from __future__ import annotations

import subprocess
import sys

from scripts.composing.engines import Engine
from scripts.composing.file import ROOT, ComposeError
from scripts.embedded import environment
from scripts.lake import BUCKET


def variables(engine: Engine) -> dict[str, str]:
    """Return in which variables a program finds the lake and its keys, and nothing else of Airflow or a cloud."""
    lines = engine.output("lake", "cat", "/run/secrets/env").splitlines()
    keys = {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}
    return environment.clean() | {
        "AWS_ACCESS_KEY_ID": keys["NANIO_ACCESS_KEY"],
        "AWS_SECRET_ACCESS_KEY": keys["NANIO_SECRET_KEY"],
        "AWS_ENDPOINT_URL_S3": engine.file.addresses()["lake"],
        "AWS_DEFAULT_REGION": environment.REGION,
    }


def fill(engine: Engine, count: int) -> None:
    """Draw ``count`` photographs into the lake, where the ingest of tyres looks. ComposeError where that fails."""
    import boto3

    told = variables(engine)
    s3 = boto3.client(
        "s3",
        endpoint_url=told["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
        region_name=told["AWS_DEFAULT_REGION"],
    )
    if BUCKET not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=BUCKET)
    drawing = ["-m", "tasks.tyre.samples", "--output", f"s3://{BUCKET}/tyre/", "--count", str(count), "--seed", "1"]
    if code := subprocess.run([sys.executable, *drawing], cwd=ROOT, env=told).returncode:
        raise ComposeError(f"Drawing photographs into the lake ended with exit code {code}; the lines above say why.")
