"""The S3 server of an SVM: on or off, over HTTP, HTTPS or both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, flag, text
from emulator.errors import OntapError
from emulator.fields import Shape, Wanted
from emulator.jobs import operation
from emulator.protocols_s3.buckets import state as buckets
from emulator.protocols_s3.durations import duration
from emulator.protocols_s3.errors import (
    NoSuchUnixUser,
    PartNotCreated,
    ServiceNameInvalid,
    ServiceNameLength,
    ServiceNotDeleted,
)
from emulator.protocols_s3.users import state as users
from emulator.s3.unix import BUILT_IN
from emulator.store import Record
from emulator.svms import parts
from emulator.values import port, s3_comment

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("s3_service")
HTTP_PORT, HTTPS_PORT = 80, 443
MIN_NAME, MAX_NAME = 3, 253

_NAME = re.compile(r"[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?")
_FLAGS = {"enabled": True, "is_http_enabled": False, "is_https_enabled": True}
_PLAIN = (
    "name",
    "comment",
    "enabled",
    "is_http_enabled",
    "is_https_enabled",
    "port",
    "secure_port",
    "default_unix_user",
    "default_win_user",
    "max_key_time_to_live",
    "certificate",
)


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    svm = record["svm"]
    # Where nobody chose a port, the one reported is the one the emulator really listens on, so that an endpoint put
    # together from REST answers works; a real cluster reports 80.
    shown: dict[str, Any] = {"port": world.config.s3_port or HTTP_PORT, "secure_port": HTTPS_PORT}
    shown |= {name: record[name] for name in _PLAIN if record.get(name) is not None} | {"svm": svm}
    if wanted.has("users"):
        found = world.store.find(users.KIND, svm__uuid=svm["uuid"])
        shown["users"] = [users.render(world, user, wanted) for user in found]
    if wanted.has("buckets"):
        found = world.store.find(buckets.KIND, svm__uuid=svm["uuid"])
        shown["buckets"] = [buckets.render(world, bucket, wanted) for bucket in found]
    return shown


SERVICE = Shape(
    href="/protocols/s3/services/{svm.uuid}",
    keys=("svm.uuid", "svm.name", "name"),
    common=tuple(name for name in _PLAIN if name not in ("name", "certificate"))
    + ("certificate.name", "certificate.uuid")
    + ("users.name", "users.comment", "users.access_key")
    + ("buckets.uuid", "buckets.name", "buckets.comment", "buckets.type", "buckets.size", "buckets.nas_path"),
    costly=(),
    render=render,
)
PATCH_FIELDS: Accepts = {
    "name": text,
    "comment": s3_comment,
    "enabled": flag,
    "is_http_enabled": flag,
    "is_https_enabled": flag,
    "port": port,
    "secure_port": port,
    "default_unix_user": text,
    "default_win_user": text,
    "max_key_time_to_live": duration,
    "certificate.name": text,
    "certificate.uuid": text,
}
POST_FIELDS: Accepts = {
    "svm.name": text,
    "svm.uuid": text,
    **PATCH_FIELDS,
    **{f"users.{name}": convert for name, convert in users.POST_FIELDS.items()},
    **{f"buckets.{name}": convert for name, convert in buckets.POST_FIELDS_OF_SVM.items()},
}


def check(world: World, svm: dict[str, str], body: dict[str, Any]) -> None:
    """Refuse a default UNIX user that the SVM does not have."""
    name = body.get("default_unix_user")
    if name and name not in BUILT_IN and not world.store.find("unix_user", svm__uuid=svm["uuid"], name=name):
        raise NoSuchUnixUser(name, svm["name"])


def create(world: World, svm: dict[str, str], body: dict[str, Any]) -> Record:
    """The server with its first user, root, who has no keys yet and is bound by no policy."""
    check_name(body.get("name") or "")
    record = {"uuid": svm["uuid"], "svm": svm, "comment": ""} | _FLAGS
    record |= {name: body[name] for name in _PLAIN if body.get(name) is not None}
    with world.store.transaction():
        service = world.store.insert(KIND, record)
        # A server deleted alone leaves its users behind.
        if not world.store.find(users.KIND, svm__uuid=svm["uuid"], name="root"):
            world.store.insert(users.KIND, users.new(svm, "root", "Root User"))
    return service


def create_users(world: World, svm: dict[str, str], wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Users asked for with the server, all or none; returns what is shown once."""
    shown = []
    with world.store.transaction():
        for body in wanted:
            with _partly(svm, "user", body):
                shown.append(users.create(world, svm, body))
    return shown


def create_buckets(world: World, svm: dict[str, str], wanted: list[dict[str, Any]]) -> None:
    """Buckets asked for with the server; those made before one fails stay."""
    for body in wanted:
        with _partly(svm, "bucket", body):
            buckets.check_new(world, svm, body)
            buckets.create(world, {"uuid": str(uuid4()), "svm": svm, "body": body})


def modify(world: World, service: Record, body: dict[str, Any]) -> None:
    if "name" in body:
        check_name(body["name"] or "")
    changes = {name: body[name] for name in _PLAIN if name in body}
    world.store.update(KIND, service["uuid"], **changes)


@operation("s3_service.delete")
def delete(world: World, args: dict[str, Any]) -> None:
    """With `delete_all` users, groups, policies and buckets go too, provided that the buckets are empty."""
    service = world.store.get(KIND, args["uuid"])
    if service is None:
        return
    owned = world.store.find(buckets.KIND, svm__uuid=args["uuid"]) if args["delete_all"] else []
    for bucket in owned:
        with _partly_gone(service["svm"]):
            buckets.check_deletable(world, bucket)
    with world.store.transaction():
        for bucket in owned:
            buckets.delete(world, {"uuid": bucket["uuid"]})
        for kind in (users.KIND, users.SECRETS, "s3_group", "s3_policy") if args["delete_all"] else ():
            for record in world.store.find(kind, svm__uuid=args["uuid"]):
                world.store.delete(kind, record["uuid"])
        world.store.delete(KIND, service["uuid"])


def check_name(name: str) -> None:
    if not MIN_NAME <= len(name) <= MAX_NAME:
        raise ServiceNameLength()
    if not _NAME.fullmatch(name):
        raise ServiceNameInvalid(name)


@contextmanager
def _partly(svm: dict[str, str], kind: str, body: dict[str, Any]) -> Iterator[None]:
    """Turns what goes wrong with a part into the documented error about the whole."""
    try:
        yield
    except OntapError as e:
        what = f'Failed to create {kind} "{body.get("name", "")}" for SVM "{svm["name"]}".'
        raise PartNotCreated(f"{what} Reason: {e.message}", e.target) from e


@contextmanager
def _partly_gone(svm: dict[str, str]) -> Iterator[None]:
    try:
        yield
    except OntapError as e:
        raise ServiceNotDeleted(svm["name"], e.message) from e
