"""The labels by which everything that this project makes on a cluster is found again."""

from __future__ import annotations

import re
from collections.abc import Mapping

MANAGED_BY = "app.kubernetes.io/managed-by"
OURS = "ontap-mlops"
RUN = "ontap-mlops/run"
WORKLOAD = "ontap-mlops/workload"
PROJECT = "ontap-mlops/project"
DATASET_VERSION = "ontap-mlops/dataset-version"
SERVER = "ontap-mlops/server"


def labels(
    *,
    workload: str | None = None,
    run: str | None = None,
    project: str | None = None,
    dataset_version: str | None = None,
) -> dict[str, str]:
    """Return the labels of an object: our mark, and what it belongs to as far as that is known."""
    known = {WORKLOAD: workload, RUN: run, PROJECT: project, DATASET_VERSION: dataset_version}
    return {MANAGED_BY: OURS, **{key: value_of(value) for key, value in known.items() if value}}


def value_of(text: str) -> str:
    """Return the text as a label's value: up to 63 of letters, digits, ``-``, ``_``, ``.``, no sign at either end."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:63].strip("-_.")


def selector(wanted: Mapping[str, str]) -> str:
    """Return the selector that finds objects with all of these labels."""
    return ",".join(f"{key}={value}" for key, value in wanted.items())


def is_ours(manifest: Mapping[str, object]) -> bool:
    """Whether an object carries our mark."""
    metadata = manifest.get("metadata")
    found = metadata.get("labels") if isinstance(metadata, Mapping) else None
    return isinstance(found, Mapping) and found.get(MANAGED_BY) == OURS
