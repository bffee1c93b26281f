"""An endpoint of SageMaker: one for each model, updated to the next version; what is old does not go on costing."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ontap_mlops import names
from ontap_mlops.clouds.errors import CloudTemporaryError
from ontap_mlops.compute import connections
from ontap_mlops.hooks.rest import ServiceUnavailable
from ontap_mlops.records import ModelVersion
from ontap_mlops.sagemaker import endpoints
from ontap_mlops.sagemaker.calls import call
from ontap_mlops.serving.kind import Program, ProofFailed

PROGRAM = "tasks.models.archive"
ARCHIVE = "model.tar.gz"
_LONGEST = 63


@dataclass(kw_only=True)
class Kind:
    """The model's folder holds ``model.tar.gz``, with ``code/inference.py`` in it, as SageMaker's containers want it.

    :param role_arn: role that the endpoint takes; it reads the archive.
    :param image: inference container, such as AWS's PyTorch one for your region.
    :param archives: folder of an AWS bucket to which archives are copied, ``s3://bucket/prefix``.
    :param access_point: S3 access point of FSx on the model volume, ``s3://alias``: then nothing is copied.
    :param endpoint_name: the model's name if not given.
    :param keep: configurations that stay, the one that serves included; one before it makes a quick roll-back.
    :param ready_timeout_s: seconds for which an endpoint is waited for.
    """

    role_arn: str
    image: str
    archives: str = ""
    access_point: str = ""
    instance_type: str = "ml.m5.large"
    instances: int = 1
    endpoint_name: str = ""
    aws_conn_id: str = "aws_default"
    keep: int = 2
    ready_timeout_s: float = 1800
    poll_interval_s: float = 10

    def __post_init__(self) -> None:
        if bool(self.archives) == bool(self.access_point):
            raise TypeError("give archives (a folder of a bucket) or access_point (of the model volume), one of them")

    def place(self, version: ModelVersion) -> Program:
        """Check the archive and copy it where the endpoint can read it."""
        mount = {"svm": version.svm, "junction_path": names.junction_path(version.volume)}
        to = [] if self.access_point else [f"--to={self._copy(version)}"]
        return Program(
            program=PROGRAM,
            arguments=[f"--model={{models}}/{version.folder}", *to],
            mounts={"models": mount},
            aws_conn_id=self.aws_conn_id if to else None,
        )

    def wait_ready(self) -> None:
        """SageMaker is there when it answers; what is still changing is waited for by ``load``."""

    def load(self, version: ModelVersion, placed: Mapping[str, Any]) -> None:
        with _told():
            name, config = self._base(version), self._config(version)
            url = f"{self.access_point.rstrip('/')}/{version.folder}/{ARCHIVE}" if self.access_point else placed["url"]
            client, model = self._client, version.model
            endpoints.ensure_model(
                client, name=name, model=model, image=self.image, data_url=url, role_arn=self.role_arn
            )
            endpoints.ensure_config(
                client,
                name=config,
                model=model,
                model_name=name,
                instance_type=self.instance_type,
                instances=self.instances,
            )
            endpoints.serve(client, endpoint=self._endpoint(version), config=config, model=model, **self._patience)

    def serves(self, version: ModelVersion) -> bool:
        with _told():
            facts = endpoints.describe(self._client, self._endpoint(version))
        if facts is None or facts["EndpointStatus"] not in endpoints.SERVING:
            return False
        return str(facts["EndpointConfigName"]).startswith(self._base(version) + "-")

    def prove(
        self, version: ModelVersion, placed: Mapping[str, Any], tensors: Sequence[Mapping[str, Any]] | None = None
    ) -> dict[str, Any]:
        """One inference, with zeros of the model's own shape if no tensor is given."""
        if tensors:
            values, said = _nested(list(tensors[0]["data"]), list(tensors[0]["shape"])), "given"
        else:
            shape = [max(1, int(axis)) for axis in placed["input_shape"]]
            values, said = _nested([0] * math.prod(shape), shape), "blank"
        endpoint = self._endpoint(version)
        with _told():
            answer = call(
                connections.aws_client(self.aws_conn_id, "sagemaker-runtime"),
                "invoke_endpoint",
                "Body",
                asked=f"answer by endpoint {endpoint!r}",
                EndpointName=endpoint,
                ContentType="application/json",
                Body=json.dumps(values),
            )
        text = answer.read().decode()
        try:
            told = json.loads(text)
        except ValueError:
            told = None
        numbers = list(_numbers(told))
        if not numbers or not all(map(math.isfinite, numbers)):
            raise ProofFailed(
                f"Version {version.version} of model {version.model} answered {text[:200]!r}, without finite numbers; "
                "look at the training's metrics and export before promoting it again."
            )
        return {"input": said, "version": version.version, "outputs": told if len(text) < 500 else text[:500]}

    def activate(self, version: ModelVersion) -> None:
        """An endpoint serves the same after a restart; what is older than ``keep`` goes."""
        with _told():
            endpoints.clean(
                self._client,
                endpoint=self._endpoint(version),
                prefix=f"{_short(version.model)}-v",
                model=version.model,
                keep=self.keep,
            )

    def inactivate(self, version: ModelVersion) -> None:
        """The endpoint's own tag says what served before."""

    def put_back(self, version: ModelVersion, active: Mapping[str, Any]) -> None:
        with _told():
            # An update that is still under way may yet end with this version serving.
            endpoints.settled(self._client, self._endpoint(version), **self._patience)
            if self.serves(version):
                endpoints.put_back(self._client, endpoint=self._endpoint(version), **self._patience)

    def endpoint(self, version: ModelVersion) -> str:
        region = self._client.meta.region_name
        return f"https://runtime.sagemaker.{region}.amazonaws.com/endpoints/{self._endpoint(version)}/invocations"

    @property
    def _client(self) -> Any:
        return connections.aws_client(self.aws_conn_id, "sagemaker")

    @property
    def _patience(self) -> dict[str, float]:
        return {"limit_s": self.ready_timeout_s, "poll_s": self.poll_interval_s}

    def _endpoint(self, version: ModelVersion) -> str:
        return self.endpoint_name or _short(version.model)

    def _base(self, version: ModelVersion) -> str:
        """Name of SageMaker's model: the same version has the same one."""
        digest = version.digest.removeprefix("sha256:")[:8]
        return f"{_short(version.model)}-v{version.version}-{digest}"

    def _config(self, version: ModelVersion) -> str:
        how = json.dumps([self.image, self.instance_type, self.instances, self.role_arn])
        return f"{self._base(version)}-{hashlib.sha256(how.encode()).hexdigest()[:6]}"

    def _copy(self, version: ModelVersion) -> str:
        return f"{self.archives.rstrip('/')}/{self._base(version)}/{ARCHIVE}"


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except CloudTemporaryError as error:
        raise ServiceUnavailable(str(error)) from error


def _short(model: str) -> str:
    """As SageMaker takes names, with room for version, digest and settings behind it."""
    return re.sub(r"[^A-Za-z0-9]+", "-", model).strip("-")[: _LONGEST - 32]


def _nested(values: list[Any], shape: list[int]) -> Any:
    for axis in reversed(shape[1:]):
        values = [values[start : start + axis] for start in range(0, len(values), axis)]
    return values


def _numbers(told: Any) -> Iterator[float]:
    if isinstance(told, bool):
        return
    if isinstance(told, int | float):
        yield float(told)
    elif isinstance(told, Mapping):
        for part in told.values():
            yield from _numbers(part)
    elif isinstance(told, list):
        for part in told:
            yield from _numbers(part)
