from typing import Any

from emulator.errors import MissingField, NotFound
from emulator.rest import ANY, Call, Reply, created, many, one
from emulator.security_roles import state
from emulator.security_roles.errors import BuiltIn, LastPrivilege, PrivilegeExists, RoleInUse
from emulator.store import Record
from emulator.svms.state import ref, resolve


def _visible(call: Call) -> list[Record]:
    return [role for role in state.everything(call.world.store) if call.user.svm in (None, role["owner"]["name"])]


def _role(call: Call, name: str = "name") -> Record:
    for role in _visible(call):
        if (role["owner"]["uuid"], role["name"]) == (call.params["owner.uuid"], call.params[name]):
            return role
    raise NotFound(name)


def _own(call: Call, name: str = "name") -> Record:
    """A role that may be changed."""
    role = _role(call, name)
    if role["builtin"]:
        raise BuiltIn(role["name"])
    return role


def owner(call: Call) -> dict[str, str] | None:
    """The SVM that the body names as the owner, or None for the cluster."""
    named: dict[str, Any] = call.body.get("owner") or {}
    if call.user.svm is None and (not named or state.owner_of_cluster(call.world.store).items() >= named.items()):
        return None
    return ref(resolve(call, named))


def list_roles(call: Call) -> Reply:
    return many(call, state.ROLE, _visible(call))


def get_role(call: Call) -> Reply:
    return one(call, state.ROLE, _role(call))


def create(call: Call) -> Reply:
    if not call.body.get("name"):
        raise MissingField("name")
    svm, privileges = owner(call), state.checked(call.body.get("privileges") or [])
    with call.world.store.transaction():
        record = state.new(call.world.store, call.body["name"], svm, privileges)
    return created(call, state.ROLE, state.scoped(call.world.store, record) | {"builtin": False})


def delete(call: Call) -> Reply:
    role = _own(call)
    with call.world.store.transaction():
        for account in call.world.store.find("security_account", role=role["name"]):
            if role["svm"] is None or account["svm"] == role["svm"]:
                raise RoleInUse(role["name"], account["name"])
        call.world.store.delete(state.KIND, role["uuid"])
    return Reply(200, {})


def _rows(roles: list[Record]) -> list[Record]:
    rows = [(role, row) for role in roles for row in role["privileges"]]
    return [
        row | {"owner": role["owner"], "role": {"name": role["name"]}, "_seq": place}
        for place, (role, row) in enumerate(rows)
    ]


def list_privileges(call: Call) -> Reply:
    """``*`` in place of an owner or a role asks for the rows of all."""
    wanted = (call.params["owner.uuid"], call.params["role.name"])
    if ANY not in wanted:
        return many(call, state.PRIVILEGE, _rows([_role(call, "role.name")]))
    roles = [
        role
        for role in _visible(call)
        if all(asked in (ANY, has) for asked, has in zip(wanted, (role["owner"]["uuid"], role["name"]), strict=True))
    ]
    return many(call, state.PRIVILEGE, _rows(roles))


def _privilege(call: Call, role: Record) -> Record:
    for row in _rows([role]):
        if row["path"] == call.params["path"]:
            return row
    raise NotFound("path")


def get_privilege(call: Call) -> Reply:
    return one(call, state.PRIVILEGE, _privilege(call, _role(call, "role.name")))


def create_privilege(call: Call) -> Reply:
    role, (added,) = _own(call, "role.name"), state.checked([call.body])
    if any(row["path"] == added["path"] for row in role["privileges"]):
        raise PrivilegeExists(added["path"])
    call.world.store.update(state.KIND, role["uuid"], privileges=[*role["privileges"], added])
    return created(call, state.PRIVILEGE, _rows([role | {"privileges": [added]}])[0])


def modify_privilege(call: Call) -> Reply:
    role = _own(call, "role.name")
    changed = {"path": _privilege(call, role)["path"]} | call.body
    kept = [changed if row["path"] == changed["path"] else row for row in role["privileges"]]
    if changed.get("access"):
        call.world.store.update(state.KIND, role["uuid"], privileges=kept)
    return Reply(200, {})


def delete_privilege(call: Call) -> Reply:
    role = _own(call, "role.name")
    path = _privilege(call, role)["path"]
    kept = [row for row in role["privileges"] if row["path"] != path]
    if not kept:
        raise LastPrivilege(role["name"])
    call.world.store.update(state.KIND, role["uuid"], privileges=kept)
    return Reply(200, {})
