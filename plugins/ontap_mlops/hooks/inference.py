"""Hook for a server of the Open Inference Protocol with a model repository (Triton): load, unload, infer over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseHook

from ontap_mlops.hooks.rest import Answer, RestService, ServiceRefused, ServiceUnavailable

LOAD_TIMEOUT_S = 300
_POLL_S = 0.25
# How Triton begins what it says of a model, or a version of one, that it does not serve. The status says nothing: a
# proxy's is the same.
_UNKNOWN = "Request for unknown model"


class ModelNotFound(ServiceRefused):
    """The server has no such model, or not that version of it."""


class ModelLoadFailed(ServiceRefused):
    """The server could not load the model; the version it served before still serves."""


class InferenceHook(BaseHook):
    """Talks to the inference server of a connection of type ``http`` (host, port, login and password if it asks).

    :param inference_conn_id: the connection.
    :param timeout_s: longest wait for one answer, in seconds; loading a model has its own.
    """

    conn_name_attr = "inference_conn_id"
    default_conn_name = "inference_default"
    conn_type = "http"
    hook_name = "Inference server"

    def __init__(self, inference_conn_id: str = default_conn_name, timeout_s: float = 30, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inference_conn_id = inference_conn_id
        self.timeout_s = timeout_s

    @cached_property
    def service(self) -> RestService:
        return RestService(self.inference_conn_id, "inference server", self.timeout_s, error_key="error")

    def live(self) -> bool:
        return self._yes("/v2/health/live", "say whether it lives")

    def ready(self) -> bool:
        return self._yes("/v2/health/ready", "say whether it is ready")

    def wait_ready(self, timeout_s: float) -> None:
        """Raises ServiceUnavailable when the server is not ready within ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while not self.ready():
            if time.monotonic() > deadline:
                raise ServiceUnavailable(
                    f"The inference server at {self.service.url} (connection {self.inference_conn_id}) was not ready "
                    f"within {timeout_s:g} s. Is it running, and is the connection's address right?"
                )
            time.sleep(_POLL_S)

    def server_metadata(self) -> dict[str, Any]:
        return self.service.call("GET", "/v2", asked="describe itself")

    def metadata(self, model: str, version: int | None = None) -> dict[str, Any]:
        """Name, versions that serve, inputs and outputs with datatype and shape (-1: any length)."""
        return self._of_model("GET", model, version, "", "describe", "inputs")

    def config(self, model: str) -> dict[str, Any] | None:
        """The configuration the model serves with; None when it does not serve."""
        try:
            return self._of_model("GET", model, None, "/config", "show the configuration of", "name")
        except ModelNotFound:
            return None

    def index(self) -> list[dict[str, Any]]:
        """Every model version the server has seen: ``name, version, state, reason``."""
        return self.service.call("POST", "/v2/repository/index", asked="list its models", shape=list)

    def model_ready(self, model: str, version: int | None = None) -> bool:
        return self._yes(_path(model, version) + "/ready", f"say whether {_named(model, version)} is ready")

    def load(self, model: str, config: Mapping[str, Any] | None = None) -> None:
        """Loads the model from the repository, with ``config`` in place of its config.pbtxt if given.

        Raises ModelLoadFailed with the server's own text; what served before goes on serving then.
        """
        parameters = {"parameters": {"config": json.dumps(config)}} if config else {}
        self._change("load", model, parameters)

    def unload(self, model: str) -> None:
        self._change("unload", model, {})

    def infer(self, model: str, inputs: Sequence[Mapping[str, Any]], version: int | None = None) -> dict[str, Any]:
        """The protocol's answer (``model_version``, ``outputs``) to tensors of ``name, shape, datatype, data``."""
        return self._of_model("POST", model, version, "/infer", "infer with", "outputs", json={"inputs": list(inputs)})

    def endpoint(self, model: str, version: int | None = None) -> str:
        """URL that a client posts its tensors to."""
        return f"{self.service.url}{_path(model, version)}/infer"

    def test_connection(self) -> tuple[bool, str]:
        try:
            about = self.server_metadata()
        except (ServiceUnavailable, ServiceRefused) as error:
            return False, str(error)
        return True, f"{about.get('name')} {about.get('version')} answers"

    def _yes(self, path: str, asked: str) -> bool:
        """False too when nothing answers, or something else does: a server that is starting is no error."""
        try:
            answer = self.service.answer("GET", path, asked=asked)
        except ServiceUnavailable:
            return False
        return answer.status == 200 and not answer.text

    def _of_model(
        self, method: str, model: str, version: int | None, verb: str, asked: str, key: str, **content: Any
    ) -> dict[str, Any]:
        """The answer, which must hold ``key`` as the protocol says."""
        asked = f"{asked} {_named(model, version)}"
        try:
            body = self.service.call(method, _path(model, version) + verb, asked=asked, **content)
        except ServiceRefused as error:
            if _UNKNOWN in error.reason:
                raise ModelNotFound(
                    f"{error}. Deploy the model first, or name one that serves.",
                    status=error.status,
                    reason=error.reason,
                ) from error
            raise
        if key not in body:
            raise self.service.foreign(Answer(200, body), asked)
        return body

    def _change(self, verb: str, model: str, content: Mapping[str, Any]) -> None:
        path, asked = f"/v2/repository/models/{quote(model, safe='')}/{verb}", f"{verb} model {model}"
        try:
            body = self.service.call("POST", path, asked=asked, timeout_s=LOAD_TIMEOUT_S, json=content)
        except ServiceRefused as error:
            raise ModelLoadFailed(str(error), status=error.status, reason=error.reason) from error
        if body:
            raise self.service.foreign(Answer(200, body), asked)


def _path(model: str, version: int | None) -> str:
    return f"/v2/models/{quote(model, safe='')}" + (f"/versions/{version}" if version is not None else "")


def _named(model: str, version: int | None) -> str:
    return f"model {model}" + (f" version {version}" if version is not None else "")
