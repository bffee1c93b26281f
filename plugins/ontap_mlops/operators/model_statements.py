"""What is said of a model version, statement by statement, each with where it can be checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ontap_mlops.hooks import mlflow_pages
from ontap_mlops.records import Deployment, Evidence, ModelVersion

if TYPE_CHECKING:
    from ontap_mlops.hooks.mlflow import MlflowHook
    from ontap_mlops.ontap.client import Client

NOW = "just now"
JUDGED = ("decide", "evaluate")  # tasks whose results tell how the model was judged


class Told:
    def __init__(self) -> None:
        self.statements: list[dict[str, Any]] = []

    def say(self, part: str, name: str, value: Any, where: str, checked: str = "", holds: bool | None = None) -> None:
        """``checked`` is empty for what is told as it was recorded; ``holds`` is False for what is contradicted."""
        facts = {"part": part, "name": name, "value": value if isinstance(value, str) else json.dumps(value)}
        self.statements.append({**facts, "where": where, "checked": checked, "holds": holds})


def identity(told: Told, version: ModelVersion, server: str) -> None:
    page = mlflow_pages.model_page(server, version.model, version.version)
    data, scan = version.dataset_version, version.scan
    told.say("Model", "Name and version", f"{version.model} {version.version}", page, NOW, True)
    told.say("Model", "Registered", version.created_at, page)
    told.say("Model", "Files", f"{version.svm}:{version.volume}/{version.folder}", page)
    told.say("Data", "Dataset and version", f"{data.dataset} {data.id}, of {data.created_at}", page)
    told.say("Data", "Came from", data.source or "not known", f"comment of snapshot {data.snapshot}")
    told.say("Data", "Counts", f"{data.files:,} files, {data.bytes:,} bytes", f"comment of snapshot {data.snapshot}")
    found = ", ".join(f"{kind} in {count} files" for kind, count in scan.get("personal_data", {}).items())
    allowed = f"{found}, allowed by the dataset's rules" if found else "no personal data found"
    told.say("Data", "Scan for personal data", f"{allowed} ({scan['by']})" if scan else "none is recorded", page)
    told.say("Code", "Commit", version.code_commit or "not known", page)
    for name, value in sorted(version.parameters.items()):
        told.say("Parameters", name, value, page)


def training(told: Told, hook: MlflowHook, version: ModelVersion) -> str:
    """Say where and how it was trained; return DAG and run as MLflow has them."""
    from ontap_mlops.hooks.mlflow_service import tags

    run = hook.find_run(version.run_key)
    said = tags(run["data"]) if run else {}
    page = mlflow_pages.run_page(hook.tracking_uri, version.mlflow_run_id)
    told.say("Code", "Run", version.run_key, page, NOW, run is not None)
    told.say("Code", "Place of compute", said.get("compute_place", "not known"), page)
    snapshot = said.get("snapshot_uuid", "")
    same = snapshot == version.dataset_version.snapshot_uuid if snapshot else None
    told.say(
        "Data", "Snapshot that the training says it read", snapshot or "not known", page, NOW if snapshot else "", same
    )
    return said.get("airflow_run", "")


def judgement(told: Told, judged: Mapping[str, Any], where: str) -> None:
    decision, evaluation = (judged.get(name) or {} for name in JUDGED)
    against = decision.get("champion_version")
    told.say("Judgement", "Judged against", f"version {against}" if against else "no model was deployed", where)
    told.say("Judgement", "Decision", decision.get("decision", "not known"), where)
    told.say("Judgement", "Reason", decision.get("reason", "not known"), where)
    for model, metrics in (evaluation.get("metrics") or {}).items():
        told.say("Judgement", f"Metrics of the {model}", metrics, where)
    if "held_out" in evaluation:
        told.say("Judgement", "Held-out rows", evaluation["held_out"], where)


def who(told: Told, run: Mapping[str, Any], answers: Sequence[Mapping[str, Any]], where: str) -> None:
    person = run.get("triggering_user_name")
    started = f"{person} ({run.get('run_type')})" if person else f"nobody by hand ({run.get('run_type')})"
    told.say("Who", "Started by", started, where, NOW, True)
    told.say("Who", "When", str(run.get("start_date")), where, NOW, True)
    if run.get("note"):
        told.say("Who", "Note of the run", str(run["note"]), where, NOW, True)
    for answer in answers:
        user = answer.get("responded_by_user") or {}
        name = user.get("name") if isinstance(user, Mapping) else user
        chosen = ", ".join(answer.get("chosen_options") or ()) or "no answer yet"
        said = f"{chosen}, by {name or 'nobody'} at {answer.get('responded_at')}"
        told.say("Who", f"Asked: {answer.get('subject')}", said, where, NOW, True)
    if not answers:
        told.say("Who", "Approval by a person", "none was asked for in this run", where, NOW, True)


def service(
    told: Told,
    version: ModelVersion,
    tags: Mapping[str, str],
    known: Mapping[int, tuple[ModelVersion, Mapping[str, str]]],
) -> None:
    page = "MLflow, tag deployment of the version"
    deployment = Deployment.from_json(json.loads(tags["deployment"])) if "deployment" in tags else None
    if deployment is None:
        told.say("Service", "Served", "it never came into service", page)
        return
    told.say("Service", "Served from", f"{deployment.deployed_at}, at {deployment.endpoint}", page)
    told.say(
        "Service",
        "Replaced",
        f"version {deployment.previous_version}" if deployment.previous_version else "nothing",
        page,
    )
    told.say("Service", "Proof", deployment.proof, page)
    later = [Deployment.from_json(json.loads(t["deployment"])) for _, t in known.values() if "deployment" in t]
    ends = [each.deployed_at for each in later if each.previous_version == version.version]
    ends = [end for end in ends if _at(end) >= _at(deployment.deployed_at)]
    told.say(
        "Service", "Served until", f"{min(ends)}, when another replaced it" if ends else "it was not replaced", page
    )
    if "retired" in tags:
        told.say("Service", "Retired", json.loads(tags["retired"]).get("at", ""), "MLflow, tag retired of the version")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def snapshots_of(told: Told, client: Client, version: ModelVersion, evidence: Evidence | None) -> None:
    """Whether the snapshots are there with their UUIDs, and until when ONTAP itself says that they are locked."""
    from ontap_mlops.ontap import snapshots, volumes

    data, locked = version.dataset_version, evidence.locked if evidence else []
    wanted = [
        ("data", data.svm, data.volume, data.snapshot, data.snapshot_uuid),
        ("model", version.svm, version.volume, version.snapshot, version.snapshot_uuid),
    ]
    results = [each for each in locked if each["what"] == "results"]
    wanted += [("results", e["svm"], e["volume"], e["snapshot"], e["snapshot_uuid"]) for e in results]
    for what, svm, volume, name, uuid in wanted:
        home = volumes.find(client, svm=svm, name=volume)
        found = snapshots.find(client, volume_uuid=home.uuid, name=name) if home else None
        holds = found is not None and found.uuid == uuid
        state = "is there" if holds else f"has another UUID ({found.uuid})" if found else "is not there"
        where = f"ONTAP, volume {svm}:{volume}"
        told.say("Evidence", f"Snapshot of the {what}", f"{name}, {uuid}, {state}", where, NOW, holds)
        until = found.locked_until if found else None
        promised = next((each["until"] for each in locked if each["snapshot_uuid"] == uuid), None)
        kept = None if promised is None else until is not None and _at(until) >= _at(promised)
        told.say("Evidence", f"The {what} is locked until", until or "no time: it is not locked", where, NOW, kept)
