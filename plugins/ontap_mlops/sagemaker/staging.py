"""What a training job is given, and what it gives back, in an S3 bucket of AWS: nothing secret lies there.

``<prefix>/<workload>/program/`` holds ``start.py``, ``job.json`` and certificates; ``<prefix>/<workload>/output/`` what
SageMaker brings back; ``<prefix>/source/<digest>/`` the programs, once for all jobs that run this code.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ontap_mlops.clouds import errors
from ontap_mlops.sagemaker.calls import call, found

START = Path(__file__).with_name("start.py")
_LARGEST = 64 << 20  # bytes of an output archive that is read for its result
_SOURCE = (".py", ".html", ".json", ".yaml", ".toml")


@dataclass(frozen=True, kw_only=True)
class Staging:
    """A folder of a bucket, ``s3://bucket/prefix``, and boto3's client for it."""

    client: Any
    url: str

    @property
    def bucket(self) -> str:
        return self.url.removeprefix("s3://").partition("/")[0]

    @property
    def prefix(self) -> str:
        return self.url.removeprefix("s3://").partition("/")[2].strip("/")

    def at(self, *parts: str) -> str:
        return "s3://" + "/".join(filter(None, (self.bucket, self.prefix, *parts)))

    def put_job(self, name: str, job: Mapping[str, Any], certificates: Mapping[str, bytes]) -> str:
        """Write what the job reads; returns the URL of its channel."""
        text = json.dumps(job, sort_keys=True).encode()
        for file, content in {"start.py": START.read_bytes(), "job.json": text, **certificates}.items():
            self._put(self._key(name, "program", file), content)
        return self.at(name, "program") + "/"

    def put_source(self, folder: Path) -> str:
        """Write the programs of ``folder`` unless this code is there already; returns the URL of the channel."""
        archive = packed(folder)
        digest = hashlib.sha256(archive).hexdigest()[:16]
        key = self._key("source", digest, "source.tar.gz")
        asked = f"look for the programs in s3://{self.bucket}/{key}"
        if not call(self.client, "list_objects_v2", asked=asked, Bucket=self.bucket, Prefix=key).get("Contents"):
            self._put(key, archive)
        return self.at("source", digest) + "/"

    def result(self, name: str) -> dict[str, Any]:
        """What the program wrote to RESULT_FILE; {} where it wrote none. Raises ValueError for what is no object."""
        key = self._key(name, "output", name, "output", "output.tar.gz")
        asked = f"read the result s3://{self.bucket}/{key}"
        answer = found(self.client, "get_object", asked=asked, Bucket=self.bucket, Key=key)
        if answer is None:
            return {}
        text = _member(answer["Body"].read(_LARGEST), "result.json")
        if text is None:
            return {}
        try:
            value = json.loads(text)
        except ValueError as error:
            raise ValueError(f"workload {name} wrote a result that is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise ValueError(f"workload {name} wrote a result that is not a JSON object")
        return value

    def forget(self, name: str) -> None:
        """Delete everything of this workload."""
        prefix = self._key(name) + "/"
        asked = f"delete s3://{self.bucket}/{prefix}"
        while keys := [
            {"Key": item["Key"]}
            for item in call(self.client, "list_objects_v2", asked=asked, Bucket=self.bucket, Prefix=prefix).get(
                "Contents", ()
            )
        ]:
            told = call(self.client, "delete_objects", asked=asked, Bucket=self.bucket, Delete={"Objects": keys})
            if wrong := told.get("Errors"):
                raise errors.NotAllowed(f"S3 was asked to {asked} and answered: {wrong[0].get('Message')}.")

    def _put(self, key: str, content: bytes) -> None:
        asked = f"write s3://{self.bucket}/{key}"
        call(self.client, "put_object", asked=asked, Bucket=self.bucket, Key=key, Body=content)

    def _key(self, *parts: str) -> str:
        return "/".join(filter(None, (self.prefix, *parts)))


def packed(folder: Path) -> bytes:
    """The package ``tasks`` of ``folder`` as a tar.gz with the same bytes for the same files."""
    content = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for path in _sources(folder / "tasks"):
            facts = tarfile.TarInfo(str(path.relative_to(folder)))
            facts.size, facts.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                archive.addfile(facts, file)
    return content.getvalue()


def _sources(folder: Path) -> Iterable[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in _SOURCE)


def _member(archive: bytes, name: str) -> bytes | None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed_files:
        for member in packed_files:
            file = packed_files.extractfile(member) if Path(member.name).name == name else None
            if file is not None:
                return file.read()
    return None
