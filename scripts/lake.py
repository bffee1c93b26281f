"""What lies in the data lake: sample photographs of tyres, or a user's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from scripts.embedded import environment, secrets
from scripts.embedded.layout import ROOT
from scripts.services import Stack

BUCKET = "lake"
PREFIX = "tyre"
URL = f"s3://{BUCKET}/{PREFIX}"
FOLDERS = ("good", "defective")
SAMPLE = re.compile(rf"{PREFIX}/((good|defective)/tyre_\d{{5}}\.\w+|\.mlops/.*)")


def variables(stack: Stack) -> dict[str, str]:
    """Environment in which a program reads and writes the lake."""
    return environment.clean() | {
        "AWS_ACCESS_KEY_ID": secrets.get(stack.layout, secrets.LAKE_ACCESS_KEY),
        "AWS_SECRET_ACCESS_KEY": secrets.get(stack.layout, secrets.LAKE_SECRET_KEY),
        "AWS_ENDPOINT_URL_S3": stack.urls["lake"],
        "AWS_DEFAULT_REGION": environment.REGION,
    }


def run_program(stack: Stack, module: str, *arguments: str) -> dict[str, Any]:
    """Its result. SystemExit with its last sentence when it fails."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=variables(stack) | {"RESULT_FILE": str(result)},
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
            raise SystemExit(f"{module} failed: {last}")
        return json.loads(result.read_text())


def bucket(stack: Stack) -> Any:
    """The lake's bucket, made where it is missing."""
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


def fill_with_samples(stack: Stack, count: int, revision: int) -> dict[str, Any]:
    """``revision`` is the day of production: the same photographs as before, with some replaced, added and removed."""
    objects = bucket(stack).objects.filter(Prefix=f"{PREFIX}/")
    foreign = [each for each in objects if not SAMPLE.fullmatch(each.key)]
    for each in foreign:  # a user's own images from an earlier demo would mix with the samples
        each.delete()
    options = ["--output", f"{URL}/", "--count", str(count), "--seed", "1", "--revision", str(revision)]
    return run_program(stack, "tasks.tyre.samples", *options)


def fill_with(stack: Stack, images: Path) -> dict[str, Any]:
    """The lake holds exactly what the two folders hold; only what differs is sent."""
    check(images)
    bucket(stack)
    return {
        folder: run_program(
            stack, "tasks.data.sync", f"--source={images / folder}", f"--destination={URL}/{folder}/", "--delete"
        )
        for folder in FOLDERS
    }


def check(images: Path) -> None:
    """SystemExit with a sentence when the folder cannot be what was meant."""
    for folder in FOLDERS:
        if not (images / folder).is_dir():
            raise SystemExit(f"IMAGES={images} has no folder {folder}/; it must hold good/ and defective/ with images.")
        if not any(entry.is_file() for entry in os.scandir(images / folder)):
            raise SystemExit(f"IMAGES={images}: the folder {folder}/ is empty; both classes need images.")
