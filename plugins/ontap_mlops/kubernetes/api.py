"""A cluster: the versions of its API, and objects as plain dictionaries, found, made and deleted by name."""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ontap_mlops.kubernetes.errors import (
    Conflict,
    InvalidRequest,
    NameTaken,
    NoSuchKind,
    NotFound,
    sentence,
    told,
)
from ontap_mlops.kubernetes_manifests.labels import is_ours, selector

Manifest = dict[str, Any]
_TIMEOUT_S = (10.0, 60.0)  # to connect, and between two bytes of an answer
_GROUPS = {
    "Job": "batch",
    "Deployment": "apps",
    "StorageClass": "storage.k8s.io",
    "VolumeSnapshot": "snapshot.storage.k8s.io",
    "VolumeSnapshotClass": "snapshot.storage.k8s.io",
    "VolumeSnapshotContent": "snapshot.storage.k8s.io",
    "CustomResourceDefinition": "apiextensions.k8s.io",
    "PriorityClass": "scheduling.k8s.io",
    "Role": "rbac.authorization.k8s.io",
    "RoleBinding": "rbac.authorization.k8s.io",
    "InferenceService": "serving.kserve.io",
}
"""API group of the kinds that are not in the core group; of any other kind, give ``group/Kind``."""


@dataclass(frozen=True)
class Resource:
    """Where objects of one kind live: ``api_version`` as a manifest says it, ``plural`` as a path does."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool

    def path(self, namespace: str | None, name: str | None = None) -> str:
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        where = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{where}/{self.plural}" + (f"/{name}" if name else "")


class Cluster:
    """One cluster through one client. Safe to use from several threads.

    ``kind`` is a name such as ``Job`` or ``kueue.x-k8s.io/LocalQueue``; the version is read from the cluster, once.
    ``namespace`` is used where a call names none. Every call raises ``KubernetesError``.
    """

    def __init__(self, client: Any, namespace: str = "default") -> None:
        self.client = client
        self.namespace = namespace
        self.host = re.sub(r"^https?://", "", client.configuration.host)
        self._resources: dict[str, Resource] = {}
        self._version: tuple[int, int] | None = None
        self._lock = threading.Lock()

    def within(self, namespace: str) -> Cluster:
        """Return the same cluster with another namespace where a call names none."""
        other = copy.copy(self)  # what is known of the cluster is shared
        other.namespace = namespace
        return other

    def version(self) -> tuple[int, int]:
        """Return the API server's version, such as (1, 31)."""
        if self._version is None:
            told_version = self.call("GET", "/version", asked="tell its version")
            major, minor = (re.sub(r"\D.*", "", str(told_version.get(key, "0"))) for key in ("major", "minor"))
            self._version = int(major or 0), int(minor or 0)
        return self._version

    def resource(self, kind: str) -> Resource:
        """Return where this kind lives, in the version that the cluster prefers. Raises NoSuchKind."""
        with self._lock:
            if kind not in self._resources:
                self._resources[kind] = self._discovered(kind)
            return self._resources[kind]

    def has(self, kind: str) -> bool:
        """Whether the cluster's API has this kind."""
        try:
            self.resource(kind)
        except NoSuchKind:
            return False
        return True

    def find(self, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        """Return the object, or None where there is none (nor a namespace of that name)."""
        where = self._where(namespace)
        try:
            return self.call(
                "GET", self.resource(kind).path(where, name), asked=f"show {self.title(kind, name, where)}"
            )
        except NotFound:
            return None

    def select(
        self,
        kind: str,
        labels: Mapping[str, str] | None = None,
        namespace: str | None = None,
        *,
        fields: Mapping[str, str] | None = None,
        remembered: bool = False,
    ) -> list[Manifest]:
        """Return the objects with these labels (and fields, such as ``involvedObject.uid``).

        ``remembered``: as the API server has them in mind, which may be a moment ago and costs its database nothing.
        """
        query = {"labelSelector": selector(labels or {}), "fieldSelector": selector(fields or {}), "limit": "500"}
        if remembered:
            query["resourceVersion"] = "0"
        where = self._where(namespace)
        found: list[Manifest] = []
        while True:
            path = self.resource(kind).path(where)
            answer = self.call("GET", path, query=query, asked=f"list its {self.resource(kind).plural} in {where}")
            found += answer.get("items") or []
            following = (answer.get("metadata") or {}).get("continue")
            if not following:
                return found
            query["continue"] = following
            query.pop("resourceVersion", None)  # what follows is of the time at which the list began

    def ensure(self, manifest: Mapping[str, Any]) -> Manifest:
        """Return the object of this name, made if it was not there.

        An object that is there is returned as it is, whatever the manifest says; the caller judges whether it fits.
        Raises NameTaken when it lacks our mark, Conflict while it is being deleted.
        """
        kind, name, where = self._names(manifest)
        try:
            return self.create(manifest)
        except NameTaken:
            found = self.find(kind, name, where)
        asked = f"make {self.title(kind, name, where)}"
        if found is None:  # gone in between
            return self.create(manifest)
        if not is_ours(found):
            raise sentence(NameTaken, self.host, asked, "one of that name exists that does not carry our label")
        if found["metadata"].get("deletionTimestamp"):
            raise sentence(Conflict, self.host, asked, "one of that name is being deleted")
        return found

    def create(self, manifest: Mapping[str, Any]) -> Manifest:
        """Make it. Its ``apiVersion`` is replaced by the cluster's own. Raises NameTaken when it exists."""
        kind, name, where = self._names(manifest)
        resource = self.resource(kind)
        body = {**manifest, "apiVersion": resource.api_version, "kind": resource.kind}
        return self.call("POST", resource.path(where), body=body, asked=f"make {self.title(kind, name, where)}")

    def patch(self, kind: str, name: str, changes: Mapping[str, Any], namespace: str | None = None) -> Manifest:
        """Merge ``changes`` into the object (JSON merge patch: None removes a field)."""
        where = self._where(namespace)
        path, asked = self.resource(kind).path(where, name), f"change {self.title(kind, name, where)}"
        return self.call("PATCH", path, body=changes, asked=asked, content_type="application/merge-patch+json")

    def delete(
        self,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        grace_s: int | None = None,
        uid: str | None = None,
        foreground: bool = False,
    ) -> bool:
        """Delete it and what it owns, after it or, ``foreground``, before it. Return False where it was not there.

        ``uid`` lets only that object be deleted, not a later one of its name. Deletion goes on after the answer.
        """
        where = self._where(namespace)
        options: Manifest = {"kind": "DeleteOptions", "apiVersion": "v1"}
        options["propagationPolicy"] = "Foreground" if foreground else "Background"
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        if uid:
            options["preconditions"] = {"uid": uid}
        path, asked = self.resource(kind).path(where, name), f"delete {self.title(kind, name, where)}"
        try:
            self.call("DELETE", path, body=options, asked=asked)
        except NotFound:
            return False
        except Conflict as error:
            if uid and "uid" in str(error).lower():  # a later one of that name
                return False
            raise
        return True

    def events(self, uid: str, namespace: str | None = None) -> list[Manifest]:
        """Return what the cluster tells of one object, oldest first."""
        found = self.select("Event", namespace=namespace, fields={"involvedObject.uid": uid})
        return sorted(found, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))

    def last_warning(self, uid: str, namespace: str | None = None) -> str:
        """Return the newest warning about an object as ``Reason: message``; empty where there is none."""
        warnings = [event for event in self.events(uid, namespace) if event.get("type") == "Warning"]
        return f"{warnings[-1].get('reason')}: {warnings[-1].get('message', '').strip()}" if warnings else ""

    def text(self, path: str, query: Mapping[str, str], asked: str) -> bytes:
        """Return an answer that is no JSON, such as a log."""
        return self._call("GET", path, query=query, asked=asked)

    def call(
        self,
        method: str,
        path: str,
        *,
        asked: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        """Send one request and return the answer's JSON."""
        data = self._call(method, path, asked=asked, body=body, query=query, content_type=content_type)
        try:
            return json.loads(data)
        except ValueError:
            raise sentence(InvalidRequest, self.host, asked, f"no JSON but {data[:200]!r}") from None

    def title(self, kind: str, name: str, namespace: str | None = None) -> str:
        """Return what messages call an object."""
        resource = self._resources.get(kind)
        where = f"{self._where(namespace)}/" if resource is None or resource.namespaced else ""
        return f"{kind.rpartition('/')[2]} {where}{name}"

    def _call(
        self,
        method: str,
        path: str,
        *,
        asked: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> bytes:
        with told(self.host, asked):
            answer = self.client.call_api(
                path,
                method,
                query_params=[(key, value) for key, value in (query or {}).items() if value],
                header_params={"Accept": "application/json, */*", "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=_TIMEOUT_S,
            )
            return answer.data

    def _where(self, namespace: str | None) -> str:
        return namespace or self.namespace

    def _names(self, manifest: Mapping[str, Any]) -> tuple[str, str, str]:
        """Kind with its group, name and namespace of a manifest."""
        group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
        kind, metadata = manifest["kind"], manifest["metadata"]
        full = f"{group}/{kind}" if group and _GROUPS.get(kind) != group else kind
        return full, metadata["name"], self._where(metadata.get("namespace"))

    def _discovered(self, kind: str) -> Resource:
        group, _, name = kind.rpartition("/")
        group = group or _GROUPS.get(name, "")
        asked = f"tell how it calls objects of kind {name}" + (f" of group {group}" if group else "")
        try:
            version = self.call("GET", f"/apis/{group}", asked=asked)["preferredVersion"] if group else {}
            api_version = version.get("groupVersion", "v1")
            root = f"/apis/{api_version}" if group else "/api/v1"
            known = self.call("GET", root, asked=asked)["resources"]
        except NotFound:
            known = []
        for each in known:
            if each["kind"] == name and "/" not in each["name"]:
                return Resource(api_version, name, each["name"], each["namespaced"])
        raise sentence(NoSuchKind, self.host, asked, f"it has no kind {name}")
