"""Who calls, and whether the role of that account allows it."""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emulator.errors import NotAllowed, Unauthorized
from emulator.security_accounts import state as accounts
from emulator.security_roles import state as roles
from emulator.store import Record, Store
from emulator.svms.errors import NoSuchSvm, SvmMismatch

ADMIN = "admin"
PASSWORD_VARIABLE = "ONTAP_EMULATOR_PASSWORD"


@dataclass(frozen=True)
class User:
    name: str
    role: str
    svm: str | None = None
    """Name of the only SVM that an SVM-scoped user sees, or None."""
    privileges: tuple[tuple[str, str], ...] = ()
    """Paths (with /api) and the access to each."""


def check_role(user: User, method: str, path: str) -> None:
    """Raise 403 unless the user's role allows the method on the path (with /api)."""
    if not roles.allows([{"path": row, "access": access} for row, access in user.privileges], method, path):
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


class Accounts:
    """Accounts and roles as the prefix /emulator has them: put in place of what was there."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, name: str, password: str, role: str, svm: str | None = None) -> None:
        """Create an account or replace it. ``svm`` is the name of an SVM."""
        for given in (name, password, role, *([svm] if svm is not None else [])):
            if not isinstance(given, str) or not given:
                raise ValueError("name, password, role and svm are text")
        owner = self._svm(svm) if svm else None
        if roles.find(self._store, role, owner) is None:
            raise ValueError(f"role {role!r} is none of {', '.join(self.roles())}")
        with self._store.transaction():
            for old in self._store.find(accounts.KIND, name=name):
                self._store.delete(accounts.KIND, old["uuid"])
            self._store.insert(accounts.KIND, accounts.new(name, role, owner, password))

    def put_role(self, name: str, privileges: list[dict[str, str]]) -> None:
        """Create a role of the cluster or replace it. ``privileges`` have ``path`` (with /api) and ``access``."""
        if not isinstance(name, str) or name in roles.BUILT_IN:
            raise ValueError(f"role {name!r} is built in, or no text")
        for privilege in privileges:
            if privilege["access"] not in roles.ACCESS:
                raise ValueError(f"access {privilege['access']!r} is none of {', '.join(roles.ACCESS)}")
        rows = roles.checked(privileges) if privileges else []
        with self._store.transaction():
            for old in self._store.find(roles.KIND, name=name):
                if old["svm"] is None:
                    self._store.delete(roles.KIND, old["uuid"])
            roles.new(self._store, name, None, rows)

    def roles(self) -> list[str]:
        return [*roles.BUILT_IN, *(role["name"] for role in self._store.find(roles.KIND))]

    def authenticate(self, header: str | None) -> User:
        """The user of a Basic ``Authorization`` header, or 401."""
        name, password = _credentials(header)
        for record in self._store.find(accounts.KIND, name=name):
            if accounts.may_log_in(record, password):
                rows = roles.find(self._store, record["role"], record["svm"]) or []
                return User(
                    name,
                    record["role"],
                    record["svm"] and record["svm"]["name"],
                    tuple((row["path"], row["access"]) for row in rows),
                )
        raise Unauthorized()

    def shown(self) -> list[dict[str, Any]]:
        return [_shown(record) for record in self._store.find(accounts.KIND)]

    def _svm(self, name: str) -> dict[str, str]:
        for svm in self._store.find("svm", name=name):
            return {"name": svm["name"], "uuid": svm["uuid"]}
        raise ValueError(f"there is no SVM {name!r}")


def _shown(record: Record) -> dict[str, Any]:
    return {"name": record["name"], "role": record["role"], "svm": record["svm"] and record["svm"]["name"]}


def _credentials(header: str | None) -> tuple[str, str]:
    scheme, _, encoded = (header or "").partition(" ")
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError as error:  # no base64, or no UTF-8 in it
        raise Unauthorized() from error
    if scheme.lower() != "basic" or not colon:
        raise Unauthorized()
    return name, password


def initial_password(root: Path, account: str = ADMIN) -> str:
    """The account's password, made at the first start and kept below ``root`` (mode 600).

    The administrator's may be given in the environment instead.
    """
    if account == ADMIN and (given := os.environ.get(PASSWORD_VARIABLE)):
        return given
    path = root / "password" if account == ADMIN else root / "passwords" / account
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(18) + "\n")
    return path.read_text().strip()
