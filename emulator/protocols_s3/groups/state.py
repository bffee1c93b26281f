"""Groups: users on one side, policies on the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, text
from emulator.fields import Shape, Wanted
from emulator.protocols_s3 import scope
from emulator.protocols_s3.errors import (
    GroupExists,
    GroupNameInvalid,
    GroupNameLength,
    GroupPolicyMissing,
    GroupUserMissing,
    GroupUsersEmpty,
    GroupUserTwice,
)
from emulator.s3.policy import PREDEFINED
from emulator.store import Record
from emulator.svms import parts
from emulator.values import s3_comment

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("s3_group")


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    return {key: record[key] for key in ("svm", "id", "name", "comment", "users", "policies")}


GROUP = Shape(
    href="/protocols/s3/services/{svm.uuid}/groups/{id}",
    keys=("svm.uuid", "svm.name", "id", "name"),
    common=("comment", "users.name", "policies.name"),
    costly=(),
    render=render,
)
POST_FIELDS: Accepts = {"name": text, "comment": s3_comment, "users.name": text, "policies.name": text}
PATCH_FIELDS: Accepts = POST_FIELDS


def create(world: World, svm: dict[str, str], body: dict[str, Any]) -> Record:
    with world.store.transaction():
        record = {
            "uuid": str(uuid4()),
            "svm": svm,
            "id": _next_id(world),
            "name": _free_name(world, svm, body.get("name") or ""),
            "comment": body.get("comment") or "",
            "users": _users(world, svm, body.get("users")),
            "policies": _policies(world, svm, body.get("policies")),
        }
        return world.store.insert(KIND, record)


def modify(world: World, group: Record, body: dict[str, Any]) -> None:
    """Lists that are given take the place of the old ones."""
    svm = group["svm"]
    with world.store.transaction():
        changes: dict[str, Any] = {"comment": body["comment"] or ""} if "comment" in body else {}
        if body.get("name") and body["name"] != group["name"]:
            changes["name"] = _free_name(world, svm, body["name"])
        if "users" in body:
            changes["users"] = _users(world, svm, body["users"])
        if "policies" in body:
            changes["policies"] = _policies(world, svm, body["policies"])
        world.store.update(KIND, group["uuid"], **changes)


def _next_id(world: World) -> int:
    """Ids are not used again within a cluster's life, so the last one given is kept apart from the groups."""
    known = world.store.get("setting", "s3_group_id")
    if known is None:
        world.store.insert("setting", {"uuid": "s3_group_id", "last": 1})
        return 1
    world.store.update("setting", "s3_group_id", last=known["last"] + 1)
    return known["last"] + 1


def _free_name(world: World, svm: dict[str, str], name: str) -> str:
    if not 1 <= len(name) <= 128:
        raise GroupNameLength()
    if not scope.NAME.fullmatch(name):
        raise GroupNameInvalid(name)
    if world.store.find(KIND, svm__uuid=svm["uuid"], name=name):
        raise GroupExists(name, svm["name"])
    return name


def _users(world: World, svm: dict[str, str], given: list[dict[str, str]] | None) -> list[dict[str, str]]:
    names = [user.get("name") or "" for user in given or []]
    if not names:
        raise GroupUsersEmpty()
    for name in names:
        if names.count(name) > 1:
            raise GroupUserTwice(name)
    known = {user["name"] for user in world.store.find("s3_user", svm__uuid=svm["uuid"])}
    if missing := [name for name in names if name not in known]:
        raise GroupUserMissing(missing, svm["name"])
    return [{"name": name} for name in names]


def _policies(world: World, svm: dict[str, str], given: list[dict[str, str]] | None) -> list[dict[str, str]]:
    names = [policy.get("name") or "" for policy in given or []]
    known = set(PREDEFINED) | {policy["name"] for policy in world.store.find("s3_policy", svm__uuid=svm["uuid"])}
    if missing := [name for name in names if name not in known]:
        raise GroupPolicyMissing(missing, svm["name"])
    return [{"name": name} for name in names]
