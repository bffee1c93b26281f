"""Export policies and their rules: which NFS clients may reach a volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, Converter, flag, number, text, texts
from emulator.export_policies.errors import NoSuchPolicy
from emulator.fields import Shape, Wanted
from emulator.store import Record
from emulator.svms import parts
from emulator.values import at_most, between, one_of

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("export_policy")
DEFAULT = "default"
MAXIMUM_NAME = 256
# ONTAP counts a policy's id within a number of the SVM; clients only see that it is large.
_FIRST_ID = 12884901889

_RULE_DEFAULTS: dict[str, Any] = {
    "protocols": ["any"],
    "ro_rule": ["any"],
    "rw_rule": ["any"],
    "superuser": ["none"],
    "anonymous_user": "65534",
    "allow_suid": True,
    "allow_device_creation": True,
    "chown_mode": "restricted",
    "ntfs_unix_security": "fail",
}
_FLAVORS = ("any", "none", "never", "krb5", "krb5i", "krb5p", "ntlm", "sys")
_MATCH = at_most(4096)


def _some_of(*choices: str) -> Converter:
    """A converter for a list of these words; one of them alone is a list of one."""
    one = one_of(*choices)
    return lambda value: [one(item) for item in texts(value)]


def user(value: Any) -> str:
    """A name or a number of a UNIX user, kept as text."""
    return str(number(value)) if isinstance(value, int) else at_most(64)(value)


_INDEX = between(1, 2**31 - 1)
_RULE_FIELDS: Accepts = {
    "index": _INDEX,
    "clients.match": _MATCH,
    "protocols": _some_of("any", "nfs", "nfs3", "nfs4", "cifs", "flexcache"),
    "ro_rule": _some_of(*_FLAVORS),
    "rw_rule": _some_of(*_FLAVORS),
    "superuser": _some_of(*_FLAVORS),
    "anonymous_user": user,
    "allow_suid": flag,
    "allow_device_creation": flag,
    "chown_mode": one_of("restricted", "unrestricted"),
    "ntfs_unix_security": one_of("fail", "ignore"),
}
RULE_POST_FIELDS: Accepts = _RULE_FIELDS | {"policy.id": number, "policy.name": text}
NEW_INDEX: Accepts = {"new_index": _INDEX}
"""Where a rule moves to; it comes in the body or in the query of a PATCH."""
RULE_PATCH_FIELDS = RULE_POST_FIELDS | NEW_INDEX


def policy_name(value: Any) -> str:
    if not 1 <= len(text(value)) <= MAXIMUM_NAME or not value.isprintable() or "/" in value:
        raise ValueError(f"1 to {MAXIMUM_NAME} printable characters without a slash")
    return value


_RULES: Accepts = {f"rules.{name}": convert for name, convert in _RULE_FIELDS.items()}
POST_FIELDS: Accepts = {"name": policy_name, "svm.name": text, "svm.uuid": text} | _RULES
PATCH_FIELDS: Accepts = {"name": policy_name} | _RULES

_RULE_NAMES = ("index", "clients.match", *_RULE_DEFAULTS)


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    return {key: record[key] for key in ("id", "name", "svm", "rules")}


def render_rule(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    return record


POLICY = Shape(
    href="/protocols/nfs/export-policies/{id}",
    keys=("id", "name"),
    common=("svm.name", "svm.uuid") + tuple(f"rules.{name}" for name in _RULE_NAMES),
    costly=(),
    render=render,
)
RULE = Shape(
    href="/protocols/nfs/export-policies/{policy.id}/rules/{index}",
    keys=("index", "policy.id"),
    common=("policy.name", "svm.name", "svm.uuid", *_RULE_NAMES[1:]),
    costly=(),
    render=render_rule,
)


def new_policy(world: World, name: str, svm: dict[str, str], rules: list[dict[str, Any]]) -> Record:
    """A record with the next id and numbered rules; not stored yet."""
    record: Record = {"uuid": str(uuid4()), "id": _next_id(world), "name": name, "svm": svm, "rules": []}
    for rule in rules:
        record["rules"] = with_rule(record["rules"], rule)
    return record


def _next_id(world: World) -> int:
    ids = [record["id"] for record in world.store.find(KIND)]
    return max(ids, default=_FIRST_ID - 1) + 1


@parts.begins_with
def add_default(world: World, svm: Record) -> None:
    default_of(world, {"name": svm["name"], "uuid": svm["uuid"]})


def default_of(world: World, svm: dict[str, str]) -> Record:
    """The SVM's default policy, which is made when it is first asked for."""
    for record in world.store.find(KIND, svm__uuid=svm["uuid"], name=DEFAULT):
        return record
    rules = [{"clients": [{"match": "0.0.0.0/0"}], "superuser": ["any"]}]
    return world.store.insert(KIND, new_policy(world, DEFAULT, svm, rules))


def with_rule(rules: list[dict[str, Any]], rule: dict[str, Any]) -> list[dict[str, Any]]:
    """Rules with one more, at its index (those from there on move up) or at the end."""
    last = max((r["index"] for r in rules), default=0)
    index = rule.get("index") or last + 1
    moved = [r | {"index": r["index"] + 1} if r["index"] >= index else r for r in rules]
    kept = rules if all(r["index"] != index for r in rules) else moved
    return sorted([*kept, _RULE_DEFAULTS | rule | {"index": index}], key=lambda r: r["index"])


def find(world: World, svm: dict[str, str], wish: dict[str, Any]) -> Record:
    """The policy that a volume of the SVM names by ``name`` or ``id``, or 404."""
    for record in world.store.find(KIND, svm__uuid=svm["uuid"]):
        if wish.get("name") == record["name"] or (not wish.get("name") and wish.get("id") == record["id"]):
            return record
    raise NoSuchPolicy(str(wish.get("name") or wish.get("id")))
