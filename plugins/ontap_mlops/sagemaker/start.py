"""Run one program inside SageMaker's container. Sent to the job as a file: only Python itself and boto3 are there.

``job.json`` beside this file says what to run. A mount without a file system is a folder here, filled from its bucket
before the program and, where it may be written, brought back into it afterwards, also after SIGTERM: what a stopped
training has saved is there for the next try. What comes as an input channel is linked into that folder.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ML = HERE.parents[2]  # /opt/ml, seen from the channel that this file came by
BAD_INPUT = 2
LAST_WORDS = 900  # characters; SageMaker keeps 1,024 of the file ``failure``


class Failed(Exception):
    """A sentence, with which the job ends as one of bad input."""


def main() -> int:
    job = json.loads((HERE / "job.json").read_text())
    try:
        return _run(job)
    except Failed as error:
        print(error, file=sys.stderr, flush=True)
        return _end(BAD_INPUT, str(error))


def _run(job: dict[str, Any]) -> int:
    secrets = _secrets(job) | {name: str(HERE / file) for name, file in job["files"].items()}
    folders = {mount["key"]: ML / "ontap" / mount["key"] for mount in job["mounts"]}
    buckets = [(mount, _Bucket(mount, secrets), folders[mount["key"]]) for mount in job["mounts"]]
    for mount, bucket, folder in buckets:
        _fill(mount, bucket, folder)
    before = {folder: _state(folder) for _, _, folder in buckets}
    code, words = _program(job, secrets, folders)
    for mount, bucket, folder in buckets:
        if not mount["read_only"]:
            bucket.bring(folder, before[folder])
    return _end(code, words)


def _program(job: dict[str, Any], secrets: dict[str, str], folders: dict[str, Path]) -> tuple[int, str]:
    """Return its exit code and the last line it wrote to stderr."""
    output = ML / "output" / "data"
    output.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **job["environment"], **secrets}
    environment |= {"RESULT_FILE": str(output / "result.json"), "PROGRESS_FILE": str(output / "progress.json")}
    environment |= {"PYTHONUNBUFFERED": "1", "MODEL_FOLDER": str(ML / "model")}
    if job["run"] is not None:
        run = output.parent / "run.json"
        run.write_text(json.dumps(_at(job["run"], folders)))
        environment["RUN_FILE"] = str(run)
    source = ML / "input" / "data" / "source"
    if source.is_dir():
        environment["PYTHONPATH"] = f"{_unpacked(source)}{os.pathsep}{environment.get('PYTHONPATH', '')}"
    if job["requirements"]:
        command = [sys.executable, "-m", "pip", "install", "--quiet", *job["requirements"]]
        if subprocess.run(command).returncode:
            raise Failed(f"pip could not install {' '.join(job['requirements'])}; see the lines above")
    return _watched([*_launcher(job), job["program"], *_at(job["arguments"], folders)], environment)


def _launcher(job: dict[str, Any]) -> list[str]:
    if job["processes"] == 1:
        return [sys.executable, "-m"]
    several = ["torch.distributed.run", "--standalone", f"--nproc-per-node={job['processes']}", "-m"]
    return [sys.executable, "-m", *several]


def _watched(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, start_new_session=True)
    words = [""]

    def listen() -> None:
        for line in process.stderr or ():
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
            words[0] = line.decode(errors="replace").strip() or words[0]

    signal.signal(signal.SIGTERM, lambda *_: os.killpg(process.pid, signal.SIGTERM))
    listener = threading.Thread(target=listen)
    listener.start()
    code = process.wait()
    listener.join(10)
    return (128 - code if code < 0 else code), words[0]


def _end(code: int, words: str) -> int:
    if code:
        failure = ML / "output" / "failure"
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(f"exit code {code}: {words[-LAST_WORDS:]}")
    return code


def _at(value: Any, folders: dict[str, Path]) -> Any:
    """``value`` with ``{key}`` of a mount replaced by its folder in every string of it."""
    if isinstance(value, str):
        for key, folder in folders.items():
            value = value.replace("{" + key + "}", str(folder))
        return value
    if isinstance(value, dict):
        return {name: _at(part, folders) for name, part in value.items()}
    return [_at(part, folders) for part in value] if isinstance(value, list) else value


def _secrets(job: dict[str, Any]) -> dict[str, str]:
    if not job["secrets"]:
        return {}
    try:
        answer = (
            _boto3().client("ssm", region_name=job["region"]).get_parameter(Name=job["secrets"], WithDecryption=True)
        )
    except Exception as error:
        raise Failed(
            f"the job's role cannot read the program's keys from Parameter Store ({job['secrets']}): {error}; allow it "
            "ssm:GetParameter, and a job in a VPC an endpoint for SSM"
        ) from None
    return dict(json.loads(answer["Parameter"]["Value"]))


def _unpacked(source: Path) -> Path:
    import tarfile

    folder = ML / "ontap-source"
    for archive in source.glob("*.tar.gz"):
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
    return folder


def _fill(mount: dict[str, Any], bucket: _Bucket, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    channel = ML / "input" / "data" / mount["key"]
    if mount["channel"] and channel.is_dir():
        _link(channel, folder)
    else:
        bucket.fetch(folder, without=mount["without"])


def _link(channel: Path, folder: Path) -> None:
    """Folders are made, files linked: what the program adds lies beside them."""
    for path in channel.rglob("*"):
        target = folder / path.relative_to(channel)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file that is no link."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


class _Bucket:
    """The bucket, or access point, that shows a mount's volume."""

    def __init__(self, mount: dict[str, Any], secrets: dict[str, str]) -> None:
        self.name, _, prefix = mount["url"].removeprefix("s3://").partition("/")
        self.prefix = f"{prefix.rstrip('/')}/" if prefix else ""
        self.mount = mount
        self.keys = secrets if mount["keys"] else {}

    def fetch(self, folder: Path, *, without: str) -> None:
        """Bring every object into ``folder`` but those whose key, inside the volume, begins with ``without``."""
        client = self._client()
        try:
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self.prefix):
                for item in page.get("Contents", ()):
                    name = item["Key"].removeprefix(self.prefix)
                    if not name.endswith("/") and not (without and name.startswith(without)):
                        self._get(client, item["Key"], folder / name)
        except Exception as error:
            raise Failed(f"{self.mount['url']} of volume {self.mount['key']!r} cannot be read: {error}") from None

    def bring(self, folder: Path, before: dict[str, tuple[int, int]]) -> None:
        """Send what is new or changed. One request each: ONTAP's bucket may refuse an upload in parts."""
        changed = [name for name, state in _state(folder).items() if before.get(name) != state]
        client = self._client()
        for name in changed:
            with (folder / name).open("rb") as file:
                client.put_object(Bucket=self.name, Key=self.prefix + name, Body=file)

    def _get(self, client: Any, key: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            for part in client.get_object(Bucket=self.name, Key=key)["Body"].iter_chunks(1 << 20):
                file.write(part)

    def _client(self) -> Any:
        from botocore.config import Config

        keys = {
            "aws_access_key_id": self.keys.get("AWS_ACCESS_KEY_ID"),
            "aws_secret_access_key": self.keys.get("AWS_SECRET_ACCESS_KEY"),
            "aws_session_token": self.keys.get("AWS_SESSION_TOKEN"),
            "endpoint_url": self.keys.get("AWS_ENDPOINT_URL_S3"),
            "verify": self.keys.get("AWS_CA_BUNDLE"),
        }
        how = Config(
            s3={"addressing_style": "path"} if self.keys else {},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        region = self.keys.get("AWS_DEFAULT_REGION") or self.mount["region"]
        return _boto3().client("s3", region_name=region, config=how, **{k: v for k, v in keys.items() if v})


def _boto3() -> Any:
    try:
        import boto3
    except ImportError:
        raise Failed("this image has no boto3, by which the job reads its keys and volumes: install it there") from None
    return boto3.session.Session()


if __name__ == "__main__":
    sys.exit(main())
