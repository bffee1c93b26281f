"""Servers in pods that stay: made once, changed when asked for otherwise, waited for, ended at their time."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ontap_mlops.kubernetes.api import Cluster, Manifest
from ontap_mlops.kubernetes.errors import NameTaken, NotFound, NotReady, sentence, short
from ontap_mlops.kubernetes.waits import not_yet, told_before
from ontap_mlops.kubernetes_manifests import servers
from ontap_mlops.kubernetes_manifests.labels import SERVER, is_ours
from ontap_mlops.kubernetes_manifests.servers import UNTIL, Server

KIND = "Deployment"
_STOPPING_S, _LOOK_S = 20.0, 0.5  # in which the cluster's collector tells the pods of what is deleted
_ASKED = "ontap-mlops/asked"
"""Annotation: digest of what was asked for, so that a retry changes nothing and another wish does."""


def ensure(cluster: Cluster, server: Server, *, service: str = "ClusterIP") -> Manifest:
    """Return the server's Deployment; ``look`` tells when it is ready.

    A token is made once, and stays while the server does. Raises NotFound for a claim that there is not, and NameTaken
    for a Deployment, Service or Secret without our label.
    """
    asked = f"run server {server.namespace}/{server.name}"
    for folder in server.folders:
        if cluster.find("PersistentVolumeClaim", folder.claim, server.namespace) is None:
            raise sentence(NotFound, cluster.host, asked, f"there is no claim {server.namespace}/{folder.claim}")
    if server.secret:
        cluster.ensure(servers.token(server, secrets.token_urlsafe(32)))
    wanted = servers.deployment(server)
    digest = hashlib.sha256(json.dumps(wanted["spec"], sort_keys=True).encode()).hexdigest()[:16]
    notes = {**server.annotations, _ASKED: digest}
    wanted["metadata"]["annotations"] = notes
    made = cluster.ensure(wanted)
    cluster.ensure(servers.service(server, service))
    theirs = made["metadata"].get("annotations") or {}
    if any(theirs.get(key) != value for key, value in notes.items()):
        changes: Manifest = {"metadata": {"annotations": notes, "labels": wanted["metadata"]["labels"]}}
        if theirs.get(_ASKED) != digest:
            changes["spec"] = wanted["spec"]
        made = cluster.patch(KIND, server.name, changes, server.namespace)
    return made


def look(
    cluster: Cluster,
    *,
    name: str,
    namespace: str,
    uid: str,
    port: int,
    deadline: float | None = None,
    cursor: str | None = None,
) -> Manifest:
    """Tell whether a server answers as it was last asked for, as a PollingTrigger asks.

    Raises NotReady past the deadline with what its pod waits for, after a server that was never ready is removed.
    """
    asked, found = f"run server {namespace}/{name}", cluster.find(KIND, name, namespace)
    if found is None or found["metadata"]["uid"] != uid:
        raise sentence(NotFound, cluster.host, asked, "it was deleted meanwhile")
    if is_ready(found):
        return {"done": True, "payload": facts(cluster, found, port)}
    pod = _newest_pod(cluster, name, namespace)
    state = _waits_for(pod) if pod else "it has no pod yet"
    try:
        return told_before(not_yet(cluster, pod or found, asked=asked, state=state, deadline=deadline), cursor)
    except NotReady:
        withdraw(cluster, name=name, namespace=namespace, uid=uid)
        raise


def withdraw(cluster: Cluster, *, name: str, namespace: str, uid: str, **_: Any) -> bool:
    """Remove a server of ours that has never been ready as it was first asked for; anything else stays."""
    found = cluster.find(KIND, name, namespace)
    if found is None or found["metadata"]["uid"] != uid or not is_ours(found):
        return False
    if found["metadata"]["generation"] > 1 or is_ready(found):
        return False
    return delete(cluster, name=name, namespace=namespace)


def is_ready(deployment: Mapping[str, Any]) -> bool:
    """Whether its one pod is as last asked for, and says that it is ready."""
    status = deployment.get("status") or {}
    if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
        return False
    return (status.get("replicas"), status.get("updatedReplicas"), status.get("readyReplicas")) == (1, 1, 1)


def facts(cluster: Cluster, deployment: Mapping[str, Any], port: int) -> Manifest:
    """Return where a server is reached, in plain values. ``pod_url`` is for clusters without services."""
    meta = deployment["metadata"]
    pod = _newest_pod(cluster, meta["name"], meta["namespace"]) or {}
    address = (pod.get("status") or {}).get("podIP") or ""
    return {
        "name": meta["name"],
        "namespace": meta["namespace"],
        "url": f"http://{meta['name']}.{meta['namespace']}.svc:{port}",
        "pod_url": f"http://{address}:{port}" if address else "",
        "until": (meta.get("annotations") or {}).get(UNTIL),
    }


def delete(cluster: Cluster, *, name: str, namespace: str) -> bool:
    """Remove a server of ours with its Service and its token; False where nothing was there. Its claims stay.

    Returns when its pods have been told to stop. Raises NameTaken for one without our label.
    """
    found = cluster.find(KIND, name, namespace)
    if found is not None and not (is_ours(found) and (found["metadata"]["labels"]).get(SERVER) == name):
        asked = f"remove server {namespace}/{name}"
        raise sentence(NameTaken, cluster.host, asked, "it does not carry our label, so it was not made here")
    gone = cluster.delete(KIND, name, namespace)
    for kind in ("Service", "Secret"):
        for each in cluster.select(kind, servers.selector(name), namespace):
            gone = cluster.delete(kind, each["metadata"]["name"], namespace) or gone
    deadline = time.monotonic() + _STOPPING_S
    while _newest_pod(cluster, name, namespace) is not None and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    return gone


def collect(cluster: Cluster, *, namespace: str, now: datetime) -> list[str]:
    """Remove the servers whose time is over and return their names; one whose end is not a time stays."""
    gone = []
    for each in cluster.select(KIND, namespace=namespace):
        until = _end(each)
        if is_ours(each) and until is not None and until <= now:
            name = each["metadata"]["name"]
            delete(cluster, name=name, namespace=namespace)
            gone.append(name)
    return gone


def _end(deployment: Mapping[str, Any]) -> datetime | None:
    try:
        until = datetime.fromisoformat((deployment["metadata"].get("annotations") or {})[UNTIL])
    except (KeyError, ValueError):
        return None
    return until if until.tzinfo else None


def _newest_pod(cluster: Cluster, name: str, namespace: str) -> Manifest | None:
    pods = cluster.select("Pod", servers.selector(name), namespace)
    pods = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    return max(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], default=None)


def _waits_for(pod: Mapping[str, Any]) -> str:
    """What keeps a pod from being ready, in the cluster's words."""
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or []:
        state, last = container.get("state") or {}, (container.get("lastState") or {}).get("terminated") or {}
        held = state.get("waiting") or state.get("terminated")
        if held:
            told = [held.get("reason"), held.get("message"), last.get("reason"), last.get("message")]
            return f"its pod is held by {short(': '.join(str(each) for each in told if each))}"
    for condition in status.get("conditions") or []:
        if condition.get("reason") == "Unschedulable":
            return f"no node takes its pod: {short(condition.get('message'))}"
    return f"its pod is {status.get('phase') or 'new'} and not ready"
