"""Buckets: a folder of the SVM's namespace (`nas`), or objects in a directory of their own (`s3`)."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator import trees
from emulator.body import Accepts, flag, number, size, text
from emulator.errors import BadValue, MissingField, NotSupported, OntapError
from emulator.fields import Shape, Wanted
from emulator.jobs import operation
from emulator.protocols_s3 import scope, statements
from emulator.protocols_s3.errors import (
    AggregatesMissing,
    AggregateUnknown,
    BucketExists,
    BucketNameInvalid,
    BucketNameLength,
    BucketNotCreated,
    BucketNotRemoved,
    NasBucketLock,
    NotForBucketType,
    PartNotCreated,
)
from emulator.s3 import accounts, context, uploads
from emulator.s3.accounts import mounted_volumes, volume_at
from emulator.store import Record
from emulator.svms import parts
from emulator.values import s3_comment
from emulator.volumes import object_store

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("s3_bucket")
DEFAULT_SIZE = 800 * 1024**3

_NAME = re.compile(r"[0-9a-z.-]+")
_BAD_PAIRS = (".-", "-.", "..")
# A NAS bucket is only a view of a folder: it has no size, no versions and no snapshots of its own.
_NOT_ON_NAS = ("size", "aggregates", "constituents_per_aggregate")


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    is_nas = record["type"] == "nas"
    measured = wanted.has("logical_used_size") and not is_nas
    return {
        "svm": record["svm"],
        "uuid": record["uuid"],
        "name": record["name"],
        "comment": record["comment"],
        "type": record["type"],
        "nas_path": record.get("nas_path"),
        "is_nas_path_mutable": True if is_nas else None,
        "size": record.get("size"),
        "logical_used_size": trees.used_bytes(directory(world, record)) if measured else None,
        "policy": record.get("policy"),
        "role": "standalone",
        "encryption": {"enabled": False},
        "versioning_state": None if is_nas else "disabled",
        "volume": _volume(world, record) if wanted.has("volume") else {},
    }


_COMMON = ("comment", "type", "nas_path", "is_nas_path_mutable", "size", "logical_used_size", "role") + (
    "encryption.enabled",
    "versioning_state",
    "volume.name",
    "volume.uuid",
)
_POLICY = tuple(
    f"policy.statements.{name}" for name in ("effect", "actions", "principals", "resources", "sid", "conditions")
)


def _shape(href: str) -> Shape:
    keys = ("svm.uuid", "svm.name", "uuid", "name")
    return Shape(href=href, keys=keys, common=_COMMON + _POLICY, costly=(), render=render)


BUCKET = _shape("/protocols/s3/buckets/{svm.uuid}/{uuid}")
BUCKET_OF_SVM = _shape("/protocols/s3/services/{svm.uuid}/buckets/{uuid}")


def nas_path(value: Any) -> str:
    """A path of the namespace, as the data plane can follow it."""
    text(value).encode()
    if not value.startswith("/") or any(part in (".", "..", ".snapshot") for part in value.split("/")):
        raise ValueError("path that begins with /")
    return value


PATCH_FIELDS: Accepts = {
    "comment": s3_comment,
    "size": size,
    "nas_path": nas_path,
    "type": text,
    "versioning_state": text,
    "retention.mode": text,
    **statements.fields("policy.statements", principals=True),
}
POST_FIELDS_OF_SVM: Accepts = {
    "name": text,
    "is_nas_path_mutable": flag,
    "aggregates.name": text,
    "aggregates.uuid": text,
    "constituents_per_aggregate": number,
    **PATCH_FIELDS,
}
POST_FIELDS: Accepts = {"svm.name": text, "svm.uuid": text, **POST_FIELDS_OF_SVM}


def directory(world: World, record: Record) -> Path:
    """Where the objects of a bucket of type s3 lie."""
    return Path(context.bucket_dir(world, record["uuid"]))


def check_new(world: World, svm: dict[str, str], body: dict[str, Any]) -> None:
    """What is answered at once; whether the folder of a NAS bucket is there is for the job to see."""
    name = body.get("name") or ""
    if not 3 <= len(name) <= 63:
        raise BucketNameLength(name)
    if not _NAME.fullmatch(name) or any(pair in name for pair in _BAD_PAIRS):
        raise BucketNameInvalid(name)
    check_fields(body.get("type", "s3"), body)
    if body.get("type") == "nas" and not body.get("nas_path"):
        raise MissingField("nas_path")
    if body.get("nas_path") and world.config.version < context.NAS_ON_CACHE:
        at = volume_at(mounted_volumes(world, svm["uuid"]), body["nas_path"])
        if at and at[0].get("flexcache"):
            raise NotSupported(f'A NAS bucket on FlexCache volume "{at[0]["name"]}" needs ONTAP 9.18.1.', "nas_path")
    if body.get("constituents_per_aggregate") and not body.get("aggregates"):
        raise AggregatesMissing()
    for named in body.get("aggregates") or []:
        if not any(world.store.find("aggregate", **{key: value}) for key, value in named.items()):
            raise AggregateUnknown(named)
    check_free(world, svm, name)


def check_free(world: World, svm: dict[str, str], name: str) -> None:
    if world.store.find(KIND, svm__uuid=svm["uuid"], name=name):
        raise BucketExists(name, svm["name"])


def check_fields(bucket_type: str, body: dict[str, Any]) -> None:
    """Fields that this type of bucket has not, and what the emulator does not do."""
    if bucket_type not in ("s3", "nas"):
        raise BadValue(bucket_type, "type", "s3|nas")
    locked = (body.get("retention") or {}).get("mode", "no_lock") != "no_lock"
    versioned = body.get("versioning_state", "disabled") != "disabled"
    if bucket_type == "s3":
        if body.get("nas_path"):
            raise NotForBucketType("nas_path", "s3")
        if locked or versioned:
            raise NotSupported("Versions and locking of objects are not emulated.")
        return
    if locked:
        raise NasBucketLock()
    if versioned:
        raise NotForBucketType("versioning_state", "nas")
    for name in _NOT_ON_NAS:
        if body.get(name):
            raise NotForBucketType(name, "nas")
    if body.get("is_nas_path_mutable") is False:
        raise NotSupported("A NAS bucket that stays with its volume when that is mounted elsewhere is not emulated.")


@operation("s3_bucket.create")
def create(world: World, args: dict[str, Any]) -> None:
    """The bucket first, its access policy after it: when the policy fails, the bucket stays, as documented."""
    svm, body, uuid = args["svm"], args["body"], args["uuid"]
    if world.store.get(KIND, uuid) is None:
        record = _new(world, svm, uuid, body)
        if record["type"] == "s3":
            directory(world, record).mkdir(parents=True, exist_ok=True)
        with world.store.transaction():
            check_free(world, svm, record["name"])
            world.store.insert(KIND, record)
    if body.get("policy"):
        try:
            set_policy(world, world.store.get(KIND, uuid) or {}, body["policy"])
        except OntapError as e:
            reason = f'Failed to create access policies for bucket "{body["name"]}". Reason: {e.message}'
            raise PartNotCreated(reason, e.target) from e


def _new(world: World, svm: dict[str, str], uuid: str, body: dict[str, Any]) -> Record:
    record = {
        "uuid": uuid,
        "svm": svm,
        "name": body["name"],
        "comment": body.get("comment") or "",
        "type": body.get("type") or "s3",
        "created": world.clock.iso(),
    }
    if record["type"] == "nas":
        check_folder(world, svm, body["name"], body["nas_path"])
        return record | {"nas_path": body["nas_path"]}
    return record | {"size": body.get("size") or DEFAULT_SIZE, "aggregates": _aggregates(world, svm, body)}


def _aggregates(world: World, svm: dict[str, str], body: dict[str, Any]) -> list[str]:
    """Names of those that are asked for; ONTAP chooses one when none is."""
    named = body.get("aggregates") or []
    known = world.store.find("aggregate")
    wanted = [a["name"] for a in known if any(n.get("name") == a["name"] or n.get("uuid") == a["uuid"] for n in named)]
    home = world.store.get("svm", svm["uuid"])
    return wanted or [a["name"] for a in (home["aggregates"] if home and home["aggregates"] else known)[:1]]


def check_folder(world: World, svm: dict[str, str], bucket: str, path: str) -> None:
    """A NAS bucket needs a folder that is there, in a volume that is mounted."""
    found = accounts.volume_at(accounts.mounted_volumes(world, svm["uuid"]), path)
    if found is None:
        raise BucketNotCreated(bucket, svm["name"], f'No volume is mounted at the NAS path "{path}".')
    volume, rest = found
    top = os.path.realpath(world.dataplane.data_dir(volume["uuid"]))
    folder = os.path.realpath(Path(top) / rest)
    if not (folder == top or folder.startswith(top + "/")) or not Path(folder).is_dir():
        raise BucketNotCreated(bucket, svm["name"], f'The NAS path "{path}" is not a directory.')


def set_policy(world: World, record: Record, policy: dict[str, Any]) -> None:
    """All old statements give way; nothing changes when one of the new ones is wrong."""
    name = record["name"]
    given = statements.completed(scope.plain(policy.get("statements") or []), [name, f"{name}/*"])
    statements.check_of_bucket(world, record["svm"]["uuid"], name, given)
    world.store.update(KIND, record["uuid"], policy={"statements": given})


@operation("s3_bucket.modify")
def modify(world: World, args: dict[str, Any]) -> None:
    record, body = world.store.get(KIND, args["uuid"]), args["body"]
    if record is None:
        return
    if body.get("nas_path"):
        check_folder(world, record["svm"], record["name"], body["nas_path"])
    changes = {key: body[key] for key in ("size", "nas_path") if body.get(key)}
    if "comment" in body:
        changes["comment"] = body["comment"] or ""
    record = world.store.update(KIND, record["uuid"], **changes)
    if "policy" in body:
        try:
            set_policy(world, record, body["policy"] or {})
        except OntapError as e:
            raise PartNotCreated(
                f'Failed to modify access policies for bucket "{record["name"]}". Reason: {e.message}'
            ) from e


@operation("s3_bucket.delete")
def delete(world: World, args: dict[str, Any]) -> None:
    """The mapping of a NAS bucket goes and its files stay; a bucket of type s3 must be empty."""
    record = world.store.get(KIND, args["uuid"])
    if record is None:
        return
    check_deletable(world, record)
    uploads.forget_bucket(world, record["uuid"])
    world.store.delete(KIND, record["uuid"])
    shutil.rmtree(directory(world, record), ignore_errors=True)


def check_deletable(world: World, record: Record) -> None:
    entries = trees.walk(directory(world, record)) if record["type"] == "s3" else ()
    if any(not entry.is_dir(follow_symlinks=False) for _, entry in entries):
        raise BucketNotRemoved(record["name"], record["svm"]["name"], "The bucket is not empty.")


def _volume(world: World, record: Record) -> dict[str, str]:
    if record["type"] == "s3":
        return {"name": object_store.name_of(record), "uuid": record["uuid"]}
    found = accounts.volume_at(accounts.mounted_volumes(world, record["svm"]["uuid"]), record["nas_path"])
    return {"name": found[0]["name"], "uuid": found[0]["uuid"]} if found else {}
