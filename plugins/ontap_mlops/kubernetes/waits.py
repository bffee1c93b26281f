"""Waiting on the cluster with a limit: past it, the error carries the last event that the cluster has to tell."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ontap_mlops.kubernetes.api import Cluster, Manifest
from ontap_mlops.kubernetes.errors import NotReady, sentence, short


def until(limit_s: float | None) -> float | None:
    """Return the time, in seconds since 1970, at which a wait that begins now is over."""
    return None if limit_s is None else time.time() + limit_s


def not_yet(cluster: Cluster, found: Mapping[str, Any], *, asked: str, state: str, deadline: float | None) -> Manifest:
    """Return what a look says that is not done; its line changes with the cluster's last warning.

    :param asked: completes "was asked to ..."; ``state`` says how it stands.
    :param deadline: from ``until``; NotReady is raised past it.
    """
    metadata = found["metadata"]
    warning = cluster.last_warning(metadata["uid"], metadata.get("namespace") or "default")
    said = f"{state}; the cluster's last warning is: {short(warning)}" if warning else f"{state}, without a warning"
    if deadline is not None and time.time() > deadline:
        raise sentence(NotReady, cluster.host, asked, f"nothing more within the time limit: {said}")
    return {"done": False, "cursor": said, "lines": [f"Waiting to {asked}: {said}."]}


def told_before(look: Manifest, cursor: str | None) -> Manifest:
    """Leave out the line of a look that an earlier one has told."""
    return {**look, "lines": []} if look.get("cursor") == cursor else look
