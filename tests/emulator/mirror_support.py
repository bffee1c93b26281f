"""Two peered clusters, a volume here, and its mirror there, over plain HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from tests.conftest import Emulator, Pair
from tests.until import until

SOURCE, DESTINATION = "svm1:data", "svm2:data_mirror"


class Mirrors:
    """`here` and `there` are clients; jobs of either are waited for."""

    def __init__(self, pair: Pair, here: httpx.Client, there: httpx.Client) -> None:
        self.pair, self.here, self.there = pair, here, there
        self.files = pair.here.namespace / "data"
        self.copy = pair.there.namespace / "data_mirror"

    def volume(self, client: httpx.Client, svm: str, name: str, **other: Any) -> dict[str, Any]:
        body = {"name": name, "svm": {"name": svm}, "aggregates": [{"name": "aggr1"}], "size": "1GB"} | other
        answer = client.post("/api/storage/volumes?return_timeout=60&return_records=true", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["records"][0]

    def source(self) -> dict[str, Any]:
        made = self.volume(self.here, "svm1", "data", nas={"path": "/data"})
        (self.files / "folder").mkdir()
        for number in range(5):
            (self.files / "folder" / f"file{number}").write_bytes(bytes([number]) * 1000)
        (self.files / "link").symlink_to("folder/file1")
        return made

    def destination(self) -> dict[str, Any]:
        return self.volume(self.there, "svm2", "data_mirror", type="dp", nas={"path": "/data_mirror"})

    def create(self, **other: Any) -> httpx.Response:
        body = {
            "source": {"path": SOURCE},
            "destination": {"path": DESTINATION},
            "policy": {"name": "MirrorAllSnapshots"},
        }
        return self.there.post("/api/snapmirror/relationships?return_timeout=60", json=body | other)

    def mirrored(self, **other: Any) -> dict[str, Any]:
        """Source, destination and their relationship, initialised."""
        self.source()
        self.destination()
        assert self.create(**other).status_code == 201
        self.wait(self.transfer())
        return self.relationship()

    def relationship(self) -> dict[str, Any]:
        params = {"destination.path": DESTINATION, "fields": "**"}
        records = self.there.get("/api/snapmirror/relationships", params=params).json()["records"]
        assert len(records) == 1, records
        return records[0]

    def path(self) -> str:
        return f"/api/snapmirror/relationships/{self.relationship()['uuid']}"

    def change(self, **body: Any) -> httpx.Response:
        return self.there.patch(f"{self.path()}?return_timeout=60", json=body)

    def transfer(self, **body: Any) -> str:
        """Begin a transfer; its path."""
        answer = self.there.post(f"{self.path()}/transfers", json=body)
        assert answer.status_code == 201, answer.text
        assert answer.json() == {}
        return answer.headers["location"]

    def wait(self, path: str, state: str = "success", on: httpx.Client | None = None) -> dict[str, Any]:
        def look() -> dict[str, Any]:
            return (on or self.there).get(path).json()

        until(lambda: look()["state"] not in ("queued", "transferring"), look)
        record = look()
        assert record["state"] == state, record
        return record

    def wait_for_state(self, state: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            record = self.relationship()
            under_way = record.get("transfer", {}).get("state") in ("queued", "transferring")
            return record if record["state"] == state and not under_way else None

        return until(look, self.relationship) or {}

    def update(self, **body: Any) -> dict[str, Any]:
        return self.wait(self.transfer(**body))

    def snapshots(self, client: httpx.Client, name: str) -> dict[str, dict[str, Any]]:
        volume = client.get("/api/storage/volumes", params={"name": name}).json()["records"][0]["uuid"]
        found = client.get(f"/api/storage/volumes/{volume}/snapshots", params={"fields": "**"}).json()["records"]
        return {each["name"]: each for each in found}

    def freeze(
        self, name: str, client: httpx.Client | None = None, volume: str = "data", **other: Any
    ) -> httpx.Response:
        client = client or self.here
        uuid = client.get("/api/storage/volumes", params={"name": volume}).json()["records"][0]["uuid"]
        return client.post(f"/api/storage/volumes/{uuid}/snapshots?return_timeout=60", json={"name": name} | other)

    def s3_keys(self, svm: str) -> tuple[str, str]:
        """An S3 server on an SVM of `there`, and the keys of a user who acts as root."""
        body = {"svm": {"name": svm}, "name": "s3.mirror.test", "is_http_enabled": True}
        made = self.there.post("/api/protocols/s3/services", json=body)
        assert made.status_code == 201, made.text
        mapping = {"svm": {"name": svm}, "direction": "s3_unix", "index": 1, "pattern": "reader", "replacement": "root"}
        assert self.there.post("/api/name-services/name-mappings", json=mapping).status_code == 201
        uuid = self.there.get("/api/svm/svms", params={"name": svm}).json()["records"][0]["uuid"]
        user = self.there.post(f"/api/protocols/s3/services/{uuid}/users", json={"name": "reader"}).json()["records"][0]
        return user["access_key"], user["secret_key"]

    def kind(self, name: str = "data_mirror", client: httpx.Client | None = None) -> str:
        found = (client or self.there).get("/api/storage/volumes", params={"name": name, "fields": "type"})
        return found.json()["records"][0]["type"]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, without its snapshots."""
    found = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if relative.parts[0] != ".snapshot" and path.is_file():
            found[str(relative)] = path.read_bytes()
    return found


def code(answer: httpx.Response) -> str:
    return answer.json()["error"]["code"]


def mirrors(pair: Pair) -> Any:
    return Mirrors(pair, pair.here.client(), pair.there.client())


def pace(emulator: Emulator, mode: str, value: float = 0) -> None:
    emulator.control("PUT", "/jobs", {"mode": mode, "value": value})
