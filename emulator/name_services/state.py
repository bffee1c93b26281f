"""UNIX users and name mappings of an SVM. The S3 server goes by them when it maps an S3 user to files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from emulator.body import Accepts, number, text
from emulator.errors import BadValue, MissingField
from emulator.fields import Shape, Wanted
from emulator.name_services.errors import (
    BadIndex,
    BuiltInUser,
    MappingExists,
    UserExists,
    UserNameInvalid,
    UserNameLength,
)
from emulator.s3.unix import BUILT_IN
from emulator.store import Record
from emulator.svms import parts
from emulator.values import at_most, pattern, unix_id

if TYPE_CHECKING:
    from emulator.world import World

MAPPINGS = parts.belongs("name_mapping")
USERS = parts.belongs("unix_user")
DIRECTIONS = ("win_unix", "unix_win", "krb_unix", "s3_unix", "s3_win")
MAX_INDEX = 2147483647

_USER_NAME = re.compile(r"[0-9A-Za-z._-]+")


def direction(value: Any) -> str:
    if value not in DIRECTIONS:
        raise ValueError("|".join(DIRECTIONS))
    return value


def render_mapping(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    return {key: record[key] for key in ("svm", "direction", "index", "pattern", "replacement")}


def render_user(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    return {key: record[key] for key in ("svm", "name", "id", "primary_gid", "full_name")}


MAPPING = Shape(
    href="/name-services/name-mappings/{svm.uuid}/{direction}/{index}",
    keys=("svm.uuid", "svm.name", "direction", "index"),
    common=("pattern", "replacement"),
    costly=(),
    render=render_mapping,
)
USER = Shape(
    href="/name-services/unix-users/{svm.uuid}/{name}",
    keys=("svm.uuid", "svm.name", "name"),
    common=("id", "primary_gid", "full_name"),
    costly=(),
    render=render_user,
)
_SVM: Accepts = {"svm.name": text, "svm.uuid": text}
MAPPING_PATCH: Accepts = {"pattern": at_most(256), "replacement": at_most(256)}
MAPPING_POST: Accepts = {"direction": direction, "index": number, **_SVM, **MAPPING_PATCH}
USER_PATCH: Accepts = {"id": unix_id, "primary_gid": unix_id, "full_name": at_most(256)}
USER_POST: Accepts = {"name": text, **_SVM, **USER_PATCH}


def create_mapping(world: World, svm: dict[str, str], body: dict[str, Any]) -> Record:
    for name in ("direction", "index", "pattern", "replacement"):
        if body.get(name) in (None, ""):
            raise MissingField(name)
    if not 1 <= body["index"] <= MAX_INDEX:
        raise BadIndex()
    _check_pattern(body["pattern"], body["replacement"])
    with world.store.transaction():
        if find_mapping(world, svm["uuid"], body["direction"], str(body["index"])):
            raise MappingExists(body["direction"], body["index"])
        kept = {name: body[name] for name in ("direction", "index", "pattern", "replacement")}
        return world.store.insert(MAPPINGS, {"uuid": str(uuid4()), "svm": svm} | kept)


def find_mapping(world: World, svm_uuid: str, direction: str, index: str) -> Record | None:
    found = world.store.find(MAPPINGS, svm__uuid=svm_uuid, direction=direction)
    return next((record for record in found if str(record["index"]) == index), None)


def modify_mapping(world: World, record: Record, body: dict[str, Any]) -> None:
    _check_pattern(body.get("pattern") or record["pattern"], body.get("replacement") or record["replacement"])
    world.store.update(MAPPINGS, record["uuid"], **{key: value for key, value in body.items() if value})


def built_in_users(svm: dict[str, str]) -> list[Record]:
    return [
        {"uuid": str(uuid5(NAMESPACE_URL, f"{svm['uuid']}/{name}")), "svm": svm, "name": name}
        | {"id": uid, "primary_gid": gid, "full_name": None, "_seq": number - len(BUILT_IN)}
        for number, (name, (uid, gid)) in enumerate(BUILT_IN.items())
    ]


def create_user(world: World, svm: dict[str, str], body: dict[str, Any]) -> Record:
    name = body.get("name") or ""
    for field in ("id", "primary_gid"):
        if body.get(field) is None:
            raise MissingField(field)
    if not 1 <= len(name) <= 64:
        raise UserNameLength()
    if not _USER_NAME.fullmatch(name):
        raise UserNameInvalid()
    with world.store.transaction():
        if name in BUILT_IN or world.store.find(USERS, svm__uuid=svm["uuid"], name=name):
            raise UserExists(name)
        kept = {field: body.get(field) for field in ("name", "id", "primary_gid", "full_name")}
        return world.store.insert(USERS, {"uuid": str(uuid4()), "svm": svm} | kept)


def own_user(world: World, svm_uuid: str, name: str) -> Record | None:
    """A user that may be changed; 6 for one that every SVM has."""
    if name in BUILT_IN:
        raise BuiltInUser(name)
    return next(iter(world.store.find(USERS, svm__uuid=svm_uuid, name=name)), None)


def _check_pattern(text: str, replacement: str) -> None:
    """A mapping that cannot be read would fail every request of its users later on."""
    try:
        compiled = pattern(text)
    except ValueError as e:
        raise BadValue(text, "pattern", "regular expression") from e
    try:
        compiled.sub(replacement, "")
    except (re.error, IndexError, ValueError) as e:
        raise BadValue(replacement, "replacement", "text with groups of the pattern") from e
