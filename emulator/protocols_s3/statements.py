"""Checks of access statements, of buckets and of policies."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from typing import TYPE_CHECKING, Any

from emulator.body import Accepts, checked, number, text, texts
from emulator.errors import BadValue
from emulator.protocols_s3.errors import (
    ActionInvalid,
    PrincipalInvalid,
    ResourceInvalid,
    SidInvalid,
    TooManyEntries,
)
from emulator.s3.policy import ACTIONS
from emulator.values import one_of

if TYPE_CHECKING:
    from emulator.world import World

MAX_ENTRIES = 10

_SID = re.compile(r"[0-9A-Za-z]{1,256}")
_RESOURCE = re.compile(r"[0-9A-Za-z_+,;:=.&@?()'*!\-$/]+")
_PRINCIPAL = re.compile(r"(group/)?[0-9A-Za-z_+=,.@-]{1,128}")
_EVERYBODY = ("*", "-")
_OPERATORS: tuple[str, ...] = (
    "ip_address",
    "not_ip_address",
    "string_equals",
    "string_not_equals",
    "string_equals_ignore_case",
)
_OPERATORS += ("string_not_equals_ignore_case", "string_like", "string_not_like", "numeric_equals")
_OPERATORS += ("numeric_not_equals", "numeric_greater_than", "numeric_greater_than_equals", "numeric_less_than")
_OPERATORS += ("numeric_less_than_equals",)

Statement = dict[str, Any]


def _numbers(value: Any) -> list[int]:
    return [number(item) for item in (value if isinstance(value, list) else [value])]


def _networks(value: Any) -> list[str]:
    return [str(address) for address in texts(value) if ipaddress.ip_network(address, strict=False)]


_CONDITION: Accepts = {
    "operator": one_of(*_OPERATORS),
    "max_keys": _numbers,
    "source_ips": _networks,
    "delimiters": texts,
    "prefixes": texts,
    "usernames": texts,
}


def conditions(value: Any) -> list[dict[str, Any]]:
    """A list of conditions, one object for a list of one; each has an operator and what it is about."""
    return [checked(item, _CONDITION) for item in (value if isinstance(value, list) else [value])]


def fields(prefix: str, *, principals: bool) -> Accepts:
    """Body fields of a list of statements below `prefix`."""
    names: dict[str, Any] = {"effect": text, "sid": text, "actions": texts, "resources": texts}
    if principals:
        names |= {"principals": texts, "conditions": conditions}
    return {f"{prefix}.{name}": convert for name, convert in names.items()}


def check(statements: list[Statement]) -> None:
    """What both kinds of statement must keep to."""
    if len(statements) > MAX_ENTRIES:
        raise TooManyEntries()
    for statement in statements:
        if statement.get("effect", "allow") not in ("allow", "deny"):
            raise BadValue(statement["effect"], "statements.effect", "allow|deny")
        if len(statement.get("resources") or []) > MAX_ENTRIES:
            raise TooManyEntries()
        for action in statement.get("actions") or []:
            if not any(fnmatch.fnmatchcase(known, action) for known in ACTIONS):
                raise ActionInvalid(action)
        for resource in statement.get("resources") or []:
            if not _RESOURCE.fullmatch(resource):
                raise ResourceInvalid(resource)
        if statement.get("sid") and not _SID.fullmatch(statement["sid"]):
            raise SidInvalid(statement["sid"])


def check_of_bucket(world: World, svm_uuid: str, bucket: str, statements: list[Statement]) -> None:
    """A bucket's own policy speaks about that bucket, and only to users and groups that exist."""
    check(statements)
    for statement in statements:
        for resource in statement.get("resources") or []:
            if resource != "*" and not resource.startswith(bucket):
                raise ResourceInvalid(resource)
        principals = statement.get("principals") or []
        if len(principals) > MAX_ENTRIES:
            raise TooManyEntries()
        for principal in principals:
            _check_principal(world, svm_uuid, principal)


def completed(statements: list[Statement], default_resources: list[str]) -> list[Statement]:
    """Statements with what ONTAP fills in where nothing was said."""
    defaults = {"effect": "allow", "resources": default_resources}
    return [defaults | {key: value for key, value in statement.items() if value} for statement in statements]


def _check_principal(world: World, svm_uuid: str, principal: str) -> None:
    if principal in _EVERYBODY:
        return
    if not _PRINCIPAL.fullmatch(principal):
        raise PrincipalInvalid(principal, "is not in the correct format")
    kind, name = ("s3_group", principal[6:]) if principal.startswith("group/") else ("s3_user", principal)
    if not world.store.find(kind, svm__uuid=svm_uuid, name=name):
        raise PrincipalInvalid(principal, "does not exist on the SVM")
