"""Roles: which paths of the REST interface an account may use, and how.

A path stands for itself and all below it, ``*`` for one part of a path, and the longest path that fits decides.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, text
from emulator.errors import MissingField
from emulator.fields import Shape, Wanted
from emulator.security_roles.errors import NoSuchPath, PrivilegeExists, Qualified, RoleExists
from emulator.store import Record, Store
from emulator.svms import parts
from emulator.values import at_most, one_of

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("security_role")

Privilege = dict[str, str]
"""``path`` (with /api) and ``access``."""

_ALL, _READ, _NONE = "all", "readonly", "none"
_READING = ("GET", "HEAD", "OPTIONS")
# What each access level allows.
ACCESS: dict[str, tuple[str, ...]] = {
    _NONE: (),
    _READ: _READING,
    "read_create": (*_READING, "POST"),
    "read_modify": (*_READING, "PATCH"),
    "read_create_modify": (*_READING, "POST", "PATCH"),
    _ALL: (*_READING, "POST", "PATCH", "DELETE", "PUT"),
}

# The rows of ``least`` are the least-privilege role that NetApp documents for its DataOps Toolkit; vsadmin has those
# that the emulator answers, the S3 server of the SVM, and what a client reads to find its way. What no row names is
# refused.
_LEAST = {
    "/api/storage/volumes": _ALL,
    "/api/snapmirror/relationships": _ALL,
    "/api/storage/flexcache/flexcaches": _ALL,
    "/api/protocols/nfs/export-policies": _ALL,
    "/api/storage/qtrees": _ALL,
    "/api/protocols/cifs/shares": _ALL,
    "/api/svm/svms": _READ,
    "/api/cluster/jobs": _READ,
    "/api/storage/snapshot-policies": _READ,
}
_VSADMIN = {
    **_LEAST,
    "/api/protocols/s3": _ALL,
    "/api/svm/peers": _ALL,
    "/api/network/ip/interfaces": _READ,
    "/api/cluster": _READ,
    **dict.fromkeys(("/api/cluster/nodes", "/api/cluster/peers", "/api/cluster/schedules"), _NONE),
}
# What is no part of ONTAP, such as the prefix /emulator that steers the pretending, is the administrator's.
_BUILT_IN = {
    "admin": {"/api": _ALL, "": _ALL},
    "readonly": {"/api": _READ},
    "vsadmin": _VSADMIN,
    "least": _LEAST,
}
BUILT_IN: dict[str, list[Privilege]] = {
    name: [{"path": path, "access": access} for path, access in rows.items()] for name, rows in _BUILT_IN.items()
}
OF_AN_SVM = ("vsadmin",)
"""Built-in roles that each SVM has; the others are the cluster's."""

# The only paths in which a role may name single objects, by uuid or as ``*``.
QUALIFIED = (
    "/storage/volumes/{}/snapshots",
    "/storage/volumes/{}/files",
    "/storage/volumes/{}/top-metrics/clients",
    "/storage/volumes/{}/top-metrics/directories",
    "/storage/volumes/{}/top-metrics/files",
    "/storage/volumes/{}/top-metrics/users",
    "/svm/svms/{}/top-metrics/clients",
    "/svm/svms/{}/top-metrics/directories",
    "/svm/svms/{}/top-metrics/files",
    "/svm/svms/{}/top-metrics/users",
    "/protocols/s3/services/{}/users",
)
_KNOWN = Path(__file__).parents[1] / "known_endpoints.txt"
_UUID = re.compile(r"\*|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

access = one_of(*ACCESS)
POST_FIELDS: Accepts = {
    "name": at_most(64),
    "owner.name": text,
    "owner.uuid": text,
    "privileges.path": text,
    "privileges.access": access,
}
PRIVILEGE_POST: Accepts = {"path": text, "access": access}
PRIVILEGE_PATCH: Accepts = {"access": access}


def _render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    return {key: record[key] for key in ("name", "owner", "builtin", "scope", "privileges")}


def _render_privilege(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    return record


ROLE = Shape(
    href="/security/roles/{owner.uuid}/{name}",
    keys=("owner.uuid", "owner.name", "name"),
    common=("builtin", "scope", "privileges.path", "privileges.access"),
    costly=(),
    render=_render,
)
PRIVILEGE = Shape(
    href="/security/roles/{owner.uuid}/{role.name}/privileges/{path}",
    # A list tells the access unasked: NetApp's own modules for Ansible read it there.
    keys=("owner.uuid", "role.name", "path", "access"),
    common=(),
    costly=(),
    render=_render_privilege,
)


def owner_of_cluster(store: Store) -> dict[str, str]:
    (cluster,) = store.find("cluster")
    return {"name": cluster["name"], "uuid": cluster["uuid"]}


def scoped(store: Store, record: Record) -> Record:
    """With ``owner`` and ``scope``, from the SVM that the record belongs to, if to any."""
    svm = record["svm"]
    return record | {"owner": svm or owner_of_cluster(store), "scope": "svm" if svm else "cluster"}


def built_in(store: Store) -> list[Record]:
    """Records of the roles that nobody made, which lie in no store."""
    found: list[Record] = []
    for name, privileges in BUILT_IN.items():
        owners = [{key: svm[key] for key in ("name", "uuid")} for svm in store.find("svm")]
        for svm in owners if name in OF_AN_SVM else [None]:
            shown = [row for row in privileges if row["path"].startswith("/api")]
            made = {"name": name, "svm": svm, "privileges": shown, "builtin": True, "_seq": -len(found) - 1}
            found.append(scoped(store, made))
    return found


def everything(store: Store) -> list[Record]:
    return [*built_in(store), *(scoped(store, record) | {"builtin": False} for record in store.find(KIND))]


def find(store: Store, name: str, svm: dict[str, str] | None) -> list[Privilege] | None:
    """Return the rows of the role that an account of this SVM, or of the cluster, has by this name."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    found = {(record["svm"] or {}).get("uuid"): record["privileges"] for record in store.find(KIND, name=name)}
    return found.get(svm["uuid"], found.get(None)) if svm else found.get(None)


def new(store: Store, name: str, svm: dict[str, str] | None, privileges: list[Privilege]) -> Record:
    """Store a role. Refuses a name that is taken."""
    if name in BUILT_IN or any(record["svm"] == svm for record in store.find(KIND, name=name)):
        raise RoleExists(name)
    return store.insert(KIND, {"uuid": str(uuid4()), "name": name, "svm": svm, "privileges": privileges})


def checked(privileges: list[dict[str, Any]]) -> list[Privilege]:
    """As they are stored. Refuses a path that no role can name, and one that comes twice."""
    found: dict[str, Privilege] = {}
    for row in privileges:
        for key in ("path", "access"):
            if not row.get(key):
                raise MissingField(f"privileges.{key}")
        path = checked_path(row["path"])
        if path in found:
            raise PrivilegeExists(path)
        found[path] = {"path": path, "access": row["access"]}
    if not found:
        raise MissingField("privileges")
    return list(found.values())


def checked_path(path: str) -> str:
    below = path.rstrip("/").removeprefix("/api")
    if not path.startswith("/api") or "{" in below:
        raise NoSuchPath(path)
    parts_of = ["{}" if _UUID.fullmatch(part) else part for part in below.split("/")]
    if "{}" in parts_of and "/".join(parts_of) not in QUALIFIED:
        raise Qualified(path)
    if "{}" not in parts_of and below not in _paths():
        raise NoSuchPath(path)
    return path.rstrip("/")


@functools.cache
def _paths() -> frozenset[str]:
    """Every collection of ONTAP's that is below no single object, and all that leads to one."""
    collections = [line.split("/{")[0] for line in _KNOWN.read_text().split()]
    return frozenset(
        "/".join(line.split("/")[:end]) for line in collections for end in range(1, len(line.split("/")) + 1)
    )


def allows(privileges: list[Privilege], method: str, path: str) -> bool:
    for row in sorted(privileges, key=lambda row: -len(row["path"])):
        if _pattern(row["path"]).fullmatch(path):
            return method in ACCESS[row["access"]]
    return False


@functools.lru_cache(maxsize=4096)
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.escape(path.rstrip("/")).replace(r"\*", "[^/]+") + "(/.*)?")
