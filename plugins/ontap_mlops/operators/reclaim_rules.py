"""What of ours on an SVM nobody needs any more, and why the rest stays: judged for the reclaimer, kind by kind.

Each kind is judged by what judges it for its own operator (decision 17). Whatever cannot be asked counts as a need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ontap_mlops import registry, settings
from ontap_mlops.operators import model_versions, reclaim_clones, versions
from ontap_mlops.operators.reclaim_items import Item, Removers, Rules, unanswered

if TYPE_CHECKING:
    from ontap_mlops.ontap.client import Client
    from ontap_mlops.ontap.reclaim import Contents
    from ontap_mlops.ontap.snapshots import Snapshot
    from ontap_mlops.ontap.volumes import Volume


@dataclass(frozen=True, kw_only=True)
class Judgement:
    items: list[Item]
    contents: Contents
    remove: Removers


def judge(client: Client, rules: Rules) -> Judgement:
    """Look at all there is and say of each thing of ours whether it may go, with the bytes that this frees."""
    from ontap_mlops.ontap import cluster, reclaim

    contents, now = reclaim.look(client, svm=rules.svm), cluster.now(client)
    remove: Removers = {}
    reasons = _of_versions(client, rules, contents) | _of_models(client, rules, contents, remove)
    items = [
        _snapshot(client, rules, contents, volume, snapshot, kind, reasons, now, remove)
        for volume, snapshot, kind in contents.ours()
    ]
    items += reclaim_clones.judged(client, rules, contents, now, remove)
    return Judgement(items=_with_bytes(client, rules, contents, items), contents=contents, remove=remove)


def _snapshot(
    client: Client,
    rules: Rules,
    contents: Contents,
    volume: Volume,
    snapshot: Snapshot,
    kind: str,
    reasons: Mapping[str, str | None],
    now: datetime,
    remove: Removers,
) -> Item:
    from ontap_mlops.ontap import reclaim

    reason = reasons[snapshot.uuid] if snapshot.uuid in reasons else _of_kind(rules, kind, snapshot, now)
    reason = reason or reclaim.held(contents, snapshot, now)
    if reason is None:
        remove.setdefault(snapshot.uuid, lambda: _removed(client, snapshot))
    return Item(
        kind=kind,
        name=snapshot.name,
        volume=volume.name,
        uuid=snapshot.uuid,
        created_at=snapshot.created_at,
        reason=reason,
    )


def _of_kind(rules: Rules, kind: str, snapshot: Snapshot, now: datetime) -> str | None:
    """Why a snapshot stays of which nothing else is known; None where its own rule says that it is old."""
    from ontap_mlops.ontap import reclaim, restoring

    if kind == reclaim.DATASET_VERSION:
        return "its dataset is not in datasets.yaml here, so nobody can say who needs it"
    if kind == reclaim.MODEL_VERSION:
        return "MLflow knows no model version with it here, so nobody can say who needs it"
    if kind == reclaim.LEASE:
        return (
            f"{snapshot.comment.rpartition(' ')[2]} holds it, and gives it up (DAG roll_back, where that run is dead)"
        )
    if restoring.is_safety(snapshot):
        return _of_safety(rules, snapshot, now)
    return "no rule says when it is old; OntapSnapshotExpireOperator removes it by one that you give"


def _of_safety(rules: Rules, snapshot: Snapshot, now: datetime) -> str | None:
    days = settings.keep_safety_snapshots_days() if rules.safety_days is None else rules.safety_days
    until = datetime.fromisoformat(snapshot.created_at) + timedelta(days=days)
    if until <= now:
        return None
    return f"it holds the volume as it was before a restore, and stays for {days:g} days, until {until:%Y-%m-%d %H:%M}"


def _of_versions(client: Client, rules: Rules, contents: Contents) -> dict[str, str | None]:
    """UUID of each dataset version's snapshot to the reason why it stays; None where none is known."""
    there, found = {volume.name for volume in contents.volumes}, {}
    for dataset in registry.usable().values():
        here = dataset.ontap_conn_id == rules.conn_id and dataset.svm in ("", None, rules.svm)
        if not here or dataset.volume not in there:
            continue
        try:
            judged = versions.judged(client, svm=rules.svm, dataset=dataset, mlflow_conn_id=rules.mlflow_conn_id)
            found.update({one.version.snapshot_uuid: one.reason for one in judged})
        except unanswered() as error:
            known = [s for v, s, _ in contents.ours() if v.name == dataset.volume]
            found.update({s.uuid: f"it cannot be asked who needs it: {error}" for s in known if _is_version(s)})
    return found


def _is_version(snapshot: Snapshot) -> bool:
    from ontap_mlops.ontap import dataset_versions

    return dataset_versions.is_version(snapshot)


def _of_models(client: Client, rules: Rules, contents: Contents, remove: Removers) -> dict[str, str | None]:
    """UUID of each model version's snapshot to the reason why it stays, and how to remove those without one."""
    from ontap_mlops.ontap import model_versions as on_ontap
    from ontap_mlops.ontap import reclaim

    ours: dict[tuple[str, str], tuple[Volume, list[Snapshot]]] = {}
    for volume, snapshot, kind in contents.ours():
        if kind == reclaim.MODEL_VERSION:
            key = (on_ontap.model_of(snapshot), volume.uuid)
            ours.setdefault(key, (volume, []))[1].append(snapshot)
    found: dict[str, str | None] = {}
    for (model, _), (volume, there) in ours.items():
        try:
            found |= _of_model(client, rules, model, volume, there, remove)
        except unanswered() as error:
            found |= {snapshot.uuid: f"it cannot be asked who needs it: {error}" for snapshot in there}
    return found


def _of_model(
    client: Client,
    rules: Rules,
    model: str,
    volume: Volume,
    there: list[Snapshot],
    remove: Removers,
) -> dict[str, str | None]:
    from ontap_mlops.hooks.mlflow import MlflowHook

    if (claim := model_versions.claimed(client, volume, model, rules.run_key)) is not None:
        return {snapshot.uuid: f"a run that goes on may deploy it: {claim}" for snapshot in there}
    mlflow = MlflowHook(rules.mlflow_conn_id)
    found: dict[str, str | None] = {}
    for one in model_versions.judged(mlflow, model, volume, there, keep_newest=rules.keep_newest_models):
        if one.snapshot is not None:
            found[one.snapshot.uuid] = one.reason
            if one.reason is None:
                remove[one.snapshot.uuid] = lambda one=one: model_versions.remove(client, mlflow, one)  # type: ignore[misc]
    return found


def _with_bytes(client: Client, rules: Rules, contents: Contents, items: list[Item]) -> list[Item]:
    """The bytes of what may go: nothing else is worth the work that ONTAP has with it."""
    from ontap_mlops.ontap import reclaim

    going = {item.uuid for item in items if item.reason is None}
    freed = reclaim.freed_by_snapshots(client, [s for _, s, _ in contents.ours() if s.uuid in going])
    clones = [volume for volume in contents.volumes if volume.is_clone and volume.uuid in going]
    freed |= reclaim.freed_by_clones(client, svm=rules.svm, wanted=clones)
    return [replace(item, bytes=freed.get(item.uuid, item.bytes)) for item in items]


def _removed(client: Client, snapshot: Snapshot) -> str | None:
    from ontap_mlops.ontap import snapshots
    from ontap_mlops.ontap.errors import Busy

    try:
        snapshots.delete(client, volume_uuid=snapshot.volume_uuid, name=snapshot.name)
    except Busy as busy:
        return str(busy)
    return None
