"""Amazon SageMaker: each workload is a training job in a container, in your VPC where you name its subnets."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ontap_mlops import names, settings
from ontap_mlops.clouds.errors import CloudPermanentError, CloudTemporaryError
from ontap_mlops.compute import connections
from ontap_mlops.compute.kinds.base import BasePlace
from ontap_mlops.compute.workload import Mount, PlaceRefused, PlaceUnavailable, State, Status, Workload
from ontap_mlops.config_file import shaped
from ontap_mlops.sagemaker import logs, secrets, training_jobs
from ontap_mlops.sagemaker.staging import Staging

S3Url = Annotated[str, shaped(r"s3://[A-Za-z0-9][A-Za-z0-9._-]+(/.*)?", "give s3://bucket or s3://bucket/prefix")]
Role = Annotated[str, shaped(r"arn:[\w-]+:iam::\d{12}:role/.+", "give the ARN of the role that SageMaker takes")]
LONGEST_S = 28 * 86400  # of a training job, as SageMaker allows
_FILES = ("AWS_CA_BUNDLE", "MLFLOW_TRACKING_SERVER_CERT_PATH")  # variables that name a certificate here


class SageMakerPlace(BasePlace):
    """``image`` is that of a workload that names none. ``staging`` is a folder of an AWS bucket, for what jobs are
    given and give back. ``access_points``: volumes as ``svm:/junction`` and the S3 access point of FSx that shows each,
    as ``s3://alias``; the job reads those as input channels. A volume that has a bucket is read from there, by keys.
    """

    kind: Literal["sagemaker"]
    aws_conn_id: str = "aws_default"
    role_arn: Role
    image: str
    staging: S3Url
    instance_type: str = "ml.m5.xlarge"
    gpu_instance_types: dict[int, str] = {}
    volume_gib: Annotated[int, Field(ge=1, le=16384)] = 30
    subnets: list[str] = []
    security_group_ids: list[str] = []
    access_points: dict[str, S3Url] = {}
    input_mode: Literal["File", "FastFile"] = "FastFile"
    source: bool = False
    requirements: list[str] = []
    spot: bool = False
    kms_key_id: str | None = None
    time_limit_s: Annotated[float, Field(ge=60, le=LONGEST_S)] = 86400

    @model_validator(mode="after")
    def _check_network(self) -> Self:
        if bool(self.subnets) != bool(self.security_group_ids):
            raise ValueError("a job in a VPC needs both subnets and security_group_ids; give both, or neither")
        return self

    def runner(self) -> SageMakerRunner:
        return SageMakerRunner(place=self)


def _as_place(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _told_by_the_place():
            return function(*args, **kwargs)

    return wrapped


@contextmanager
def _told_by_the_place() -> Iterator[None]:
    try:
        yield
    except CloudTemporaryError as error:
        raise PlaceUnavailable(str(error)) from error
    except CloudPermanentError as error:
        raise PlaceRefused(str(error)) from error


@dataclass(frozen=True, kw_only=True)
class SageMakerRunner:
    """A workload's training job has the workload's name. One that is run again is deleted first: names are unique."""

    place: SageMakerPlace
    host: None = None

    @_as_place
    def submit(self, workload: Workload, *, fresh: bool = False) -> str:
        name, client = workload.name, self._client("sagemaker")
        request = self._request(workload)
        job = training_jobs.describe(client, name)
        if job is not None:
            training_jobs.require_ours(client, job)
            if training_jobs.active(job) or not fresh:
                return name
            self._forget(name)
            training_jobs.delete(client, name)
        try:
            request["InputDataConfig"] = self._channels(workload)
            if not training_jobs.create(client, request):
                return name
        except BaseException:
            if training_jobs.describe(client, name) is None:
                self._forget(name)
            raise
        return name

    @_as_place
    def status(self, name: str) -> Status:
        """What has ended leaves no keys in Parameter Store."""
        job = training_jobs.describe(self._client("sagemaker"), name)
        if job is None:
            return Status(state=State.MISSING)
        if not training_jobs.active(job):
            secrets.forget(self._client("ssm"), name)
        return _status(job)

    @_as_place
    def logs(self, name: str, cursor: str | None = None) -> tuple[str, str | None]:
        begun = 0.0
        if cursor is None:
            job = training_jobs.describe(self._client("sagemaker"), name)
            if job is None:
                return "", None
            begun = job["CreationTime"].timestamp()
        return logs.read(self._client("logs"), name, begun, cursor)

    @_as_place
    def result(self, name: str) -> dict[str, Any]:
        return self._staging().result(name)

    @_as_place
    def cancel(self, name: str) -> None:
        training_jobs.stop(self._client("sagemaker"), name)
        secrets.forget(self._client("ssm"), name)

    @_as_place
    def remove(self, name: str) -> None:
        client = self._client("sagemaker")
        job = training_jobs.describe(client, name)
        if job is not None and training_jobs.active(job):
            raise PlaceUnavailable(f"training job {name} still runs; cancel it before removing it")
        self._forget(name)
        if job is not None:
            training_jobs.require_ours(client, job)
            training_jobs.delete(client, name)

    def _request(self, workload: Workload) -> dict[str, Any]:
        """What CreateTrainingJob is asked, but for its channels. Raises PlaceRefused for what SageMaker has not."""
        place = self.place
        limit = int(max(1, min(workload.time_limit_s or place.time_limit_s, LONGEST_S)))
        stopping = {"MaxRuntimeInSeconds": limit}
        if place.spot:
            stopping["MaxWaitTimeInSeconds"] = min(limit + int(place.pending_limit_s or 3600), LONGEST_S)
        network = {"Subnets": place.subnets, "SecurityGroupIds": place.security_group_ids}
        key = {"KmsKeyId": place.kms_key_id} if place.kms_key_id else {}
        volume_key = {"VolumeKmsKeyId": place.kms_key_id} if place.kms_key_id else {}
        return {
            "TrainingJobName": workload.name,
            "RoleArn": place.role_arn,
            "AlgorithmSpecification": {
                "TrainingImage": workload.image or place.image,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["python3", "/opt/ml/input/data/program/start.py"],
            },
            "OutputDataConfig": {"S3OutputPath": self._staging().at(workload.name, "output"), **key},
            "ResourceConfig": {
                "InstanceType": self._instance_type(workload),
                "InstanceCount": 1,
                "VolumeSizeInGB": place.volume_gib,
                **volume_key,
            },
            "StoppingCondition": stopping,
            "EnableManagedSpotTraining": place.spot,
            "Tags": _tags(workload),
            **({"VpcConfig": network} if place.subnets else {}),
        }

    def _instance_type(self, workload: Workload) -> str:
        resources = workload.resources
        if resources.share:
            raise PlaceRefused(
                f"workload {workload.name} asks for {resources.share:g} of a GPU, and SageMaker gives whole instances "
                "only; ask for whole GPUs, or name another place"
            )
        needed = resources.whole_gpus * workload.processes
        if not needed:
            return self.place.instance_type
        fitting = [count for count in sorted(self.place.gpu_instance_types) if count >= needed]
        if not fitting:
            known = ", ".join(f"{count}: {kind}" for count, kind in sorted(self.place.gpu_instance_types.items()))
            raise PlaceRefused(
                f"workload {workload.name} asks for {needed} GPUs, and its place has no instance with so many "
                f"(gpu_instance_types: {known or 'none'}); add one, or name another place"
            )
        return self.place.gpu_instance_types[fitting[0]]

    def _channels(self, workload: Workload) -> list[dict[str, Any]]:
        """Bring to the staging folder and Parameter Store what the job reads; returns its input channels."""
        mounts = [self._mount(key, mount, workload) for key, mount in workload.mounts.items()]
        kept = {name: value for name, value in workload.secrets.items() if name not in _FILES}
        files = {name: f"{name.lower()}.pem" for name in _FILES if workload.secrets.get(name)}
        staging, ssm = self._staging(), self._client("ssm")
        parameter = secrets.put(ssm, workload.name, kept, self.place.kms_key_id) if kept else None
        job = {
            "program": workload.program,
            "arguments": list(workload.arguments),
            "processes": workload.processes,
            "environment": {**self.place.environment, **workload.environment},
            "run": workload.run,
            "mounts": mounts,
            "secrets": parameter,
            "files": files,
            "region": ssm.meta.region_name,
            "requirements": self.place.requirements,
        }
        certificates = {file: Path(workload.secrets[name]).read_bytes() for name, file in files.items()}
        channels = [_channel("program", staging.put_job(workload.name, job, certificates))]
        if self.place.source:
            channels.append(_channel("source", staging.put_source(_programs_dir(workload))))
        mode = self.place.input_mode
        return channels + [_channel(mount["key"], mount["url"] + "/", mode) for mount in mounts if mount["channel"]]

    def _mount(self, key: str, mount: Mount, workload: Workload) -> dict[str, Any]:
        """How the job sees a volume. Raises PlaceRefused where it cannot."""
        facts = {"key": key, "read_only": mount.read_only, "region": self._client("s3").meta.region_name}
        volume = f"{mount.svm}:{mount.junction_path}"
        if url := self.place.access_points.get(volume):
            return {**facts, "url": url.rstrip("/"), "keys": False, "channel": True, "without": ""}
        if mount.bucket and workload.secrets.get("AWS_ACCESS_KEY_ID"):
            url = f"s3://{mount.bucket}"
            # What the program itself reads from the bucket is not brought as files too.
            data = str((workload.run or {}).get("data") or "")
            without = data.removeprefix(f"{url}/").rstrip("/") + "/" if data.startswith(f"{url}/") else ""
            return {**facts, "url": url, "keys": True, "channel": False, "without": without}
        raise PlaceRefused(
            f"workload {workload.name} mounts {volume} as {{{key}}}, and a training job of SageMaker mounts no volume "
            "of ONTAP: give the volume an S3 bucket and its keys, name its FSx access point in access_points of the "
            "place, or run this program at another place"
        )

    def _forget(self, name: str) -> None:
        secrets.forget(self._client("ssm"), name)
        self._staging().forget(name)

    def _staging(self) -> Staging:
        return Staging(client=self._client("s3"), url=self.place.staging)

    def _client(self, service: str) -> Any:
        return connections.aws_client(self.place.aws_conn_id, service)


def _status(job: Mapping[str, Any]) -> Status:
    if training_jobs.active(job):
        since = training_jobs.waiting_since(job)
        stopping = job["TrainingJobStatus"] == "Stopping"
        if since is not None:
            return Status(state=State.PENDING, pending_since=since, message=training_jobs.message(job))
        return Status(state=State.RUNNING, stopping=stopping)
    if job["TrainingJobStatus"] == "Completed":
        return Status(state=State.SUCCEEDED, exit_code=0)
    if training_jobs.never_had_room(job):
        told = job.get("FailureReason") or "no spot instance within the time to wait"
        return Status(state=State.FAILED, message=f"SageMaker had no instance for it: {told}", no_room=True)
    if training_jobs.out_of_time(job):
        limit = job.get("StoppingCondition", {}).get("MaxRuntimeInSeconds")
        return Status(state=State.FAILED, message=f"it was stopped at its time limit of {limit} s", out_of_time=True)
    if job["TrainingJobStatus"] == "Stopped":
        return Status(state=State.CANCELLED, message="it was stopped")
    code, reason = training_jobs.failure(job)
    return Status(state=State.FAILED, exit_code=code, message=reason)


def _channel(name: str, url: str, mode: str = "File") -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": url, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": mode}


def _tags(workload: Workload) -> list[dict[str, str]]:
    run = (workload.run or {}).get("run") or {}
    told = {
        training_jobs.MARK: workload.name,
        "ontap-mlops/run": names.id_in(workload.name),
        "ontap-mlops/project": workload.project,
        "ontap-mlops/dataset-version": (run.get("dataset_version") or {}).get("id"),
        **{f"ontap-mlops/{key}": value for key, value in workload.labels.items()},
    }
    return [{"Key": key[:128], "Value": str(value)[:256]} for key, value in told.items() if value]


def _programs_dir(workload: Workload) -> Path:
    folder = settings.programs_dir() or Path(os.curdir)
    if not (folder / "tasks").is_dir():
        raise PlaceRefused(
            f"workload {workload.name} is to bring the programs to SageMaker, and {folder.resolve()} has no tasks/: "
            "set [ontap_mlops] programs_dir, or use an image that has them and leave out source"
        )
    return folder
