"""What a workload becomes on clusters of several versions, without a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ontap_mlops.compute.kinds.kubernetes import together
from ontap_mlops.compute.kinds.kubernetes.place import KubernetesPlace
from ontap_mlops.compute.kinds.kubernetes.submitting import Making
from ontap_mlops.compute.workload import Mount, PlaceRefused, Resources, Workload
from ontap_mlops.config_file import ConfigError

OWNER = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "uid": "u"}}


def place(**values: Any) -> KubernetesPlace:
    return KubernetesPlace.of({"kind": "kubernetes", "image": "tasks:1", **values}, "the place")


def making(version: tuple[int, int], where: KubernetesPlace | None = None, **workload: Any) -> Making:
    cluster: Any = SimpleNamespace(version=lambda: version, namespace="ml")
    return Making(where or place(), cluster, Workload(name="r1-train", program="tasks.tyre.train", **workload), "abc")


def container(made: Making) -> dict[str, Any]:
    return made.pod()["spec"]["containers"][0]


def kinds(made: Making) -> list[str]:
    return [part["kind"] for part in made.parts(OWNER)]


def test_several_processes_are_an_indexed_job_where_the_cluster_numbers_pods():
    made = making((1, 29), processes=3)
    spec = made.job()["spec"]
    assert (spec["completionMode"], spec["completions"], spec["backoffLimit"]) == ("Indexed", 3, 9)
    assert made.pods_at_once == 3 and kinds(made) == ["Service"]
    command = container(made)["command"]
    assert "--node-rank=$(JOB_COMPLETION_INDEX)" in command and "--master-addr=r1-train-0.r1-train-abc" in command
    assert spec["template"]["spec"]["subdomain"] == "r1-train-abc"


def test_several_processes_are_pods_of_ours_on_older_clusters():
    made = making((1, 20), processes=3)
    assert "completionMode" not in made.job()["spec"]
    assert made.pods_at_once == 0 and kinds(made) == []
    assert "--node-rank=$(ONTAP_MLOPS_RANK)" in container(made)["command"]


@pytest.mark.parametrize(("version", "replaced"), [((1, 25), False), ((1, 26), True)])
def test_a_pod_that_is_drained_is_replaced_by_newer_clusters_too(version, replaced):
    assert ("podFailurePolicy" in making(version).job()["spec"]) == replaced


def test_certificates_that_a_variable_names_travel_along(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    variables = {"AWS_CA_BUNDLE": str(tmp_path / "ca.pem"), "AWS_ACCESS_KEY_ID": "k", "SSL_CERT_FILE": "/in/the/image"}
    made = making(
        (1, 29),
        secrets=variables,
        run={"data": "{ws}/data"},
        mounts={"ws": Mount(svm="s", junction_path="/w")},
        where=place(namespaces={"s": {"nfs": "10.0.0.5"}}),
    )
    secret, files = made.parts(OWNER)
    assert secret["stringData"] == {
        "AWS_CA_BUNDLE": "/etc/ontap-mlops/aws_ca_bundle.pem",
        "AWS_ACCESS_KEY_ID": "k",
        "SSL_CERT_FILE": "/in/the/image",
    }
    assert files["data"]["aws_ca_bundle.pem"] == "-----BEGIN CERTIFICATE-----"
    assert json.loads(files["data"]["run.json"]) == {"data": "/mnt/ws/data"}
    assert {"name": "RUN_FILE", "value": "/etc/ontap-mlops/run.json"} in container(made)["env"]


def test_no_secret_stands_in_a_job():
    made = making((1, 29), secrets={"TOKEN": "very-secret"}, resources=Resources(cpus=2))
    assert "very-secret" not in json.dumps(made.job())
    assert {"name": "OMP_NUM_THREADS", "value": "2"} in container(made)["env"]


def test_without_an_image_one_sentence_says_where_it_is_given():
    with pytest.raises(PlaceRefused, match="names no image and its place has none; give the place an image in"):
        making((1, 29), where=place(image="")).pod()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"namespaces": {"s": {}}}, "give one of nfs, the address of a data LIF, host_path"),
        ({"namespaces": {"s": {"nfs": "a", "host_path": "/b"}}}, "give one of nfs"),
        ({"namespaces": {"s": {"nfs": "a", "mount_options": ["hard"]}}}, "mount_options need claims: true"),
        ({"namespaces": {"s": {"host_path": "srv"}}}, "give a folder of the nodes, like /srv/svm1"),
        ({"namespace": "My Namespace"}, "Kubernetes' names are of a-z, 0-9, - and ."),
        ({"scheduler": "yarn"}, "yarn"),
        ({"grace": 3}, "unknown key 'grace'"),
    ],
)
def test_a_mistake_in_a_place_is_said_in_a_sentence(values, message):
    with pytest.raises(ConfigError, match=message):
        place(**values)


LOG = """epoch 1
ValueError: the loss is not a number
E1127 04:08:11.1 7 torch/distributed/elastic/multiprocessing/api.py:988] failed (exitcode: 3) local_rank: 0 (pid: 12)
Traceback (most recent call last):
  File "torch/distributed/run.py", line 1
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
"""


def test_of_a_process_under_torchrun_its_own_exit_code_and_last_words_are_told():
    assert together.child(LOG) == (3, "ValueError: the loss is not a number")
    assert together.child("") == (None, "")
    assert together.child("begun\nlast line\n") == (None, "last line")


def test_a_volume_that_trident_imports_is_a_claim_that_all_its_programs_share():
    where = place(namespaces={"s": {"trident": "ontap-nas", "storage_class": "gold"}})
    volume = Mount(svm="s", junction_path="/mlops_ws_R1", read_only=True)
    made, other = (making((1, 29), where=where, mounts={"ws": volume}) for _ in range(2))
    (mounted,) = made.mounted
    assert mounted.imported == other.mounted[0].imported
    assert (mounted.imported.volume, mounted.imported.backend) == ("mlops_ws_R1", "ontap-nas")
    (shown,) = made.pod()["spec"]["volumes"]
    assert shown["persistentVolumeClaim"] == {"claimName": "ontap-mlops-mlops-ws-r1", "readOnly": True}
    assert kinds(made) == [], "the claim is made apart, since it may be there"


@pytest.mark.parametrize(
    ("reach", "sentence"),
    [
        ({"nfs": "10.0.0.5", "trident": "a", "storage_class": "b"}, "give one of nfs"),
        ({"trident": "a"}, "trident and storage_class, the class of its claims, belong together"),
        ({"trident": "a", "storage_class": "b", "claims": True}, "with trident there is always a claim"),
    ],
)
def test_ways_to_a_volume_that_contradict_each_other_are_a_mistake_in_the_file(reach, sentence):
    with pytest.raises(ConfigError, match=sentence):
        place(namespaces={"default": reach})
