"""Accounts of the cluster and of SVMs. Of a password only a salted digest is kept, which no answer shows."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, flag, text, texts
from emulator.errors import MissingField
from emulator.fields import Shape, Wanted
from emulator.security_accounts import errors
from emulator.store import Record
from emulator.svms import parts
from emulator.values import at_most, one_of

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("security_account")
REST = "http"
"""The application without which an account cannot use the REST interface."""
SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 128
RESERVED = ("admin", "diag", "autosupport", "root", "naroot")

_NAME = re.compile(r"[A-Za-z0-9_.$-]{1,64}")
_METHODS = ("password", "publickey", "nsswitch", "domain", "certificate", "community", "usm", "saml", "totp", "none")
_applications = one_of("amqp", "console", "http", "ontapi", "service_processor", "snmp", "ssh", "rsh", "telnet")


def _methods(value: Any) -> list[str]:
    return [one_of(*_METHODS)(item) for item in texts(value)]


PATCH_FIELDS: Accepts = {
    "role.name": text,
    "password": at_most(1024),
    "comment": at_most(128),
    "locked": flag,
    "applications.application": _applications,
    "applications.authentication_methods": _methods,
    "applications.second_authentication_method": one_of(*_METHODS),
    "applications.is_ldap_fastbind": flag,
    "applications.is_ns_switch_group": flag,
}
POST_FIELDS: Accepts = PATCH_FIELDS | {"name": text, "owner.name": text, "owner.uuid": text}


def _render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    """Where no password was set, there is nothing to lock."""
    lock = {"locked": record["locked"], "password_hash_algorithm": "sha512"} if record["digest"] else {}
    shown = {key: record[key] for key in ("name", "owner", "scope", "comment", "applications")}
    return shown | lock | {"role": {"name": record["role"]}}


ACCOUNT = Shape(
    href="/security/accounts/{owner.uuid}/{name}",
    keys=("owner.uuid", "owner.name", "name"),
    common=("scope", "comment", "locked", "password_hash_algorithm", "role.name", "applications.application")
    + ("applications.authentication_methods", "applications.second_authentication_method"),
    costly=(),
    render=_render,
)


def new(name: str, role: str, svm: dict[str, str] | None, password: str | None, **facts: Any) -> Record:
    """A record; not stored yet. Without ``applications`` it may use what the emulator has: the REST interface."""
    usual = {"comment": None, "locked": False, "applications": applications([{"application": REST}])}
    return {"uuid": str(uuid4()), "name": name, "role": role, "svm": svm} | usual | facts | sealed(password)


def applications(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As they are stored, an application once with all its methods."""
    if not given:
        raise MissingField("applications")
    found: dict[str, dict[str, Any]] = {}
    for row in given:
        if not row.get("application"):
            raise MissingField("applications.application")
        kept = found.setdefault(row["application"], {"application": row["application"], "authentication_methods": []})
        methods = row.get("authentication_methods") or ["password"]
        kept["authentication_methods"] += [each for each in methods if each not in kept["authentication_methods"]]
        kept["second_authentication_method"] = row.get("second_authentication_method") or "none"
    return list(found.values())


def check_name(name: str) -> None:
    if not name:
        raise MissingField("name")
    if name in RESERVED:
        raise errors.NameReserved(name)
    if not _NAME.fullmatch(name):
        raise errors.NameInvalid(name)


def check_password(name: str, password: str) -> None:
    """ONTAP's rules as they are when nobody has changed them."""
    if len(password) < SHORTEST_PASSWORD:
        raise errors.PasswordShort(SHORTEST_PASSWORD)
    if len(password) > LONGEST_PASSWORD:
        raise errors.PasswordLong(LONGEST_PASSWORD)
    if not re.search("[A-Za-z]", password) or not re.search("[0-9]", password):
        raise errors.PasswordPlain()
    if name.lower() in password.lower():
        raise errors.PasswordHasName()


def sealed(password: str | None) -> dict[str, str | None]:
    """What is stored of a password."""
    salt = secrets.token_hex(16)
    return {"salt": salt, "digest": _digest(salt, password) if password is not None else None}


def opens(record: Record, password: str) -> bool:
    """Whether it is the account's password."""
    return bool(record["digest"]) and hmac.compare_digest(record["digest"], _digest(record["salt"], password))


def may_log_in(record: Record, password: str) -> bool:
    """Whether the account can use the REST interface with this password."""
    uses = any(row["application"] == REST and "password" in row["authentication_methods"] for row in _used(record))
    return uses and not record["locked"] and opens(record, password)


def _used(record: Record) -> list[dict[str, Any]]:
    return record["applications"]


def _digest(salt: str, password: str) -> str:
    # One round is enough: the same password lies in DIR/passwords, readable by the same user as the store.
    return hashlib.sha256(f"{salt}:{password}".encode()).hexdigest()
