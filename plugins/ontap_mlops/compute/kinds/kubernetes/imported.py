"""Claims on volumes that Trident imports for programs: one for each volume, for as long as any of them holds it.

Trident serves a volume by one claim at a time, and programs share volumes. So a claim is owned by the Jobs of all
that mount it, and the cluster removes it after the last one. The volume itself stays whose it is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ontap_mlops.kubernetes import claims, volumes
from ontap_mlops.kubernetes.api import Cluster, Manifest
from ontap_mlops.kubernetes.errors import Conflict, NameTaken, sentence
from ontap_mlops.kubernetes_manifests import jobs, labels, storage

SIZE_BYTES = 20 * 1024**2  # ONTAP's smallest volume: a claim asks for no more than its volume has
_GOING_S, _LOOK_S = 90.0, 0.5


@dataclass(frozen=True)
class Imported:
    """A volume by its name in ONTAP, served by a back end of Trident's."""

    volume: str
    backend: str
    storage_class: str

    @property
    def claim(self) -> str:
        return re.sub(r"[^a-z0-9-]+", "-", f"ontap-mlops-{self.volume}".lower())[:63].strip("-")


def hold(cluster: Cluster, imported: Imported, job: Manifest) -> None:
    """Have the claim, held by this Job too. Safe to call again, and side by side.

    One that the cluster is removing is waited for. Raises NameTaken for a claim on something else, NotFound for a back
    end or a class that is not there, and Conflict when the cluster takes too long.
    """
    wanted = _manifest(cluster, imported, check(cluster, imported), job)
    deadline = time.monotonic() + _GOING_S
    while True:
        try:
            return _held(cluster, cluster.ensure(wanted), wanted, job)
        except Conflict:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_S)


def check(cluster: Cluster, imported: Imported) -> str:
    """Return the UUID of the back end. Raises NotFound where there is none of that name, or no such class."""
    asked = f"make claim {cluster.namespace}/{imported.claim} on volume {imported.volume}"
    claims.require_class(cluster, imported.storage_class, asked=asked)
    return volumes.backend_uuid(cluster, imported.backend, cluster.namespace)


def _held(cluster: Cluster, found: Manifest, wanted: Manifest, job: Manifest) -> None:
    name, notes = found["metadata"]["name"], found["metadata"].get("annotations") or {}
    asked = f"make claim {cluster.namespace}/{name}"
    for key, value in wanted["metadata"]["annotations"].items():
        if notes.get(key) != value:
            raise sentence(NameTaken, cluster.host, asked, f"one is there with {key} {notes.get(key)!r}, not {value!r}")
    owners = found["metadata"].get("ownerReferences") or []
    if any(owner["uid"] == job["metadata"]["uid"] for owner in owners):
        return
    if not any(_is_there(cluster, owner) for owner in owners):
        raise sentence(Conflict, cluster.host, asked, "nobody holds the one of that name any more, so it is going")
    version = found["metadata"]["resourceVersion"]  # so that nobody who comes to hold it meanwhile is forgotten
    changes = {"resourceVersion": version, "ownerReferences": [*owners, jobs.owned_by(job)]}
    cluster.patch(claims.KIND, name, {"metadata": changes})


def _is_there(cluster: Cluster, owner: Mapping[str, Any]) -> bool:
    job = cluster.find("Job", owner["name"])
    return job is not None and job["metadata"]["uid"] == owner["uid"] and not job["metadata"].get("deletionTimestamp")


def _manifest(cluster: Cluster, imported: Imported, backend_uuid: str, job: Manifest) -> Manifest:
    made = storage.claim(
        name=imported.claim,
        namespace=cluster.namespace,
        size_bytes=SIZE_BYTES,
        labels=labels.labels(),
        storage_class=imported.storage_class,
        annotations=storage.import_annotations(volume=imported.volume, backend_uuid=backend_uuid),
    )
    made["metadata"]["ownerReferences"] = [jobs.owned_by(job)]
    return made
