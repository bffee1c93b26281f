"""A clean ONTAP for every test that speaks to one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from ontap_mlops import settings
from ontap_mlops.ontap import marks, volumes
from ontap_mlops.ontap.client import Client
from tests.conftest import peer, unpeer

GIB = 1024**3
SVM = "svm1"
MARK = marks.mark("dataset tyre")


@pytest.fixture(autouse=True)
def secrets_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files below a test's own folder may hold keys."""
    monkeypatch.setenv(settings.variable("secrets_dir"), str(tmp_path))


class Ontap:
    """The emulator with what tests want of it: clients, faults, and which writing requests it saw."""

    def __init__(self, emulator: Any, http: httpx.Client) -> None:
        self.emulator = emulator
        self.http = http
        self.clients: list[Client] = []

    def client(self, **other: Any) -> Client:
        facts = {
            "host": self.emulator.host,
            "port": self.emulator.port,
            "username": self.emulator.user,
            "password": self.emulator.password,
            "verify": self.emulator.ca,
        }
        self.clients.append(Client(**{**facts, **other}))
        return self.clients[-1]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """The emulator's own prefix, over a connection that is kept open."""
        return self.http.request(method, f"/emulator{path}", json=body).raise_for_status().json()

    def reset(self) -> None:
        """Back to the first state, with the accounts and roles of the start and no other."""
        self.control("POST", "/reset", {"accounts": True})

    def fault(self, method: str, path: str, kind: str, **more: Any) -> None:
        self.control("POST", "/faults", {"method": method, "path": path, "kind": kind, **more})

    def jobs(self, mode: str, value: float = 0) -> None:
        self.control("PUT", "/jobs", {"mode": mode, "value": value})

    def limits(self, **limits: int) -> None:
        self.control("PUT", "/limits", limits)

    def writes(self) -> list[str]:
        """Requests that change something, such as "POST /api/storage/volumes"."""
        seen = self.control("GET", "/requests")["requests"]
        return [f"{r['method']} {urlsplit(r['path']).path}" for r in seen if r["method"] not in ("GET", "HEAD")]

    def forget_requests(self) -> None:
        self.control("DELETE", "/requests")

    def connection(self, **other: Any) -> str:
        """What AIRFLOW_CONN_ONTAP_DEFAULT holds."""
        facts = {
            "conn_type": "ontap",
            "host": self.emulator.host,
            "port": self.emulator.port,
            "login": self.emulator.user,
            "password": self.emulator.password,
            "extra": {"verify": self.emulator.ca, "svm": SVM},
        }
        if "login" in other and "password" not in other:
            facts["password"] = self.emulator.password_of(other["login"] or self.emulator.user)
        return json.dumps({**facts, **other})

    def everything(self) -> dict[str, Any]:
        """What there is, without what differs from run to run: times, uuids and keys."""
        services, volumes = self.records("/protocols/s3/services"), self.records("/storage/volumes")
        found: dict[str, Any] = {
            "volumes": {v["name"]: _volume(v) for v in volumes},
            "snapshots": {
                (v["name"], s["name"]): s.get("comment")
                for v in volumes
                for s in self.records(f"/storage/volumes/{v['uuid']}/snapshots")
            },
            "services": {s["svm"]["name"]: (s["enabled"], s["is_http_enabled"]) for s in services},
            "buckets": {b["name"]: (b["type"], b.get("nas_path")) for b in self.records("/protocols/s3/buckets")},
        }
        for kind in ("users", "groups", "policies"):
            found[kind] = {
                r["name"]: {k: _names(r[k]) for k in ("users", "policies", "statements") if k in r}
                for s in services
                for r in self.records(f"/protocols/s3/services/{s['svm']['uuid']}/{kind}")
            }
        return found

    def records(self, path: str) -> list[dict[str, Any]]:
        answer = self.http.get(f"/api{path}", params={"fields": "**", "max_records": 9999})
        return answer.raise_for_status().json()["records"]


def _volume(record: dict[str, Any]) -> dict[str, Any]:
    clone = record.get("clone") or {}
    return {
        "size": record["size"],
        "comment": record.get("comment"),
        "path": record.get("nas", {}).get("path"),
        "permissions": record.get("nas", {}).get("unix_permissions"),
        "parent": (clone.get("parent_volume") or {}).get("name"),
        "snapshot": (clone.get("parent_snapshot") or {}).get("name"),
    }


def _names(values: list[Any]) -> list[Any]:
    return [v.get("name", v) for v in values]


@pytest.fixture(scope="session")
def ontap_http(emulator: Any) -> Iterator[httpx.Client]:
    with emulator.client() as http:
        yield http


@pytest.fixture
def ontap(emulator: Any, ontap_http: httpx.Client) -> Iterator[Ontap]:
    """Emptied before and after."""
    made = Ontap(emulator, ontap_http)
    made.reset()
    yield made
    for client in made.clients:
        client.close()
    made.reset()


@pytest.fixture
def there(ontap: Ontap, other_emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ontap]:
    """A second cluster, whose SVM `svm2` is a peer of `svm1`; connections `ontap_default` and `ontap_remote`."""
    unpeer(other_emulator)
    peer(ontap.emulator, other_emulator)
    with other_emulator.client() as http:
        made = Ontap(other_emulator, http)
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
        extra = {"verify": other_emulator.ca, "svm": other_emulator.svm}
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_REMOTE", made.connection(extra=extra))
        made.forget_requests()
        yield made
        for client in made.clients:
            client.close()
    unpeer(other_emulator)


@pytest.fixture
def client(ontap: Ontap) -> Client:
    return ontap.client()


@pytest.fixture
def volume(client: Client, ontap: Ontap) -> volumes.Volume:
    """The dataset volume `tyre`, with one file on it."""
    made = volumes.ensure(
        client, svm=SVM, name="tyre", size_bytes=GIB, comment=MARK, junction_path="/tyre", unix_permissions="777"
    )
    (ontap.emulator.namespace / "tyre" / "one.png").write_bytes(b"first")
    ontap.forget_requests()
    return made
