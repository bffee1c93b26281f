"""Roles and accounts through the official client."""

from __future__ import annotations

from uuid import uuid4

import pytest
from netapp_ontap import HostConnection
from netapp_ontap.error import NetAppRestError
from netapp_ontap.resources import Account, Role, RolePrivilege, Svm, Volume

PASSWORD = "Harbour-1984"


def test_a_role_is_made_changed_and_holds_for_its_account(cluster):
    name = f"c{uuid4().hex[:8]}"
    svm = next(iter(Svm.get_collection(name=cluster.svm)))
    role = Role(
        name=name, owner={"name": cluster.svm}, privileges=[{"path": "/api/storage/volumes", "access": "readonly"}]
    )
    role.post()
    (role,) = Role.get_collection(name=name, fields="*")
    assert (role.scope, role.builtin, role.owner.name) == ("svm", False, cluster.svm)
    RolePrivilege(svm.uuid, name, path="/api/cluster", access="readonly").post()
    account = Account(
        name=f"a_{name}",
        owner={"name": cluster.svm},
        role={"name": name},
        password=PASSWORD,
        applications=[{"application": "http", "authentication_methods": ["password"]}],
    )
    account.post()
    (account,) = Account.get_collection(name=f"a_{name}", fields="*")
    assert (account.role.name, account.locked) == (name, False)

    host = cluster.connection
    with HostConnection(host.host, username=f"a_{name}", password=PASSWORD, port=host.port):
        assert isinstance(list(Volume.get_collection(max_records=1)), list)
        with pytest.raises(NetAppRestError) as refused:
            Volume(name="v", svm={"name": cluster.svm}, aggregates=[{"name": cluster.aggregate}]).post(poll_interval=1)
        assert (refused.value.status_code, str(refused.value.response_body["error"]["code"])) == (403, "6")

    row = RolePrivilege(svm.uuid, name, path="/api/cluster")
    row.get()
    row.access = "none"
    row.patch()
    assert {r.path: r.access for r in RolePrivilege.get_collection(svm.uuid, name, fields="*")} == {
        "/api/storage/volumes": "readonly",
        "/api/cluster": "none",
    }
    row.delete()
    account.delete()
    role.delete()
    assert list(Account.get_collection(name=f"a_{name}")) == [] and list(Role.get_collection(name=name)) == []
