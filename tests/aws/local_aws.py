"""AWS on this machine: S3, Parameter Store and CloudWatch Logs by moto, SageMaker by a service that runs the jobs.

moto's SageMaker runs nothing and cannot stop, delete or update. This one speaks the documented interface, held to
botocore's own model of it, and carries each job out as SageMaker does: channels from S3 into ``input/data``, the
container's command, its log to CloudWatch, ``output/data`` back to S3. Test equipment only.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import botocore.session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.aws.models import Models
from tests.aws.notebooks import Notebooks
from tests.clouds.fsx_service import Refused, _check, _check_patterns
from tests.clouds.local_service import LocalService, serving

REGION, ACCOUNT = "eu-west-1", "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/sagemaker"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ontap-mlops-tasks:1"
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
ROOT = Path(__file__).resolve().parents[2]
_MODEL = botocore.session.get_session().get_service_model("sagemaker")
_STOP_S = 5


class LocalAws(Models, Notebooks, LocalService):
    """``capacity``: seconds after which an instance type has room, None for never; ``limits``: quotas by type."""

    def __init__(self, folder: Path, moto: str) -> None:
        self.folder, self.moto = folder, moto
        self.environment = {
            "AWS_ACCESS_KEY_ID": "AKIDROLE",
            "AWS_SECRET_ACCESS_KEY": "of-the-role",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": moto,
        }
        super().__init__()
        self.s3, self.logs = self.client("s3"), self.client("logs")

    def reset(self) -> None:
        super().reset()
        self.jobs: dict[str, dict[str, Any]] = {}
        self.late: set[str] = set()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.tags: dict[str, list[dict[str, str]]] = {}
        self.capacity: dict[str, float | None] = {}
        self.limits: dict[str, int] = {}
        self.lock = threading.RLock()
        self._streams: set[str] = set()

    def routes(self) -> list[Route]:
        return [
            Route("/", self.answer, methods=["POST"]),
            Route("/endpoints/{name}/invocations", self.invoke, methods=["POST"]),
        ]

    def trouble(self, status: int, fault: Any) -> tuple[Any, dict[str, str]]:
        codes = {429: "ThrottlingException", 403: "ExpiredTokenException"}
        code = codes.get(status, "InternalServerError")
        return {"__type": code, "Message": f"trouble {status}"}, {"x-amzn-errortype": code}

    async def answer(self, request: Request) -> Response:
        name = request.headers["x-amz-target"].rpartition(".")[2]
        self.seen[-1] = f"POST {name}"
        operation = _MODEL.operation_model(name)
        try:
            asked = json.loads(await request.body())
            _check(asked, operation.input_shape)
            _check_patterns(asked, operation.input_shape)
            with self.lock:
                told = getattr(self, re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower())(asked)
        except Refused as error:
            return JSONResponse({"__type": error.code, "Message": str(error)}, 400, {"x-amzn-errortype": error.code})
        if operation.output_shape is not None:
            _check(told, operation.output_shape)
        return JSONResponse(told or {})

    # Tags

    def list_tags(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"Tags": self.tags.get(asked["ResourceArn"], [])}

    def add_tags(self, asked: dict[str, Any]) -> dict[str, Any]:
        kept = {tag["Key"]: tag for tag in [*self.tags.get(asked["ResourceArn"], []), *asked["Tags"]]}
        self.tags[asked["ResourceArn"]] = list(kept.values())
        return {"Tags": list(kept.values())}

    # Training jobs

    def create_training_job(self, asked: dict[str, Any]) -> dict[str, Any]:
        name, kind = asked["TrainingJobName"], asked["ResourceConfig"]["InstanceType"]
        if name in self.jobs:
            raise Refused("ResourceInUse", f"Job name must be unique, and {name} is in use")
        busy = [j for j in self.jobs.values() if j["TrainingJobStatus"] in ("InProgress", "Stopping")]
        limit = self.limits.get(kind)
        if limit is not None and len(busy) >= limit:
            raise Refused(
                "ResourceLimitExceeded",
                f"The account-level service limit '{kind} for training job usage' is {limit} Instances, with current "
                f"utilization of {len(busy)} Instances and a request delta of 1 Instances. Please use AWS Service "
                "Quotas to request an increase for this quota.",
            )
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{name}"
        self.tags[arn] = asked.pop("Tags", [])
        job = {**asked, "TrainingJobArn": arn, "CreationTime": time.time(), "TrainingJobStatus": "InProgress"}
        job["ModelArtifacts"] = {"S3ModelArtifacts": f"{asked['OutputDataConfig']['S3OutputPath']}/{name}/output/x"}
        self.jobs[name] = job
        self._to(job, "Starting", "Starting the training job")
        threading.Thread(target=self._carry_out, args=[name, job], daemon=True).start()
        return {"TrainingJobArn": arn}

    def describe_training_job(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self._job(asked["TrainingJobName"])

    def stop_training_job(self, asked: dict[str, Any]) -> dict[str, Any]:
        job = self._job(asked["TrainingJobName"])
        if job["TrainingJobStatus"] != "InProgress":
            raise Refused(
                "ValidationException", f"The request was rejected because the job is {job['TrainingJobStatus']}"
            )
        job["TrainingJobStatus"] = "Stopping"
        self._to(job, "Stopping", "Stopping the training job")
        self._signal(asked["TrainingJobName"])
        return {}

    def delete_training_job(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked["TrainingJobName"]
        if self._job(name)["TrainingJobStatus"] in ("InProgress", "Stopping"):
            raise Refused("ValidationException", f"Training job {name} is not in a terminal state")
        del self.jobs[name]
        return {}

    def _job(self, name: str) -> dict[str, Any]:
        if name not in self.jobs:
            raise Refused("ValidationException", "Requested resource not found.")
        return self.jobs[name]

    def _to(self, job: dict[str, Any], status: str, message: str = "") -> None:
        steps = job.setdefault("SecondaryStatusTransitions", [])
        if steps:
            steps[-1]["EndTime"] = time.time()
        steps.append({"Status": status, "StartTime": time.time(), "StatusMessage": message})
        job["SecondaryStatus"] = status

    def _end(self, job: dict[str, Any], status: str, secondary: str = "", reason: str = "") -> None:
        with self.lock:
            self._to(job, secondary or status)
            job["TrainingJobStatus"] = status
            if reason:
                job["FailureReason"] = reason

    def _carry_out(self, name: str, job: dict[str, Any]) -> None:
        try:
            if self._has_room(job) and job["TrainingJobStatus"] == "InProgress":
                self._run(name, job)
            elif job["TrainingJobStatus"] == "Stopping":
                self._end(job, "Stopped")
        except Exception as error:
            logging.getLogger(__name__).exception("job %s", name)
            self._end(job, "Failed", reason=f"InternalServerError: {error!r}")

    def _has_room(self, job: dict[str, Any]) -> bool:
        seconds = self.capacity.get(job["ResourceConfig"]["InstanceType"], 0)
        deadline = time.monotonic() + (60 if seconds is None else seconds)
        while time.monotonic() < deadline and job["TrainingJobStatus"] == "InProgress":
            if seconds is None and self.capacity.get("gives up"):
                self._end(
                    job,
                    "Failed",
                    reason="CapacityError: Unable to provision requested ML compute capacity. Please retry using a "
                    "different ML instance type.",
                )
                return False
            job["SecondaryStatusTransitions"][-1]["StatusMessage"] = "Insufficient capacity error from EC2, retrying!"
            time.sleep(0.02)
        return seconds is not None

    def _run(self, name: str, job: dict[str, Any]) -> None:
        home = self.folder / f"{name}-{time.time_ns()}"
        self._to(job, "Downloading")
        for channel in job["InputDataConfig"]:
            self.fetch(channel["DataSource"]["S3DataSource"]["S3Uri"], home / "input" / "data" / channel["ChannelName"])
        if job["AlgorithmSpecification"]["TrainingImage"] != IMAGE:
            self._end(job, "Failed", reason="ClientError: Cannot pull non-ECR image, or the image does not exist.")
            return
        command = [part.replace("/opt/ml", str(home)) for part in job["AlgorithmSpecification"]["ContainerEntrypoint"]]
        command = [sys.executable if part == "python3" else part for part in command]
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT), **self.environment}
        environment["TRAINING_JOB_NAME"] = name
        with self.lock:
            if job["TrainingJobStatus"] != "InProgress":
                self._end(job, "Stopped")
                return
            self._to(job, "Training")
            process = self.processes[name] = subprocess.Popen(
                command,
                env=environment | job.get("Environment", {}),
                cwd=home,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        limit = threading.Timer(job["StoppingCondition"]["MaxRuntimeInSeconds"], self._out_of_time, [name, job])
        limit.start()
        self._log(name, process)
        code = process.wait()
        limit.cancel()
        self._to(job, "Uploading")
        self._bring(job, home / "output" / "data", f"{name}/output/output.tar.gz")
        self._bring(job, home / "model", f"{name}/output/model.tar.gz")
        if name in self.late:
            self._end(job, "Stopped", "MaxRuntimeExceeded")
        elif job["TrainingJobStatus"] == "Stopping":
            self._end(job, "Stopped")
        elif code == 0:
            self._end(job, "Completed")
        else:
            failure = home / "output" / "failure"
            told = failure.read_text()[:1024] if failure.exists() else ""
            self._end(job, "Failed", reason=f"AlgorithmError: {told}, exit code: {code if code > 0 else 128 - code}")

    def _out_of_time(self, name: str, job: dict[str, Any]) -> None:
        self.late.add(name)
        self._signal(name)

    def _signal(self, name: str) -> None:
        process = self.processes.get(name)
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            threading.Timer(_STOP_S, process.kill).start()

    def _log(self, name: str, process: subprocess.Popen[bytes]) -> None:
        stream = f"{name}/algo-1-{time.time_ns()}"
        for line in process.stdout or ():
            where = {"logGroupName": LOG_GROUP, "logStreamName": stream}
            if stream not in self._streams:
                self._streams.add(stream)
                with contextlib.suppress(self.logs.exceptions.ResourceAlreadyExistsException):
                    self.logs.create_log_group(logGroupName=LOG_GROUP)
                with contextlib.suppress(self.logs.exceptions.ResourceAlreadyExistsException):
                    self.logs.create_log_stream(**where)
            text = line.decode(errors="replace").rstrip("\n") or " "
            self.logs.put_log_events(**where, logEvents=[{"timestamp": int(time.time() * 1000), "message": text}])

    def _bring(self, job: dict[str, Any], folder: Path, key: str) -> None:
        if not folder.is_dir():
            return
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for path in sorted(folder.iterdir()):
                archive.add(path, path.name)
        bucket, _, prefix = job["OutputDataConfig"]["S3OutputPath"].removeprefix("s3://").partition("/")
        self.s3.put_object(Bucket=bucket, Key=f"{prefix}/{key}", Body=packed.getvalue())

    def fetch(self, url: str, folder: Path) -> None:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        folder.mkdir(parents=True, exist_ok=True)
        for item in self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
            target = folder / (item["Key"].removeprefix(prefix).lstrip("/") or Path(item["Key"]).name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())

    def client(self, service: str, url: str = "") -> Any:
        import boto3

        return boto3.client(
            service,
            endpoint_url=url or self.moto,
            region_name=REGION,
            aws_access_key_id="AKIDTEST",
            aws_secret_access_key="secret",
        )

    def connection(self, **other: Any) -> str:
        ours = {"endpoint_url": self.url}
        extra = {
            "region_name": REGION,
            "endpoint_url": self.moto,
            "service_config": {"sagemaker": ours, "sagemaker-runtime": ours},
            "config_kwargs": {"retries": {"total_max_attempts": 1}},
        }
        facts = {"conn_type": "aws", "login": "AKIDTEST", "password": "secret", "extra": extra}
        return json.dumps({**facts, **other})


@contextmanager
def local_aws(folder: Path) -> Iterator[LocalAws]:
    """One for a session; ``forget`` makes SageMaker as new."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    try:
        with serving(LocalAws(folder, f"http://{host}:{port}"), timeout_keep_alive=600) as service:
            assert isinstance(service, LocalAws)
            service.s3.create_bucket(Bucket="staging", CreateBucketConfiguration={"LocationConstraint": REGION})
            yield service
    finally:
        moto.stop()


def until(condition: Callable[[], Any], seconds: float = 90) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.02)
    return value
