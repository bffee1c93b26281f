"""MLflow's REST API 2.0: its calls by the shape of their answers, page by page, and the artifacts it serves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from ontap_mlops.hooks.rest import TEMPORARY_STATUS, Answer, RestService

_API = "/api/2.0/mlflow/"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"
_TEMPORARY = TEMPORARY_STATUS | {500}  # MLflow's answer when its database is locked or away
_PAGE = 1000
_NOT_IN_QUOTES = re.compile(r"['\\]")


class MlflowService(RestService):
    """Every answer must have the shape that MLflow gives it, or it is not MLflow's (``ForeignAnswer``)."""

    def __init__(self, conn_id: str, timeout_s: float) -> None:
        super().__init__(conn_id, "MLflow server", timeout_s, error_key="error_code", temporary=_TEMPORARY)

    def part(self, method: str, path: str, asked: str, key: str, **content: Any) -> dict[str, Any]:
        """The object under ``key`` of the answer."""
        body = self.call(method, _API + path, asked=asked, **content)
        if not isinstance(body.get(key), dict):
            raise self.foreign(Answer(200, body), asked)
        return body[key]

    def change(self, method: str, path: str, asked: str, **content: Any) -> None:
        """A call whose answer is an empty object."""
        body = self.call(method, _API + path, asked=asked, **content)
        if body:
            raise self.foreign(Answer(200, body), asked)

    def listed(self, method: str, path: str, asked: str, key: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All entries of a list, over as many pages as there are. MLflow leaves an empty list out of its answer."""
        query = {"max_results": _PAGE, **query}
        while True:
            content: dict[str, Any] = {"params" if method == "GET" else "json": query}
            body = self.call(method, _API + path, asked=asked, **content)
            if set(body) - {key, "next_page_token"} or not isinstance(body.get(key, []), list):
                raise self.foreign(Answer(200, body), asked)
            yield from body.get(key, [])
            if not body.get("next_page_token"):
                return
            query["page_token"] = body["next_page_token"]

    def put_artifact(self, uri: str, name: str, text: str) -> bool:
        """Keep a text as an artifact of the run with this artifact URI; False where this server keeps none for it."""
        path = _artifact(uri, name)
        if path is not None:
            self.text("PUT", path, asked=f"keep {name} of a run", data=text.encode())
        return path is not None

    def artifact(self, uri: str, name: str) -> str | None:
        """The text kept by ``put_artifact``; None where this server keeps none. ServiceRefused when it is missing."""
        path = _artifact(uri, name)
        return None if path is None else self.text("GET", path, asked=f"give {name} of a run")


def equals(field: str, text: str) -> str:
    """A search filter that finds ``text`` in ``field``, and may find more: compare what is found.

    MLflow's filters have no way to write a quote inside a quoted text; a pattern in which any letter stands for it has.
    """
    if not set("'\\") & set(text):
        return f"{field} = '{text}'"
    return f"{field} LIKE '{re.sub(_NOT_IN_QUOTES, '_', text)}'"


def tags(facts: Mapping[str, Any]) -> dict[str, str]:
    """MLflow's list of tags, by key."""
    return {tag["key"]: tag["value"] for tag in facts.get("tags", [])}


def _artifact(uri: str, name: str) -> str | None:
    parts = urlsplit(uri)
    if parts.scheme != "mlflow-artifacts" or parts.netloc:
        return None
    return f"{_ARTIFACTS}{quote(parts.path.strip('/'))}/{quote(name)}"
