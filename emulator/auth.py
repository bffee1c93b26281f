"""Who may call what: accounts with passwords, and the table of each role.

Roles of one's own are made like ONTAP's: a path stands for itself and all below it, ``*`` for one part of a path, and
the longest path that fits decides.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from emulator.errors import NotAllowed, Unauthorized
from emulator.store import Record, Store
from emulator.svms.errors import NoSuchSvm, SvmMismatch

KIND = "account"
ROLE = "role"
PASSWORD_VARIABLE = "ONTAP_EMULATOR_PASSWORD"

_ALL = "all"
_READ = "readonly"
_READING = ("GET", "HEAD", "OPTIONS")
# What each access level of ONTAP's REST roles allows.
ACCESS: dict[str, tuple[str, ...]] = {
    "none": (),
    _READ: _READING,
    "read_create": (*_READING, "POST"),
    "read_modify": (*_READING, "PATCH"),
    "read_create_modify": (*_READING, "POST", "PATCH"),
    _ALL: (*_READING, "POST", "PATCH", "DELETE", "PUT"),
}

# First match decides; what no line names is refused. The rows of ``least`` are the least-privilege role that NetApp
# documents for its DataOps Toolkit; vsadmin has those that the emulator answers, the S3 server of the SVM, and what a
# client reads to find its way.
_VOLUMES = [
    ("/api/storage/volumes(/.*)?", _ALL),
    ("/api/snapmirror/relationships(/.*)?", _ALL),
    ("/api/storage/flexcache/flexcaches(/.*)?", _ALL),
    ("/api/protocols/nfs/export-policies(/.*)?", _ALL),
    ("/api/storage/qtrees(/.*)?", _ALL),
    ("/api/protocols/cifs/shares(/.*)?", _ALL),
    ("/api/svm/svms(/.*)?", _READ),
    ("/api/cluster/jobs(/.*)?", _READ),
    ("/api/storage/snapshot-policies(/.*)?", _READ),
]
ROLES: dict[str, list[tuple[str, str]]] = {
    "admin": [("/.*", _ALL)],
    "readonly": [("/emulator/.*", "none"), ("/api/.*", _READ)],
    "vsadmin": [
        *_VOLUMES,
        ("/api/protocols/s3/.*", _ALL),
        ("/api/svm/peers(/.*)?", _ALL),
        ("/api/network/ip/interfaces(/.*)?", _READ),
        ("/api/cluster", _READ),
    ],
    "least": _VOLUMES,
}


@dataclass(frozen=True)
class User:
    name: str
    role: str
    svm: str | None = None
    """Name of the only SVM that an SVM-scoped user sees, or None."""
    privileges: tuple[tuple[str, str], ...] = ()
    """Patterns of paths (with /api) and the access to each; the first that fits decides."""


def check_role(user: User, method: str, path: str) -> None:
    """Raise 403 unless the user's role allows the method on the path (with /api)."""
    for pattern, access in user.privileges:
        if re.fullmatch(pattern, path):
            if method in ACCESS[access]:
                return
            break
    raise NotAllowed()


def tunnelled(store: Store, user: User, name: str | None, uuid: str | None) -> User:
    """The user, limited to the SVM that ``X-Dot-SVM-Name`` or ``X-Dot-SVM-UUID`` names, as that SVM's own users are.

    2621462 when there is no such SVM or the user may not see it, 2621706 when both headers disagree.
    """
    if not name and not uuid:
        return user
    found = [svm for svm in store.find("svm") if svm["name"] == name or svm["uuid"] == uuid]
    if len(found) > 1 or (found and name and uuid and (found[0]["name"], found[0]["uuid"]) != (name, uuid)):
        raise SvmMismatch(str(name), str(uuid))
    if not found or user.svm not in (None, found[0]["name"]):
        raise NoSuchSvm(name or str(uuid))
    return replace(user, svm=found[0]["name"])


def _pattern(path: str) -> str:
    return re.escape(path.rstrip("/")).replace(r"\*", "[^/]+") + "(/.*)?"


class Accounts:
    """Accounts live in the store; passwords only as salted digests."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, name: str, password: str, role: str, svm: str | None = None) -> None:
        """Create an account or replace it."""
        for given in (name, password, role, *([svm] if svm is not None else [])):
            if not isinstance(given, str) or not given:
                raise ValueError("name, password, role and svm are text")
        if role not in self.roles():
            raise ValueError(f"role {role!r} is none of {', '.join(self.roles())}")
        salt = secrets.token_hex(16)
        with self._store.transaction():
            for old in self._store.find(KIND, name=name):
                self._store.delete(KIND, old["uuid"])
            record = {"uuid": str(uuid4()), "name": name, "role": role, "svm": svm}
            self._store.insert(KIND, record | {"salt": salt, "digest": _digest(salt, password)})

    def put_role(self, name: str, privileges: list[dict[str, str]]) -> None:
        """Create a role of one's own or replace it. ``privileges`` have ``path`` (with /api) and ``access``."""
        if not isinstance(name, str) or name in ROLES:
            raise ValueError(f"role {name!r} is built in, or no text")
        for privilege in privileges:
            if privilege["access"] not in ACCESS:
                raise ValueError(f"access {privilege['access']!r} is none of {', '.join(ACCESS)}")
        longest_first = sorted(privileges, key=lambda privilege: -len(privilege["path"]))
        rows = [(_pattern(privilege["path"]), privilege["access"]) for privilege in longest_first]
        with self._store.transaction():
            self._store.delete(ROLE, name)
            self._store.insert(ROLE, {"uuid": name, "privileges": rows})

    def roles(self) -> dict[str, list[tuple[str, str]]]:
        return ROLES | {role["uuid"]: role["privileges"] for role in self._store.find(ROLE)}

    def authenticate(self, header: str | None) -> User:
        """The user of a Basic ``Authorization`` header, or 401."""
        name, password = _credentials(header)
        for record in self._store.find(KIND, name=name):
            if hmac.compare_digest(record["digest"], _digest(record["salt"], password)):
                privileges = self.roles().get(record["role"], [])
                return User(name, record["role"], record["svm"], tuple((path, access) for path, access in privileges))
        raise Unauthorized()

    def shown(self) -> list[dict[str, Any]]:
        return [_shown(record) for record in self._store.find(KIND)]


def _shown(record: Record) -> dict[str, Any]:
    return {key: record[key] for key in ("name", "role", "svm")}


def _digest(salt: str, password: str) -> str:
    # One round is enough: the same password lies in DIR/password, readable by the same user as the store.
    return hashlib.sha256(f"{salt}:{password}".encode()).hexdigest()


def _credentials(header: str | None) -> tuple[str, str]:
    scheme, _, encoded = (header or "").partition(" ")
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError as error:  # no base64, or no UTF-8 in it
        raise Unauthorized() from error
    if scheme.lower() != "basic" or not colon:
        raise Unauthorized()
    return name, password


def initial_password(root: Path) -> str:
    """The password from the environment, or the one generated into ``password`` (mode 600) at the first start."""
    if given := os.environ.get(PASSWORD_VARIABLE):
        return given
    path = root / "password"
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(18) + "\n")
    return path.read_text().strip()
