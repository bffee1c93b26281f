from typing import Any

from emulator.errors import NotFound
from emulator.rest import Call, Reply, created, many, one
from emulator.security_accounts import errors, state
from emulator.security_roles import state as roles
from emulator.security_roles.handlers import owner
from emulator.store import Record


def _visible(call: Call) -> list[Record]:
    found = [roles.scoped(call.world.store, record) for record in call.world.store.find(state.KIND)]
    return [record for record in found if call.user.svm in (None, record["owner"]["name"])]


def _account(call: Call) -> Record:
    for record in _visible(call):
        if (record["owner"]["uuid"], record["name"]) == (call.params["owner.uuid"], call.params["name"]):
            return record
    raise NotFound("name")


def list_accounts(call: Call) -> Reply:
    return many(call, state.ACCOUNT, _visible(call))


def get_account(call: Call) -> Reply:
    return one(call, state.ACCOUNT, _account(call))


def create(call: Call) -> Reply:
    body, store, svm = call.body, call.world.store, owner(call)
    name, password = body.get("name") or "", body.get("password")
    state.check_name(name)
    facts: dict[str, Any] = {key: body[key] for key in ("comment", "locked") if body.get(key) is not None}
    facts["applications"] = state.applications(body.get("applications") or [])
    if password is not None:
        state.check_password(name, password)
    role = _role(call, svm, (body.get("role") or {}).get("name") or ("vsadmin" if svm else "admin"))
    with store.transaction():
        if any(record["svm"] == svm for record in store.find(state.KIND, name=name)):
            raise errors.AccountExists(name)
        record = store.insert(state.KIND, state.new(name, role, svm, password, **facts))
    return created(call, state.ACCOUNT, roles.scoped(store, record))


def modify(call: Call) -> Reply:
    record, body = _account(call), call.body
    changes: dict[str, Any] = {"comment": body["comment"]} if "comment" in body else {}
    if role := (body.get("role") or {}).get("name"):
        changes["role"] = _role(call, record["svm"], role)
    if body.get("applications") is not None:
        changes["applications"] = state.applications(body["applications"])
    if (password := body.get("password")) is not None:
        state.check_password(record["name"], password)
        if state.opens(record, password):
            raise errors.PasswordRepeated()
        changes |= state.sealed(password)
    if (locked := body.get("locked")) is not None:
        if not (record | changes)["digest"]:
            raise errors.NoPassword(record["name"])
        changes["locked"] = locked
    _check_administrator(call, record, record | changes)
    call.world.store.update(state.KIND, record["uuid"], **changes)
    return Reply(200, {})


def delete(call: Call) -> Reply:
    record = _account(call)
    _check_administrator(call, record, None)
    call.world.store.delete(state.KIND, record["uuid"])
    return Reply(200, {})


def _role(call: Call, svm: dict[str, str] | None, name: str) -> str:
    if roles.find(call.world.store, name, svm) is None:
        raise errors.NoSuchRole(name, svm["name"] if svm else roles.owner_of_cluster(call.world.store)["name"])
    return name


def _check_administrator(call: Call, record: Record, changed: Record | None) -> None:
    """Somebody can always log in who may do everything."""

    def rules(account: Record) -> bool:
        return account["svm"] is None and account["role"] == "admin" and not account["locked"]

    others = [each for each in call.world.store.find(state.KIND) if each["uuid"] != record["uuid"] and rules(each)]
    if rules(record) and not others and not (changed and rules(changed)):
        raise errors.LastAdministrator(record["name"])
