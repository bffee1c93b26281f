"""What is asked of a cluster for storage, and what is said of its answers; tests/kubernetes asks a real one."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from ontap_mlops.kubernetes import claims, errors, snapshots, waits
from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes_manifests.labels import labels

WHERE = {"name": "data", "namespace": "ml"}
OURS = {"name": "data", "namespace": "ml", "uid": "u1", "labels": labels(run="r1")}
PLURALS = {
    "/api/v1": {"PersistentVolumeClaim": "persistentvolumeclaims", "Pod": "pods", "Event": "events"},
    "/apis/storage.k8s.io/v1": {"StorageClass": "storageclasses"},
    "/apis/snapshot.storage.k8s.io/v1beta1": {
        "VolumeSnapshot": "volumesnapshots",
        "VolumeSnapshotClass": "volumesnapshotclasses",
    },
}
CLAIM = "/api/v1/namespaces/ml/persistentvolumeclaims/data"


class Api:
    """The client library's one method that is used, answering from ``objects`` by path, in the API's own form."""

    configuration = SimpleNamespace(host="https://cluster:6443")

    def __init__(self, objects: dict[str, Any]) -> None:
        self.objects = objects
        self.sent: list[tuple[str, str, Any]] = []

    def call_api(self, path: str, method: str, body: Any = None, **_: Any) -> Any:
        from kubernetes.client import ApiException

        if method != "GET":
            self.sent.append((method, path, body))
        found = body if method == "POST" else self._shown(path)
        if found is None:
            raise ApiException(status=404, reason="Not Found")
        return SimpleNamespace(data=json.dumps(found).encode())

    def _shown(self, path: str) -> Any:
        if path in PLURALS:
            return {"resources": [{"kind": k, "name": n, "namespaced": True} for k, n in PLURALS[path].items()]}
        group = path.removeprefix("/apis/")
        for versioned in PLURALS:
            if versioned.startswith(f"/apis/{group}/"):
                return {"preferredVersion": {"groupVersion": versioned.removeprefix("/apis/")}}
        if path in self.objects:
            return self.objects[path]
        is_list = any(path.endswith(f"/{plural}") for plurals in PLURALS.values() for plural in plurals.values())
        return (
            {"items": [found for at, found in self.objects.items() if at.startswith(f"{path}/")]} if is_list else None
        )


def cluster(**objects: Any) -> tuple[Cluster, Api]:
    api = Api(objects)
    return Cluster(api, "ml"), api


def claim(**more: Any) -> dict[str, Any]:
    spec = {"resources": {"requests": {"storage": "1Gi"}}, "accessModes": ["ReadWriteMany"], "storageClassName": "nas"}
    return {"metadata": OURS, "spec": spec, "status": {"phase": "Pending"}, **more}


def test_snapshots_are_made_in_the_version_that_the_cluster_has():
    kind = {"metadata": {"name": "nas"}, "driver": "csi.trident.netapp.io", "deletionPolicy": "Delete"}
    root = "/apis/snapshot.storage.k8s.io/v1beta1/namespaces/ml"
    there, api = cluster(**{CLAIM: claim(), f"{root}/volumesnapshotclasses/nas": kind})
    snapshots.ensure(there, name="v1", namespace="ml", claim="data", labels=labels(), snapshot_class="nas")
    ((method, path, body),) = api.sent
    assert (method, path, body["apiVersion"]) == (
        "POST",
        f"{root}/volumesnapshots",
        "snapshot.storage.k8s.io/v1beta1",
    )


def test_without_a_default_class_the_sentence_names_those_there_are_and_nothing_is_made():
    at = "/apis/storage.k8s.io/v1/namespaces/ml/storageclasses"
    there, api = cluster(**{f"{at}/{name}": {"metadata": {"name": name}} for name in ("nas", "gold")})
    with pytest.raises(errors.NotFound, match="no StorageClass is the default one; there are: gold, nas"):
        claims.ensure(there, **WHERE, size_bytes=1, labels=labels())
    assert api.sent == []


def test_a_claim_that_waits_in_vain_is_deleted_by_its_uid_and_the_newest_warning_told():
    events = "/api/v1/namespaces/ml/events"
    warned = {
        f"{events}/{n}": {"type": "Warning", "reason": "ProvisioningFailed", "message": text, "lastTimestamp": f"{n}"}
        for n, text in enumerate(("first", "no space left in aggr1"))
    }
    there, api = cluster(**{CLAIM: claim(), **warned})
    with pytest.raises(errors.NotReady, match="it is Pending; .* last warning is: ProvisioningFailed: no space left"):
        claims.look(there, **WHERE, uid="u1", deadline=waits.until(-1))
    ((method, path, body),) = api.sent
    assert (method, path, body["preconditions"]) == ("DELETE", CLAIM, {"uid": "u1"})


def test_a_line_is_told_once_for_as_long_as_it_says_the_same():
    there, _ = cluster(**{CLAIM: claim()})
    first = claims.look(there, **WHERE, uid="u1")
    again = claims.look(there, **WHERE, uid="u1", cursor=first["cursor"])
    assert (len(first["lines"]), again["lines"]) == (1, [])


@pytest.mark.parametrize(
    ("phase", "sentence"), [("Running", "used by pod trainer"), ("Pending", "used by pod trainer"), ("Succeeded", "")]
)
def test_a_pod_that_is_not_over_holds_its_claim(phase: str, sentence: str):
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    pod = {"metadata": {"name": "trainer"}, "spec": {"volumes": volumes}, "status": {"phase": phase}}
    there, api = cluster(**{CLAIM: claim(), "/api/v1/namespaces/ml/pods/trainer": pod})
    if sentence:
        with pytest.raises(errors.InUse, match=sentence):
            claims.delete(there, **WHERE)
        assert api.sent == []
    else:
        claims.delete(there, **WHERE)
        assert [method for method, *_ in api.sent] == ["DELETE"]


def test_a_claim_without_our_label_is_left_alone():
    there, api = cluster(**{CLAIM: claim(metadata={**OURS, "labels": {}})})
    with pytest.raises(errors.NameTaken, match="does not carry our label"):
        claims.delete(there, **WHERE)
    assert api.sent == []
