"""What the stand-in asks of ONTAP, each of it in a form that may be asked twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

POLL = {"poll_interval": 0.2, "poll_timeout": 120}
SMALLEST = 20 * 1024**2  # bytes; ONTAP makes no smaller volume


class OntapRefused(Exception):
    """ONTAP did not do it; its own words. It may do it later, as when what is in the way has gone."""


@dataclass(frozen=True)
class Found:
    uuid: str
    name: str
    size: int
    path: str
    parent_volume: str
    parent_snapshot: str


class Ontap:
    """One SVM.

    :param url: of the management interface, such as ``https://host:port``.
    :param ca: path of a file of certificate authorities; the system's own if empty.
    """

    def __init__(self, url: str, user: str, password: str, svm: str, ca: str = "") -> None:
        from netapp_ontap import HostConnection

        parts = urlsplit(url)
        self.svm = svm
        self.connection = HostConnection(
            parts.hostname,
            username=user,
            password=password,
            port=parts.port or 443,
            verify=ca or True,  # type: ignore[arg-type]  # a path is passed on to requests, which takes one
        )
        if ca:  # else a bundle that the environment names would be used in its place
            self.connection.session.trust_env = False

    def aggregate(self) -> str:
        """The first that the SVM may use."""
        with _told("read the aggregates of the SVM"):
            found = list(_kind("Svm").get_collection(connection=self.connection, name=self.svm, fields="aggregates"))
        if not found:
            raise OntapRefused(f"there is no SVM {self.svm!r}")
        return found[0].to_dict()["aggregates"][0]["name"]

    def find(self, name: str) -> Found | None:
        fields = "size,nas.path,clone.parent_volume.name,clone.parent_snapshot.name"
        query = {"svm.name": self.svm, "name": name, "fields": fields}
        with _told(f"look for volume {name}"):
            records = [each.to_dict() for each in _kind("Volume").get_collection(connection=self.connection, **query)]
        if not records:
            return None
        clone = records[0].get("clone", {})
        return Found(
            uuid=records[0]["uuid"],
            name=name,
            size=records[0].get("size", 0),
            path=records[0].get("nas", {}).get("path", ""),
            parent_volume=clone.get("parent_volume", {}).get("name", ""),
            parent_snapshot=clone.get("parent_snapshot", {}).get("name", ""),
        )

    def get(self, name: str) -> Found:
        found = self.find(name)
        if found is None:
            raise OntapRefused(f"SVM {self.svm!r} has no volume {name!r}")
        return found

    def ensure(self, name: str, size: int, comment: str) -> Found:
        """An empty volume, mounted under its name."""
        if (found := self.find(name)) is None:
            body = {
                "name": name,
                "svm": {"name": self.svm},
                "aggregates": [{"name": self.aggregate()}],
                "size": max(size, SMALLEST),
                "comment": comment,
                "nas": {"path": f"/{name}", "unix_permissions": 777},
            }
            self._post(body, f"make volume {name}")
            found = self.get(name)
        return self.mounted(found)

    def ensure_clone(self, name: str, parent: str, snapshot: str, size: int, comment: str) -> Found:
        """A FlexClone, mounted under its name and as large as asked."""
        if (found := self.find(name)) is None:
            clone = {"is_flexclone": True, "parent_volume": {"name": parent}, "parent_snapshot": {"name": snapshot}}
            body = {"name": name, "svm": {"name": self.svm}, "comment": comment, "clone": clone}
            self._post(body, f"clone snapshot {snapshot} of volume {parent}")
            found = self.get(name)
        self.grow(found, size)
        return self.mounted(self.get(name))

    def mounted(self, volume: Found) -> Found:
        if volume.path:
            return volume
        self._patch(volume, {"nas": {"path": f"/{volume.name}"}}, f"mount volume {volume.name}")
        return self.get(volume.name)

    def grow(self, volume: Found, size: int) -> None:
        if volume.size < size:
            self._patch(volume, {"size": size}, f"enlarge volume {volume.name}")

    def rename(self, volume: Found, name: str) -> Found:
        self._patch(volume, {"name": name}, f"rename volume {volume.name}")
        return self.get(name)

    def delete(self, name: str) -> None:
        """Remove it and its data. A clone that it is the parent of keeps it, as ONTAP's answer says then."""
        if (found := self.find(name)) is None:
            return
        if found.path:
            self._patch(found, {"nas": {"path": ""}}, f"unmount volume {name}")
        with _told(f"delete volume {name}"):
            self._of(_kind("Volume")(uuid=found.uuid)).delete(poll=True, **POLL)

    def snapshots(self, volume: Found, name: str = "*") -> list[dict[str, Any]]:
        with _told(f"list the snapshots of volume {volume.name}"):
            found = _kind("Snapshot").get_collection(
                volume.uuid, connection=self.connection, name=name, fields="create_time,uuid,name"
            )
            return [each.to_dict() for each in found]

    def ensure_snapshot(self, volume: Found, name: str) -> dict[str, Any]:
        if not (found := self.snapshots(volume, name)):
            with _told(f"make snapshot {name} of volume {volume.name}"):
                self._of(_kind("Snapshot")(volume.uuid, name=name)).post(poll=True, **POLL)
            found = self.snapshots(volume, name)
        return found[0]

    def delete_snapshot(self, volume: str, name: str) -> None:
        if (found := self.find(volume)) is None:
            return
        for each in self.snapshots(found, name):
            with _told(f"delete snapshot {name} of volume {volume}"):
                self._of(_kind("Snapshot")(found.uuid, uuid=each["uuid"])).delete(poll=True, **POLL)

    def _post(self, body: dict[str, Any], asked: str) -> None:
        with _told(asked):
            self._of(_kind("Volume").from_dict(body)).post(poll=True, **POLL)

    def _patch(self, volume: Found, body: dict[str, Any], asked: str) -> None:
        resource, wanted = (_kind("Volume").from_dict(each) for each in ({"uuid": volume.uuid}, body))
        for field in body:  # the client sends what was set since it was made
            setattr(resource, field, getattr(wanted, field))
        with _told(asked):
            self._of(resource).patch(poll=True, **POLL)

    def _of(self, resource: Any) -> Any:
        resource.set_connection(self.connection)
        return resource


def _kind(name: str) -> Any:
    """A class of the official client's, which loads them when they are first used."""
    from netapp_ontap import resources

    return getattr(resources, name)


@contextmanager
def _told(asked: str) -> Iterator[None]:
    from netapp_ontap.error import NetAppRestError

    try:
        yield
    except NetAppRestError as error:
        body = error.response_body if error.status_code is not None else None
        said = (body.get("error") or {}).get("message") if isinstance(body, dict) else None
        raise OntapRefused(f"could not {asked}: {said or error}") from error
    except OSError as error:  # the client's own errors of the network are of this kind
        raise OntapRefused(f"could not {asked}: ONTAP gave no answer: {error}") from error


def volume_name(uid: str, prefix: str = "trident_") -> str:
    """As Trident calls the volume of a claim with this uid."""
    return f"{prefix}pvc_{uid.replace('-', '_')}"


def password() -> str:
    """From the environment, so that no list of processes shows it."""
    return os.environ["TRIDENT_STAND_IN_PASSWORD"]
