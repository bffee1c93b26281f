"""KServe's InferenceServices: one for each model, changed to another version and back; KServe rolls the change out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ontap_mlops.kubernetes.api import Cluster, Manifest
from ontap_mlops.kubernetes.errors import NameTaken, NotReady, sentence, short
from ontap_mlops.kubernetes.waits import not_yet
from ontap_mlops.kubernetes_manifests import kserve
from ontap_mlops.kubernetes_manifests.kserve import BEFORE, BEFORE_VERSION, VERSION
from ontap_mlops.kubernetes_manifests.labels import is_ours

KIND = "InferenceService"
_BROKEN = ("InvalidSpec", "BlockedByFailedLoad")


def find(cluster: Cluster, *, name: str, namespace: str) -> Manifest | None:
    """Raises NameTaken for one without our label."""
    found = cluster.find(KIND, name, namespace)
    if found is not None and not is_ours(found):
        asked = f"serve by {KIND} {namespace}/{name}"
        raise sentence(NameTaken, cluster.host, asked, "it does not carry our label, so it was not made here")
    return found


def change(cluster: Cluster, manifest: Mapping[str, Any], *, version: int) -> Manifest:
    """Let it serve the version of the manifest, and remember what served before. Asked again, it changes nothing."""
    meta, uri = manifest["metadata"], uri_of(manifest)
    found = find(cluster, name=meta["name"], namespace=meta["namespace"])
    if found is None:
        notes = {VERSION: str(version), BEFORE: "", BEFORE_VERSION: ""}
        return cluster.ensure({**manifest, "metadata": {**meta, "annotations": notes}})
    if uri_of(found) == uri:
        return found
    notes = {VERSION: str(version), BEFORE: uri_of(found), BEFORE_VERSION: note_of(found, VERSION)}
    return cluster.patch(KIND, meta["name"], kserve.replaced(uri, notes), meta["namespace"])


def put_back(cluster: Cluster, *, name: str, namespace: str, uri: str) -> str:
    """Undo ``change`` where that is what is asked for now: return the folder served again, or empty if it is gone."""
    found = find(cluster, name=name, namespace=namespace)
    if found is None:
        return ""
    if uri_of(found) != uri:
        return uri_of(found)
    before = note_of(found, BEFORE)
    if not before:
        cluster.delete(KIND, name, namespace, uid=found["metadata"]["uid"])
        return ""
    notes = {VERSION: note_of(found, BEFORE_VERSION), BEFORE: None, BEFORE_VERSION: None}
    cluster.patch(KIND, name, kserve.replaced(before, notes), namespace)
    return before


def serves(found: Mapping[str, Any] | None, uri: str) -> bool:
    """Whether clients are answered from this folder, and from nothing else any more."""
    if found is None or uri_of(found) != uri:
        return False
    status, model = found.get("status") or {}, (found.get("status") or {}).get("modelStatus") or {}
    if status.get("observedGeneration", 0) < found["metadata"]["generation"]:
        return False
    ready = any(each.get("type") == "Ready" and each.get("status") == "True" for each in status.get("conditions") or [])
    return ready and model.get("transitionStatus", "UpToDate") == "UpToDate"


def wait(cluster: Cluster, *, name: str, namespace: str, uri: str, limit_s: float, pause_s: float = 2.0) -> Manifest:
    """Return the InferenceService when it serves the folder. Raises NotReady with KServe's own reason."""
    asked, deadline = f"serve {uri} by {KIND} {namespace}/{name}", time.time() + limit_s
    while True:
        found = find(cluster, name=name, namespace=namespace)
        if found is None:
            raise sentence(NotReady, cluster.host, asked, "it was deleted meanwhile")
        if serves(found, uri):
            return found
        state, broken = _state(found)
        if broken:
            raise sentence(NotReady, cluster.host, asked, state)
        not_yet(cluster, found, asked=asked, state=state, deadline=deadline)
        time.sleep(pause_s)


def uri_of(found: Mapping[str, Any]) -> str:
    return str(found["spec"]["predictor"].get("model", {}).get("storageUri") or "")


def note_of(found: Mapping[str, Any], name: str) -> str:
    return str((found["metadata"].get("annotations") or {}).get(name) or "")


def _state(found: Mapping[str, Any]) -> tuple[str, bool]:
    """How it stands, in KServe's words, and whether it will not get ready by itself."""
    status = found.get("status") or {}
    if status.get("observedGeneration", 0) < found["metadata"]["generation"]:
        return "KServe has not looked at it yet", False
    model = status.get("modelStatus") or {}
    failure = model.get("lastFailureInfo") or {}
    if model.get("transitionStatus") in _BROKEN:
        said = ": ".join(str(failure[key]) for key in ("reason", "message") if failure.get(key))
        return short(f"its model is {model['transitionStatus']}: {said}"), True
    for condition in status.get("conditions") or []:
        if condition.get("status") == "False" and condition.get("message"):
            return short(f"{condition['type']} is not: {condition['message']}"), False
    return "it is not ready", False
