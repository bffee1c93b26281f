"""Volumes that were made in ONTAP, shown to pods as claims: by Trident, and without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ontap_mlops.kubernetes import errors
from ontap_mlops.operators.kubernetes_claims import KubernetesClaimDeleteOperator
from ontap_mlops.operators.kubernetes_volumes import KubernetesVolumeImportOperator, KubernetesVolumeMountOperator
from tests.kubernetes.storage.conftest import MIB, Storage

Run = Callable[..., Any]


@pytest.fixture
def outside(storage: Storage, request: pytest.FixtureRequest) -> Iterator[str]:
    """A volume with a file, that ONTAP operators or a person made."""
    name = f"outside_{request.node.name.split('[')[0][-20:]}"
    body = {"name": name, "svm": {"name": storage.emulator.svm}, "size": 40 * MIB, "nas": {"path": f"/{name}"}}
    with storage.emulator.client() as client:
        body["aggregates"] = [{"name": client.get("/api/storage/aggregates").json()["records"][0]["name"]}]
        client.post("/api/storage/volumes?return_timeout=60", json=body).raise_for_status()
        (storage.emulator.namespace / name / "file").write_text("made outside\n")
        (storage.emulator.namespace / name).chmod(0o777)
        yield name
        for each in client.get("/api/storage/volumes", params={"name": name}).json()["records"]:
            client.delete(f"/api/storage/volumes/{each['uuid']}?return_timeout=60")


def named(storage: Storage, name: str) -> bool:
    with storage.emulator.client() as client:
        return bool(client.get("/api/storage/volumes", params={"name": name}).json()["records"])


def test_an_imported_volume_keeps_its_name_and_outlives_its_claim(storage: Storage, run_operator: Run, outside: str):
    where = {"backend": storage.driver, "storage_class": storage.driver}
    made = run_operator(
        KubernetesVolumeImportOperator, claim="imported", volume={"volume": outside}, size_bytes=30 * MIB, **where
    )
    assert made["size_bytes"] == 40 * MIB
    assert storage.run("imported", "cat file; echo more > other") == "made outside\n"
    run_operator(KubernetesClaimDeleteOperator, claim=made)
    assert (storage.emulator.namespace / outside / "other").read_text() == "more\n"


def test_a_volume_that_is_handed_over_goes_with_its_claim(storage: Storage, run_operator: Run, outside: str):
    where = {"backend": storage.driver, "storage_class": storage.driver}
    arguments = {"claim": "handed", "volume": outside, "size_bytes": 30 * MIB, "managed": True}
    made = run_operator(KubernetesVolumeImportOperator, **arguments, **where)
    assert (named(storage, outside), named(storage, storage.volume_of("handed"))) == (False, True)
    assert storage.run("handed", "cat file") == "made outside\n"
    volume = storage.volume_of("handed")
    run_operator(KubernetesClaimDeleteOperator, claim=made)
    assert not named(storage, volume)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"backend": "gold"}, "Trident has no back end 'gold'; it has: .*stand-in"),
        ({"volume": "not_there"}, "ProvisioningFailed: .*not_there.*has no such volume"),
    ],
)
def test_what_cannot_be_imported_is_named(storage: Storage, run_operator: Run, wrong: dict[str, str], sentence: str):
    given = {"backend": storage.driver, "volume": "any", "storage_class": storage.driver, "wait_limit_s": 3, **wrong}
    with pytest.raises((errors.NotFound, errors.NotReady), match=sentence):
        run_operator(KubernetesVolumeImportOperator, claim="wrong", **given)


def test_a_volume_is_mounted_without_trident_and_its_data_outlives_the_claim(
    storage: Storage, run_operator: Run, outside: str
):
    given = {"folder": str(storage.emulator.namespace), "junction_path": {"junction_path": f"/{outside}"}}
    made = run_operator(KubernetesVolumeMountOperator, claim="mounted", **given)
    assert run_operator(KubernetesVolumeMountOperator, claim="mounted", **given) == made
    assert storage.run("mounted", "cat file; echo more > other") == "made outside\n"
    with pytest.raises(errors.NameTaken, match="of hostPath .*/elsewhere.* one of that name is there"):
        run_operator(KubernetesVolumeMountOperator, claim="mounted", **{**given, "junction_path": "/elsewhere"})
    run_operator(KubernetesClaimDeleteOperator, claim=made)
    assert storage.cluster.find("PersistentVolume", made["volume"]) is None
    assert (storage.emulator.namespace / outside / "other").read_text() == "more\n"
