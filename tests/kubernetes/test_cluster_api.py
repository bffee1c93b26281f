"""What the room that speaks to Kubernetes makes of a real API server's answers."""

from __future__ import annotations

import pytest

from ontap_mlops.kubernetes import errors
from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes_manifests.labels import labels
from tests.kubernetes.conftest import connect
from tests.kubernetes.waiting import wait_until


def config_map(name: str, **metadata) -> dict:
    return {"kind": "ConfigMap", "metadata": {"name": name, "labels": labels(), **metadata}, "data": {"a": "b"}}


def test_the_version_and_the_api_versions_are_the_clusters_own(cluster: Cluster):
    assert cluster.version() >= (1, 16)
    assert cluster.resource("Job").path("there", "one") == "/apis/batch/v1/namespaces/there/jobs/one"
    assert cluster.resource("Pod").path("there") == "/api/v1/namespaces/there/pods"
    assert not cluster.resource("Namespace").namespaced


@pytest.mark.parametrize("kind", ["Tyre", "tyres.example.com/Tyre", "batch/Tyre"])
def test_a_kind_that_the_cluster_does_not_have_is_named(cluster: Cluster, kind: str):
    assert not cluster.has(kind)
    with pytest.raises(errors.NoSuchKind, match="it has no kind Tyre"):
        cluster.find(kind, "one")


def test_making_twice_finds_the_first_and_deleting_twice_says_so(cluster: Cluster):
    made = cluster.ensure(config_map("twice"))
    assert cluster.ensure(config_map("twice"))["metadata"]["uid"] == made["metadata"]["uid"]
    assert cluster.delete("ConfigMap", "twice", uid=made["metadata"]["uid"])
    assert not cluster.delete("ConfigMap", "twice")


def test_a_later_object_of_the_same_name_is_not_deleted_for_the_earlier_one(cluster: Cluster):
    before = cluster.ensure(config_map("later"))
    cluster.delete("ConfigMap", "later")
    cluster.ensure(config_map("later"))
    assert not cluster.delete("ConfigMap", "later", uid=before["metadata"]["uid"])
    assert cluster.find("ConfigMap", "later") is not None


def test_what_does_not_carry_our_label_is_left_alone(cluster: Cluster):
    cluster.create(config_map("foreign", labels={}))
    with pytest.raises(errors.NameTaken, match="that does not carry our label"):
        cluster.ensure(config_map("foreign"))


def test_objects_are_found_by_their_labels(cluster: Cluster):
    cluster.ensure(config_map("red", labels=labels(run="r-red")))
    cluster.ensure(config_map("blue", labels=labels(run="r-blue")))
    assert [o["metadata"]["name"] for o in cluster.select("ConfigMap", labels(run="r-red"))] == ["red"]


def test_a_namespace_that_is_not_there_is_said_and_nothing_is_in_it(cluster: Cluster):
    with pytest.raises(errors.NotFound, match='namespaces "nowhere" not found'):
        cluster.ensure(config_map("lost", namespace="nowhere"))
    assert cluster.find("ConfigMap", "lost", "nowhere") is None
    assert cluster.select("ConfigMap", namespace="nowhere") == []


def test_what_breaks_the_rules_is_said_in_the_clusters_words(cluster: Cluster):
    with pytest.raises(errors.InvalidRequest, match="asked to make ConfigMap .*Bad Name.*Correct the value"):
        cluster.ensure(config_map("Bad Name"))


def test_a_quota_that_is_used_up_may_pass_and_one_that_is_too_small_does_not(cluster: Cluster):
    spec = {"hard": {"requests.storage": "1Gi"}}
    cluster.ensure({"kind": "ResourceQuota", "metadata": {"name": "small", "labels": labels()}, "spec": spec})

    def claim(name: str, size: str) -> dict:
        asked = {"accessModes": ["ReadWriteOnce"], "storageClassName": "none"}
        asked["resources"] = {"requests": {"storage": size}}
        return {"kind": "PersistentVolumeClaim", "metadata": {"name": name, "labels": labels()}, "spec": asked}

    def counted() -> bool:
        found = cluster.find("ResourceQuota", "small")
        return bool(found and found.get("status", {}).get("hard"))

    wait_until(counted)
    cluster.ensure(claim("most", "700Mi"))
    with pytest.raises(errors.OverQuota, match="exceeded quota: small"):
        cluster.ensure(claim("rest", "700Mi"))
    with pytest.raises(errors.BeyondQuota, match="Ask for less"):
        cluster.ensure(claim("more", "2Gi"))
    cluster.delete("PersistentVolumeClaim", "most")
    cluster.delete("ResourceQuota", "small")


def test_a_token_that_is_refused_is_said_so(namespace: str):
    other = connect(namespace)
    other.client.configuration.api_key = {"authorization": "Bearer expired"}
    other.client.configuration.cert_file = other.client.configuration.key_file = None
    with pytest.raises(errors.LoginRefused, match="Renew the token or certificate of the connection"):
        other.find("ConfigMap", "any")


def test_an_address_where_nobody_answers_is_unreachable(namespace: str):
    with pytest.raises(errors.Unreachable, match="no answer came"):
        connect(namespace, host="https://127.0.0.1:9").find("ConfigMap", "any")
