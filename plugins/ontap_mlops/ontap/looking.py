"""Looks at one state of ONTAP, as sensors and ``triggers.polling`` ask: ``done``, ``payload``, ``lines``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ontap_mlops import names
from ontap_mlops.ontap import dataset_versions, snapshots, volumes
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.errors import InvalidRequest


def newer_version(
    client: Client,
    *,
    svm: str,
    volume: str,
    dataset: str,
    newer_than: str = "",
    adopt_names: Sequence[str] = (),
    adopt_labels: Sequence[str] = (),
) -> dict[str, Any]:
    """Tell whether the dataset has a version newer than a version (by id) or a time, and return the newest.

    Raises InvalidRequest when ``newer_than`` is neither an id nor a time, or the id of no version there is or was.
    """
    adopt = dataset_versions.Adoption(tuple(adopt_names), tuple(adopt_labels))
    versions = dataset_versions.list_versions(client, svm=svm, volume=volume, dataset=dataset, adopt=adopt)
    newest = versions[-1] if versions else None
    if newest is None or newest.id == newer_than or dataset_versions.when(newest) <= _after(newer_than, versions):
        held = f"its newest is {newest.id} of {newest.created_at}" if newest else "it has none"
        return {
            "done": False,
            "lines": [f"Dataset {dataset} has no version newer than {newer_than or 'none'}: {held}."],
        }
    return {"done": True, "payload": newest.to_json()}


def snapshot(
    client: Client, *, svm: str, volume: str, name: str = "*", label: str = "", newer_than: str = ""
) -> dict[str, Any]:
    """Tell whether the volume has a snapshot of this name (or pattern) and label, and return the newest."""
    after = _time(newer_than) if newer_than else None
    home = volumes.get(client, svm=svm, name=volume)
    found = [
        each
        for each in snapshots.list_snapshots(client, volume_uuid=home.uuid, name=name)
        if label in ("", each.label) and (after is None or datetime.fromisoformat(each.created_at) > after)
    ]
    if not found:
        return {"done": False}
    newest = found[-1]
    facts = {"uuid": newest.uuid, "name": newest.name, "volume_uuid": home.uuid, "created_at": newest.created_at}
    return {"done": True, "payload": facts | {"comment": newest.comment, "label": newest.label}}


def _after(newer_than: str, versions: Sequence[Any]) -> datetime:
    """Return the time after which a version is newer. One that has been removed is remembered by the time in its id."""
    if not newer_than:
        return datetime.min.replace(tzinfo=UTC)
    known = next((v for v in versions if newer_than in (v.id, v.snapshot, v.snapshot_uuid)), None)
    if known is not None:
        return dataset_versions.when(known)
    if (id_ := names.id_in(newer_than)) is not None:
        return datetime.strptime(id_[1:17], "%Y%m%dt%H%M%Sz").replace(tzinfo=UTC)
    return _time(newer_than)


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(
            f"newer_than is {text!r}, which is neither a version's id nor a time; give it like 2026-11-20T06:00:00Z."
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
