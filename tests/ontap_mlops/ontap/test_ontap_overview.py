"""What the hub asks of ONTAP, in one request a view."""

from __future__ import annotations

from urllib.parse import urlsplit

from ontap_mlops import names
from ontap_mlops.ontap import clones, dataset_versions, overview, personal_workspaces, snapshots, workspaces
from ontap_mlops.ontap.dataset_versions import Adoption
from ontap_mlops.ontap.marks import mark
from tests.ontap_mlops.conftest import SVM, Ontap

DIGEST = "sha256:" + "a" * 64


def freeze(client, digest: str = DIGEST, run_key: str = "r1"):
    facts = {"digest": digest, "files": 6, "size": 9_000, "run_key": run_key, "source": "s3://lake/tyre/"}
    return dataset_versions.freeze(client, svm=SVM, volume="tyre", dataset="tyre_images", **facts).version


def asked(ontap: Ontap) -> list[str]:
    seen = ontap.control("GET", "/requests")["requests"]
    return [urlsplit(each["path"]).path for each in seen if each["path"].startswith("/api/")]


def test_the_versions_of_a_dataset_are_listed_in_one_request(client, ontap, volume) -> None:
    first, second = freeze(client), freeze(client, "sha256:" + "b" * 64, "r2")
    snapshots.ensure(client, volume_uuid=volume.uuid, name="weekly.1", comment="")
    ontap.forget_requests()
    wanted = {"svm": SVM, "volume": "tyre", "dataset": "tyre_images"}
    assert overview.list_versions(client, **wanted) == [first, second]
    assert asked(ontap) == ["/api/storage/volumes/*/snapshots"]
    adopted = overview.list_versions(client, **wanted, adopt=Adoption(names=("weekly.*",)))
    assert {each.snapshot for each in adopted} == {first.snapshot, second.snapshot, "weekly.1"}
    assert overview.list_versions(client, **{**wanted, "volume": "none"}) == []


def test_the_volumes_are_listed_with_their_snapshots_counted_in_one_request(client, ontap, volume) -> None:
    version = freeze(client)
    parent = {"parent_volume": "tyre", "parent_snapshot": version.snapshot}
    key = "r20261120t070000z0123abcd"
    workspaces.ensure(client, svm=SVM, run_key=key, airflow_run="d/manual", with_bucket=False, **parent)
    until = dataset_versions.when(version)
    personal_workspaces.ensure(client, svm=SVM, person="ada", name="x", version=version.id, until=until, **parent)
    origin = mark(f"cache origin of tyre_images {version.id}")
    clones.ensure(client, svm=SVM, name=names.cache_volume(version.id), comment=origin, **parent)
    ontap.forget_requests()
    held = {each.volume.name: each for each in overview.look(client, svm=SVM)}
    assert asked(ontap) == ["/api/storage/volumes"]
    assert held["tyre"].snapshots == 1
    kinds = {name: overview.kind_of(each.volume) for name, each in held.items() if name.startswith("mlops_")}
    assert kinds == {
        names.workspace_volume(key): overview.WORKSPACE,
        names.personal_workspace("ada", "x"): overview.PERSONAL,
        names.cache_volume(version.id): overview.ORIGIN,
    }
