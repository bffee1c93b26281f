"""The verbs of serving by KServe, on a real API server, with a stand-in for what KServe's controller says."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator

import pytest

from ontap_mlops.hooks.rest import ServiceRefused, ServiceUnavailable
from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.serving.kind import ServingKind, kind
from tests.kubernetes import kserve_stand_in
from tests.kubernetes.conftest import connect
from tests.kubernetes.waiting import wait_until
from tests.ontap_mlops.operators.run_context import CHAMPION

BROKEN = "models/kserve/tyre-5"
NEXT = dataclasses.replace(CHAMPION, version=4)
UNLOADABLE = dataclasses.replace(CHAMPION, version=5)


@pytest.fixture
def serving(cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServingKind]:
    known = cluster.find("CustomResourceDefinition", kserve_stand_in.DEFINITION["metadata"]["name"])
    if known and "ontap-mlops/stand-in" not in (known["metadata"].get("labels") or {}):
        pytest.skip("a real KServe is on this cluster, and would answer in place of its stand-in")
    if known is None:
        cluster.create(kserve_stand_in.DEFINITION)
    own = connect(namespace)
    wait_until(lambda: connect(namespace).has("InferenceService"))
    extra = {"kube_config_path": os.environ["KUBECONFIG"], "namespace": namespace}
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_KSERVE", json.dumps({"conn_type": "kubernetes", "extra": extra}))
    with kserve_stand_in.running(own, broken=BROKEN):
        yield kind("kserve", {"kubernetes_conn_id": "kubernetes_kserve", "pause_s": 0.2, "ready_timeout_s": 20})
        own.delete("InferenceService", "tyre")
        wait_until(lambda: own.find("InferenceService", "tyre") is None)


def uri(cluster: Cluster) -> str:
    found = cluster.find("InferenceService", "tyre")
    return found["spec"]["predictor"]["model"]["storageUri"] if found else ""


def test_a_version_replaces_another_and_is_put_back_for_it(serving: ServingKind, cluster: Cluster):
    serving.wait_ready()
    serving.load(CHAMPION, {})
    assert serving.serves(CHAMPION)
    serving.load(NEXT, {})
    serving.load(NEXT, {})
    assert (serving.serves(NEXT), serving.serves(CHAMPION), uri(cluster)) == (True, False, "pvc://models/kserve/tyre-4")
    serving.put_back(NEXT, {})
    serving.put_back(NEXT, {})
    assert (serving.serves(NEXT), serving.serves(CHAMPION), uri(cluster)) == (False, True, "pvc://models/kserve/tyre-3")


def test_the_first_version_is_put_back_by_removing_it(serving: ServingKind, cluster: Cluster):
    serving.load(CHAMPION, {})
    serving.put_back(CHAMPION, {})
    assert uri(cluster) == ""
    assert not serving.serves(CHAMPION)


def test_a_version_that_cannot_be_loaded_is_told_in_kserves_words_and_put_back(serving: ServingKind, cluster: Cluster):
    serving.load(CHAMPION, {})
    with pytest.raises(ServiceRefused, match="BlockedByFailedLoad: ModelLoadFailed: no such folder on the claim"):
        serving.load(UNLOADABLE, {})
    serving.put_back(UNLOADABLE, {})
    assert serving.serves(CHAMPION)


def test_an_inference_service_of_somebody_else_is_left_alone(serving: ServingKind, cluster: Cluster):
    spec = {"predictor": {"model": {"modelFormat": {"name": "triton"}, "storageUri": "pvc://theirs/model"}}}
    body = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "tyre"}}
    cluster.create({**body, "spec": spec})
    with pytest.raises(ServiceRefused, match="does not carry our label"):
        serving.load(CHAMPION, {})
    assert uri(cluster) == "pvc://theirs/model"


def test_a_cluster_that_gives_no_answer_is_no_answer_to_what_serves(
    serving: ServingKind, monkeypatch: pytest.MonkeyPatch
):
    elsewhere = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )
    extra = {"kube_config": elsewhere}
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_AWAY", json.dumps({"conn_type": "kubernetes", "extra": extra}))
    with pytest.raises(ServiceUnavailable, match="asked to"):
        kind("kserve", {"kubernetes_conn_id": "kubernetes_away"}).serves(CHAMPION)
