"""Every name that ONTAP's resources have may be asked for; what the emulator does not model is absent, not refused."""

from __future__ import annotations

import inspect
import re

import netapp_ontap.resources
import pytest
from netapp_ontap.resource import Resource

from emulator import ontap_names
from emulator.server import URLS
from emulator.volumes.state import VOLUME

COLLECTIONS = sorted({ontap_names.collection_of(route.shape.href) for route in URLS if route.shape})
MODELS = {
    re.sub(r"\{[^}]+\}", "{}", kind._path.removeprefix("/api")): kind
    for _, kind in inspect.getmembers(netapp_ontap.resources, inspect.isclass)
    if issubclass(kind, Resource) and hasattr(kind, "_path")
}


def error(answer):
    return answer.json()["error"]


@pytest.fixture
def paths(api, make):
    """Each emulated collection with an address of its own, as the client's models name them."""
    svm = api.get("/api/svm/svms?name=svm1").json()["records"][0]["uuid"]
    policy = api.get("/api/protocols/nfs/export-policies?name=default&svm.name=svm1").json()["records"][0]["id"]
    snapshot_policy = api.get("/api/storage/snapshot-policies?name=default").json()["records"][0]["uuid"]
    aggregate = api.get("/api/storage/aggregates?name=aggr2").json()["records"][0]["uuid"]
    parents = {
        "/storage/aggregates/{}/": aggregate,
        "/storage/snapshot-policies/{}/": snapshot_policy,
        "/storage/volumes/{}/": make()["uuid"],
        "/protocols/s3/services/{}/": svm,
        "/protocols/nfs/export-policies/{}/": str(policy),
    }

    def address(collection: str) -> str:
        for parent, key in parents.items():
            if collection.startswith(parent):
                return "/api" + collection.replace("{}", key)
        return "/api" + collection

    return address


def below(collection: str) -> bool:
    """Whether the collection is one of a parent, which its path names."""
    return "{}" in collection


def client_names(collection: str) -> list[str]:
    return [name for name in MODELS[collection]._schema().gettable_fields if "links" not in name.split(".")]


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_field_that_the_official_client_reads_may_be_asked_for(api, paths, collection):
    if collection not in MODELS:
        pytest.skip("the official client has no such resource")
    if "{}" in paths(collection):
        pytest.skip("a resource below another whose address this test does not know")
    if not any(route.method == "GET" and f"/api{route.path}" == paths(collection) for route in URLS) and not below(
        collection
    ):
        pytest.skip("a resource that is read one by one only")
    for name in client_names(collection):
        answer = api.get(paths(collection), params={"fields": name})
        assert answer.status_code == 200, (name, answer.text)
    assert api.get(paths(collection), params={"fields": ",".join(client_names(collection))}).status_code == 200


ONLY_ONTAPS = sorted(name for name in VOLUME.ontap.read if not any(name in shown for shown in VOLUME.names))


@pytest.mark.parametrize("name", ONLY_ONTAPS[:: len(ONLY_ONTAPS) // 8])
def test_a_field_that_only_ontap_has_is_absent_and_matches_as_one_that_is_not_set(api, make, name):
    uuid = make()["uuid"]
    assert set(api.get(f"/api/storage/volumes/{uuid}?fields={name}").json()) == {"uuid", "name", "_links"}

    def found(text: str) -> int:
        return api.get(f"/api/storage/volumes?uuid={uuid}&{name}={text}").json()["num_records"]

    assert found("null") == 1
    for other in ("on", "!on", "*", "!null", ">1", "1..2"):
        assert found(other) == 0, other


def test_a_list_may_be_ordered_by_a_field_that_is_not_modelled(api, make):
    names = sorted(make()["name"] for _ in range(3))
    found = api.get(f"/api/storage/volumes?name={'|'.join(names)}&order_by={ONLY_ONTAPS[0]},name").json()
    assert [record["name"] for record in found["records"]] == names


@pytest.mark.parametrize("name", ["colour", "tiering.colour", "svm.colour", "uuid.name", "snaplock.type.x"])
def test_a_name_that_ontap_does_not_have_is_refused(api, name):
    for argument in ("fields", "order_by"):
        refused = api.get(f"/api/storage/volumes?{argument}={name}")
        assert (refused.status_code, error(refused)["code"]) == (400, "262197")
    asked = api.get(f"/api/storage/volumes?{name}=x")
    assert (asked.status_code, error(asked)["code"], error(asked)["target"]) == (400, "262179", name)


def test_the_names_are_those_of_the_installed_client():
    from scripts.generate_ontap_names import names, schemas

    known = ontap_names._all()
    for path, schema in schemas().items():
        if path in COLLECTIONS:
            made = names(schema)
            assert known[path] == ontap_names.Names(frozenset(made["read"]), frozenset(made["lists"])), (
                f"{path}: run python -m scripts.generate_ontap_names"
            )
