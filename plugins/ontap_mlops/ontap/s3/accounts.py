"""Who may do what on an SVM's S3 server: users, and the groups and policies that give them rights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ontap_mlops.ontap import cluster
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InvalidRequest, JobStillRunning, NameTaken, NotOurs
from ontap_mlops.ontap.marks import MARK
from ontap_mlops.ontap.s3.answers import named, says, unless_taken

FULL_ACCESS: tuple[dict[str, Any], ...] = (
    {"sid": "FullAccess", "effect": "allow", "actions": ["*"], "resources": ["*"]},
)


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Shown by ONTAP once, when made: whoever gets them stores them in the same step."""

    user: str
    access_key: str
    secret_key: str = field(repr=False)


@repeatable
def ensure_user(
    client: Client, *, svm: str, name: str, known_access_key: str | None = None, comment: str = MARK
) -> Keys | None:
    """Ensure that the user exists, with new keys unless ``known_access_key`` is the one it has; None when that is so.

    Raises NotOurs for one that is not ours and whose keys are not known.
    ONTAP never shows a secret key again, so a user whose keys were lost gets new ones.
    """
    uuid = cluster.svm_uuid(client, svm=svm)
    record = user_record(client, uuid, name)
    if record is None:
        asked = f"create S3 user {name!r} of SVM {svm!r}"
        try:
            answer = client.create("S3User", {"name": name, "comment": comment}, uuid, asked=asked)
            return keys_shown(answer, name, svm)
        except NameTaken:
            pass  # an earlier try of ours whose answer was lost: its keys are lost too
    elif known_access_key is not None and known_access_key in [key["access_key"] for key in keys_in(record)]:
        return None
    elif record.get("comment") != comment:
        raise NotOurs(
            f"S3 user {name!r} of SVM {svm!r} was not made by this project, and new keys would lock out whoever "
            "uses it: name another user."
        )
    asked = f"make new keys for S3 user {name!r} of SVM {svm!r}"
    answer = client.modify("S3User", {"name": name}, {}, uuid, asked=asked, regenerate_keys="true")
    return keys_shown(answer, name, svm)


@repeatable
def ensure_policy(
    client: Client,
    *,
    svm: str,
    name: str,
    statements: Sequence[dict[str, Any]] = FULL_ACCESS,
    comment: str = MARK,
) -> None:
    """Ensure that a policy for groups exists, with exactly these statements (sid, effect, actions, resources)."""
    uuid = cluster.svm_uuid(client, svm=svm)
    record = named(client, "S3Policy", uuid, name, fields="name,statements", what=f"S3 policy {name!r}")
    wanted = [dict(statement) for statement in statements]
    if record is None:
        body = {"name": name, "comment": comment, "statements": wanted}
        unless_taken(client, "S3Policy", body, uuid, asked=f"create S3 policy {name!r} of SVM {svm!r}")
    elif not says(record.get("statements"), wanted):
        asked = f"change S3 policy {name!r} of SVM {svm!r}"
        client.modify("S3Policy", {"name": name}, {"statements": wanted}, uuid, asked=asked)


@repeatable
def ensure_group(
    client: Client,
    *,
    svm: str,
    name: str,
    users: Sequence[str],
    policies: Sequence[str],
    comment: str = MARK,
) -> None:
    """Ensure that a group exists with at least these users and policies; others in it stay."""
    uuid = cluster.svm_uuid(client, svm=svm)
    fields = "id,name,users.name,policies.name"
    record = named(client, "S3Group", uuid, name, fields=fields, what=f"S3 group {name!r}")
    if record is None:
        body = {"name": name, "comment": comment, "users": _refs(users), "policies": _refs(policies)}
        unless_taken(client, "S3Group", body, uuid, asked=f"create S3 group {name!r} of SVM {svm!r}")
        return
    there = {part: _names(record.get(part)) for part in ("users", "policies")}
    wanted = {"users": _union(there["users"], users), "policies": _union(there["policies"], policies)}
    changed = {part: _refs(names) for part, names in wanted.items() if names != there[part]}
    if changed:
        asked = f"change S3 group {name!r} of SVM {svm!r}"
        client.modify("S3Group", {"id": record["id"]}, changed, uuid, asked=asked)


def user_record(client: Client, svm_uuid: str, name: str) -> dict[str, Any] | None:
    """ONTAP's record of a user, with all of its keys where the release has more than one."""
    fields = "name,comment,access_key,key_expiry_time"
    try:
        return named(client, "S3User", svm_uuid, name, fields=f"{fields},keys", what=f"S3 user {name!r}")
    except InvalidRequest:  # a release with one key per user knows no field of that name
        return named(client, "S3User", svm_uuid, name, fields=fields, what=f"S3 user {name!r}")


def keys_in(record: dict[str, Any]) -> list[dict[str, Any]]:
    """``id``, ``access_key`` and, where it ends, ``expiry_time`` of each key in the record of a user."""
    shown = record.get("keys")
    if shown is None:
        shown = [{"id": 1, "access_key": record.get("access_key"), "expiry_time": record.get("key_expiry_time")}]
    return [key for key in shown if key.get("access_key")]


def keys_shown(answer: dict[str, Any], user: str, svm: str) -> Keys:
    shown = (answer.get("records") or [answer])[0]
    if not shown.get("access_key") or not shown.get("secret_key"):
        raise JobStillRunning(f"ONTAP showed no keys for S3 user {user!r} of SVM {svm!r}; the next try makes new ones.")
    return Keys(user=user, access_key=shown["access_key"], secret_key=shown["secret_key"])


def _refs(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def _names(refs: Any) -> list[str]:
    return [ref["name"] for ref in refs or [] if ref.get("name")]


def _union(there: Sequence[str], more: Sequence[str]) -> list[str]:
    return [*there, *(name for name in more if name not in there)]
