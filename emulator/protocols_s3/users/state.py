"""S3 users and their keys. Secrets lie apart from the users, in records that no answer is made from."""

from __future__ import annotations

import re
import secrets
import string
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, number, text
from emulator.errors import BadValue
from emulator.fields import Shape, Wanted
from emulator.protocols_s3 import scope
from emulator.protocols_s3.durations import duration, seconds
from emulator.protocols_s3.errors import KeysNotCreated, UserExists, UserNameInvalid, UserNameLength
from emulator.store import Record
from emulator.svms import parts
from emulator.values import s3_comment

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("s3_user")
SECRETS = parts.belongs("s3_secret")
KEY_IDS = (1, 2)

_ACCESS_ALPHABET = string.ascii_uppercase + string.digits
_SECRET_ALPHABET = string.ascii_letters + string.digits + "_"
_GIVEN_KEY = re.compile(r"[0-9A-Za-z_/+=.-]{1,128}")


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    first: dict[str, Any] = next((key for key in record["keys"] if key["id"] == 1), {})
    return {
        "svm": record["svm"],
        "name": record["name"],
        "comment": record["comment"],
        "access_key": first.get("access_key"),
        "key_time_to_live": first.get("time_to_live"),
        "key_expiry_time": first.get("expiry_time"),
        "keys": record["keys"] or None,
    }


USER = Shape(
    href="/protocols/s3/services/{svm.uuid}/users/{name}",
    keys=("svm.uuid", "svm.name", "name"),
    common=("comment", "access_key", "key_time_to_live", "key_expiry_time")
    + ("keys.id", "keys.access_key", "keys.time_to_live", "keys.expiry_time"),
    costly=(),
    render=render,
)
_KEY_FIELDS: Accepts = {"access_key": text, "secret_key": text, "key_time_to_live": duration, "comment": s3_comment}
POST_FIELDS: Accepts = {"name": text, **_KEY_FIELDS}
PATCH_FIELDS: Accepts = {"key_id": number, **_KEY_FIELDS}


def create(world: World, svm: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
    """Add a user with one pair of keys; returns what is shown once, the secret in it."""
    name = body.get("name") or ""
    _check_name(name)
    with world.store.transaction():
        if world.store.find(KIND, svm__uuid=svm["uuid"], name=name):
            raise UserExists(name, svm["name"])
        world.store.insert(KIND, new(svm, name, body.get("comment") or ""))
        return make_key(world, _by_name(world, svm, name), 1, body)


def new(svm: dict[str, str], name: str, comment: str) -> Record:
    return {"uuid": str(uuid4()), "svm": svm, "name": name, "comment": comment, "keys": []}


def make_key(world: World, user: Record, key_id: int, body: dict[str, Any]) -> dict[str, Any]:
    """Give a user a new pair in place of its old one of this id; returns what is shown once."""
    if key_id not in KEY_IDS:
        raise BadValue(key_id, "key_id", "1..2")
    access, secret = _pair(world, user, body)
    time_to_live = body.get("key_time_to_live")
    _check_lifetime(world, user, time_to_live)
    expiry = _expiry(world, time_to_live)
    kept = [key for key in user["keys"] if key["id"] != key_id]
    key = {"id": key_id, "access_key": access, "time_to_live": time_to_live, "expiry_time": expiry}
    with world.store.transaction():
        _forget_secrets(world, user, key_id)
        world.store.update(KIND, user["uuid"], keys=sorted([*kept, scope.plain(key)], key=lambda k: k["id"]))
        world.store.insert(
            SECRETS,
            {"uuid": access, "svm": user["svm"], "user": user["name"], "secret_key": secret, "expiry_time": expiry},
        )
    return scope.plain({"name": user["name"], "access_key": access, "secret_key": secret, "key_expiry_time": expiry})


def delete_key(world: World, user: Record, key_id: int) -> None:
    with world.store.transaction():
        _forget_secrets(world, user, key_id)
        world.store.update(KIND, user["uuid"], keys=[key for key in user["keys"] if key["id"] != key_id])


def delete(world: World, user: Record) -> None:
    """Gone from its groups too, so that a later user of the same name starts with nothing."""
    with world.store.transaction():
        for key_id in KEY_IDS:
            _forget_secrets(world, user, key_id)
        for group in world.store.find("s3_group", svm__uuid=user["svm"]["uuid"]):
            left = [member for member in group["users"] if member["name"] != user["name"]]
            if left != group["users"]:
                world.store.update("s3_group", group["uuid"], users=left)
        world.store.delete(KIND, user["uuid"])


def _by_name(world: World, svm: dict[str, str], name: str) -> Record:
    return world.store.find(KIND, svm__uuid=svm["uuid"], name=name)[0]


def _forget_secrets(world: World, user: Record, key_id: int) -> None:
    for key in user["keys"]:
        if key["id"] == key_id:
            world.store.delete(SECRETS, key["access_key"])


def _pair(world: World, user: Record, body: dict[str, Any]) -> tuple[str, str]:
    access, secret = body.get("access_key"), body.get("secret_key")
    if (access is None) != (secret is None):
        raise KeysNotCreated('Both "access_key" and "secret_key" must be given, or none of them.')
    if access is None or secret is None:
        return _random(_ACCESS_ALPHABET, 20), _random(_SECRET_ALPHABET, 40)
    if not _GIVEN_KEY.fullmatch(access) or not _GIVEN_KEY.fullmatch(secret):
        raise KeysNotCreated("The keys given contain invalid characters.")
    holder = world.store.get(SECRETS, access)
    if holder is not None and (holder["svm"], holder["user"]) != (user["svm"], user["name"]):
        raise KeysNotCreated("The access key given belongs to another user.")
    return access, secret


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= 64:
        raise UserNameLength()
    if not scope.NAME.fullmatch(name):
        raise UserNameInvalid(name)


def _check_lifetime(world: World, user: Record, time_to_live: str | None) -> None:
    service = world.store.get("s3_service", user["svm"]["uuid"]) or {}
    longest = seconds(service.get("max_key_time_to_live") or "PT0S")
    asked = seconds(time_to_live or "PT0S")
    if longest and (asked == 0 or asked > longest):
        raise BadValue(time_to_live, "key_time_to_live", f"at most {service['max_key_time_to_live']}")


def _expiry(world: World, time_to_live: str | None) -> str | None:
    life = seconds(time_to_live or "PT0S")
    return world.clock.iso(world.clock.now() + timedelta(seconds=life)) if life else None
