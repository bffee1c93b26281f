"""One id per dataset version and per run, rendered for every place that has its own rules for names.

An id is made of ``[a-z0-9]`` only, so it is the same text in a volume, a snapshot, a bucket, a pod, a folder and a log
line: one search finds them all. Version ids start with ``v``, run keys with ``r``; both sort by time.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

_STAMP = "%Y%m%dt%H%M%Sz"
_ID = re.compile(r"[vr]\d{8}t\d{6}z[0-9a-f]{8}")


def _stamp(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError(f"time {at.isoformat()} has no time zone; give one (UTC is meant nowhere by default)")
    return at.astimezone(UTC).strftime(_STAMP)


def version_id(at: datetime, digest: str) -> str:
    """Id of a dataset version: the time it was checked, by ONTAP's clock, and the head of its content digest (hex)."""
    return f"v{_stamp(at)}{digest.removeprefix('sha256:')[:8]}"


def run_key(dag_id: str, run_id: str, at: datetime) -> str:
    """Id of one DAG run: the same on every try of every task, distinct between runs of the same second."""
    return f"r{_stamp(at)}{hashlib.sha256(f'{dag_id}/{run_id}'.encode()).hexdigest()[:8]}"


def id_in(text: str) -> str | None:
    """The version id or run key inside a rendered name, or None."""
    match = _ID.search(text)
    return match.group() if match else None


def snapshot(id_: str) -> str:
    return f"mlops_{id_}"


def workspace_volume(run_key: str) -> str:
    """Name of the FlexClone made for a run (letters, digits and underscores, as ONTAP asks)."""
    return f"mlops_ws_{run_key}"


def personal_workspace(person: str, name: str) -> str:
    """Name of the FlexClone made for a person: ``mlops_for_<person>__<name>``, short enough for a bucket's name too.

    Raises ValueError for what is no such name. A person's login is written in small letters, digits and underscores.
    """
    who = re.sub(r"[^a-z0-9]+", "_", person.lower()).strip("_")[:20].strip("_")
    if not who:
        raise ValueError(f"the person is {person!r}; name one by letters or digits")
    if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name) or len(name) > 30:
        raise ValueError(f"the workspace name {name!r} does not fit: up to 30 of a-z, 0-9 and single _ between them")
    return f"mlops_for_{who}__{name}"


def personal_server(person: str, name: str) -> str:
    """Name on Kubernetes of what is made for a workspace of a person, such as a claim. Raises as the volume's does."""
    return personal_workspace(person, name).removeprefix("mlops_").replace("_", "-")


def junction_path(volume: str) -> str:
    return f"/{volume}"


def bucket(volume: str) -> str:
    """S3 bucket over a volume: 3 to 63 of lower-case letters, digits and hyphens."""
    name = re.sub(r"[^a-z0-9-]+", "-", volume.lower()).strip("-")
    if not 3 <= len(name) <= 63:
        raise ValueError(f"volume {volume!r} gives the bucket name {name!r}, which is not 3 to 63 characters long")
    return name


def workload(run_key: str, step: str) -> str:
    """Name of one program's run on compute; a valid Kubernetes label (at most 63 of ``[a-z0-9-]``)."""
    name = f"{run_key}-{re.sub(r'[^a-z0-9]+', '-', step.lower()).strip('-')}"
    if len(name) > 63:
        raise ValueError(f"step {step!r} makes the workload name {name!r} longer than 63 characters; shorten the step")
    return name


def model_volume(model: str) -> str:
    """Volume of one model's versions, so that the snapshots of one system never use up those of another."""
    return f"{model}_models"


def edge_volume(model: str, site: str) -> str:
    """Volume from which the server of an edge site reads the versions of a model."""
    return f"{model_volume(model)}_at_{site}"


def edge_inputs_volume(model: str, site: str) -> str:
    """Volume at an edge site for what its server is asked."""
    return f"{model}_inputs_at_{site}"


def edge_inputs_copy(model: str, site: str) -> str:
    """Cache or mirror of that volume at home."""
    return f"{model}_inputs_from_{site}"


def experiment_volume(run_key: str) -> str:
    """Name of the clone that holds the experiment of a run: its data, model and logs (see ``ontap.experiments``)."""
    return f"mlops_exp_{run_key}"


def lease(model: str) -> str:
    """Snapshot of the model volume that says who may change what serves the model (see ``ontap.leases``)."""
    return f"mlops_lease_{model}"


def cache_volume(version_id: str) -> str:
    """Name of a cached dataset version: of the clone at home that is the origin, and of the cache at each site."""
    return f"mlops_cache_{re.sub(r'[^A-Za-z0-9_]+', '_', version_id)}"[:203]


def cache_use(site: str, run_key: str) -> str:
    """Snapshot of that clone which says that a run uses the cache at a site (see ``ontap.cache_uses``)."""
    return f"mlops_use_{site}_{run_key}"


def kubernetes_job(workload: str) -> str:
    """Name of a workload's Job: its own or, where that leaves no room for what is put behind it, begun and digested."""
    if len(workload) <= 50:
        return workload
    return f"{workload[:41].rstrip('-')}-{hashlib.sha256(workload.encode()).hexdigest()[:8]}"
