"""The few calls of MLflow's REST API (2.0) that a program needs.

``import mlflow`` costs about 4.5 CPU seconds with MLflow 3.17, as much as many programs here run for; these calls none.
"""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tasks.common.data import open_source, open_target
from tasks.common.program import BadInput, TryAgain

ATTEMPTS = 5
FIRST_WAIT_S = 0.5
_NOT_IN_QUOTES = re.compile(r"['\\]")
_API = "api/2.0/mlflow"
_ARTIFACTS = "api/2.0/mlflow-artifacts/artifacts"


class MlflowError(BadInput):
    """The tracking server refused a call; ``code`` is MLflow's name for why, such as RESOURCE_DOES_NOT_EXIST."""

    def __init__(self, call: str, status: int, code: str, message: str) -> None:
        super().__init__(f"MLflow refused {call} ({status} {code}): {message}")
        self.status, self.code = status, code


class MlflowRest:
    """One tracking server; credentials by the same environment variables as MLflow's own client's."""

    def __init__(self, uri: str) -> None:
        if urlsplit(uri).scheme not in ("http", "https"):
            raise BadInput(f"MLFLOW_TRACKING_URI is {uri}; programs report to a tracking server over http or https.")
        self.uri = uri.rstrip("/")
        self._tls = _tls_context() if uri.startswith("https") else None

    def get(self, call: str, **query: str) -> dict[str, Any]:
        return self._json("GET", f"{_API}/{call}?{urlencode(query)}")

    def post(self, call: str, *, once: bool = False, **fields: Any) -> dict[str, Any]:
        """``once`` for a call that must not be sent again when its answer is lost: TryAgain at once."""
        return self._json("POST", f"{_API}/{call}", json.dumps(fields).encode(), 1 if once else ATTEMPTS)

    def put_artifact(self, artifact_uri: str, name: str, content: bytes) -> None:
        """Store ``content`` under the run's ``artifact_uri``: through the server, or straight where it keeps them."""
        parts = urlsplit(artifact_uri)
        if parts.scheme == "mlflow-artifacts":
            path = f"{_ARTIFACTS}/{quote(parts.path.strip('/'))}/{quote(name)}"
            self._send("PUT", path, content, "application/octet-stream")
        else:
            open_target(artifact_uri.removeprefix("file://")).write(name, content)

    def artifact(self, artifact_uri: str, name: str) -> bytes:
        """Return what ``put_artifact`` stored."""
        parts = urlsplit(artifact_uri)
        if parts.scheme == "mlflow-artifacts":
            path = f"{_ARTIFACTS}/{quote(parts.path.strip('/'))}/{quote(name)}"
            return self._send("GET", path, None, "application/octet-stream")
        return open_source(artifact_uri.removeprefix("file://")).read(name)

    def _json(self, method: str, path: str, body: bytes | None = None, attempts: int = ATTEMPTS) -> dict[str, Any]:
        return json.loads(self._send(method, path, body, "application/json", attempts) or b"{}")

    def _send(self, method: str, path: str, body: bytes | None, kind: str, attempts: int = ATTEMPTS) -> bytes:
        headers = {"Content-Type": kind, **_authorization()}
        request = urllib.request.Request(f"{self.uri}/{path}", data=body, method=method, headers=headers)  # noqa: S310
        for attempt in range(attempts):
            last = attempt == attempts - 1
            try:
                with urllib.request.urlopen(request, timeout=60, context=self._tls) as answer:  # noqa: S310
                    return answer.read()
            except urllib.error.HTTPError as error:
                refusal = _refusal(f"{method} {path.partition('?')[0]}", error)
                if error.code not in (429, 500, 502, 503, 504):
                    raise refusal from error
                if last:
                    raise TryAgain(str(refusal)) from error
            except OSError as error:
                if last:
                    raise TryAgain(f"MLflow at {self.uri} does not answer: {error}.") from error
            time.sleep(FIRST_WAIT_S * 2**attempt)
        raise AssertionError("unreachable")


def equals(field: str, text: str) -> str:
    """A search filter that finds ``text`` in ``field``, and may find more: compare what is found.

    MLflow's filters have no way to write a quote inside a quoted text; a pattern in which any letter stands for it has.
    """
    if not set("'\\") & set(text):
        return f"{field} = '{text}'"
    return f"{field} LIKE '{re.sub(_NOT_IN_QUOTES, '_', text)}'"


def _refusal(call: str, error: urllib.error.HTTPError) -> MlflowError:
    text = error.read().decode(errors="replace")[:500]
    try:
        said = json.loads(text)
        return MlflowError(call, error.code, said.get("error_code", ""), said.get("message", text))
    except ValueError:
        return MlflowError(call, error.code, "", text)


def _authorization() -> dict[str, str]:
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    if user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
        pair = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH"))
