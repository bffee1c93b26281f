"""Policies that groups refer to, the three that every SVM is born with among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from emulator.body import Accepts, text
from emulator.fields import Shape, Wanted
from emulator.protocols_s3 import scope, statements
from emulator.protocols_s3.errors import (
    PolicyExists,
    PolicyInUse,
    PolicyNameInvalid,
    PolicyNameLength,
    PolicyReserved,
)
from emulator.s3.policy import PREDEFINED
from emulator.store import Record
from emulator.svms import parts
from emulator.values import s3_comment

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("s3_policy")


# ONTAP numbers the statements, and does not show their numbers.
def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    return {
        "svm": record["svm"],
        "name": record["name"],
        "comment": record["comment"],
        "read_only": record["name"] in PREDEFINED,
        "statements": record["statements"],
    }


POLICY = Shape(
    href="/protocols/s3/services/{svm.uuid}/policies/{name}",
    keys=("svm.uuid", "svm.name", "name"),
    common=("comment", "read_only") + tuple(f"statements.{name}" for name in ("effect", "actions", "resources", "sid")),
    costly=(),
    render=render,
)
PATCH_FIELDS: Accepts = {"comment": s3_comment, **statements.fields("statements", principals=False)}
POST_FIELDS: Accepts = {"name": text, **PATCH_FIELDS}


def predefined(svm: dict[str, str]) -> list[Record]:
    return [
        {
            "uuid": str(uuid5(NAMESPACE_URL, f"{svm['uuid']}/{name}")),
            "svm": svm,
            "name": name,
            "comment": "Predefined.",
            "statements": given,
            "_seq": -len(PREDEFINED) + number,  # before all that were made
        }
        for number, (name, given) in enumerate(PREDEFINED.items())
    ]


def create(world: World, svm: dict[str, str], body: dict[str, Any]) -> Record:
    name = body.get("name") or ""
    _check_name(name)
    given = statements.completed(scope.plain(body.get("statements") or []), ["*"])
    statements.check(given)
    with world.store.transaction():
        if world.store.find(KIND, svm__uuid=svm["uuid"], name=name):
            raise PolicyExists(name, svm["name"])
        record = {"uuid": str(uuid4()), "svm": svm, "name": name, "comment": body.get("comment") or ""}
        return world.store.insert(KIND, record | {"statements": given})


def modify(world: World, policy: Record, body: dict[str, Any]) -> None:
    """New statements take the place of all old ones."""
    changes: dict[str, Any] = {"comment": body["comment"] or ""} if "comment" in body else {}
    if "statements" in body:
        given = statements.completed(scope.plain(body["statements"] or []), ["*"])
        statements.check(given)
        changes["statements"] = given
    world.store.update(KIND, policy["uuid"], **changes)


def delete(world: World, policy: Record) -> None:
    for group in world.store.find("s3_group", svm__uuid=policy["svm"]["uuid"]):
        if policy["name"] in {attached["name"] for attached in group["policies"]}:
            raise PolicyInUse(policy["name"], group["name"])
    world.store.delete(KIND, policy["uuid"])


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= 128:
        raise PolicyNameLength()
    if not scope.NAME.fullmatch(name):
        raise PolicyNameInvalid(name)
    if name in PREDEFINED:
        raise PolicyReserved(name)
