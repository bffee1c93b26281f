"""Cluster, nodes, licences, jobs, aggregates, SVMs, interfaces and export policies through the official client."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import pytest
from netapp_ontap.error import NetAppRestError
from netapp_ontap.resources import (
    Aggregate,
    ExportPolicy,
    ExportRule,
    IpInterface,
    Job,
    LicensePackage,
    Node,
    Svm,
    Volume,
)
from netapp_ontap.resources import Cluster as OntapCluster
from netapp_ontap.utils import watch_job


def test_the_cluster_says_its_version(cluster):
    found = OntapCluster()
    found.get(fields="version,name")
    assert found.version.generation == 9 and found.version.full.startswith("NetApp Release 9.")


def test_a_node_says_its_date(cluster):
    node = next(iter(Node.get_collection(fields="date,state")))
    assert datetime.fromisoformat(str(node.date)).tzinfo is not None
    assert node.state == "up"


def test_an_aggregate_says_its_space(cluster):
    aggregate = Aggregate.find(name=cluster.aggregate, fields="space.block_storage")
    assert 0 < aggregate.space.block_storage.available <= aggregate.space.block_storage.size


def test_the_svm_names_its_aggregates_and_its_interfaces_have_addresses(cluster):
    svm = Svm.find(name=cluster.svm, fields="state,aggregates")
    assert svm.state == "running" and cluster.aggregate in [a.name for a in svm.aggregates]
    lif = next(iter(IpInterface.get_collection(**{"svm.name": cluster.svm}, fields="ip.address,state")))
    assert lif.ip.address and lif.state == "up"


def test_an_svm_can_be_made_changed_and_deleted(only_emulator):
    svm = Svm(name=f"svm_{uuid4().hex[:8]}", comment="for a test")
    svm.post(hydrate=True, poll_interval=1)
    svm.comment = "changed"
    svm.patch(poll_interval=1)
    svm.get()
    assert (svm.state, svm.comment) == ("running", "changed")
    svm.delete(poll_interval=1)
    assert Svm.find(name=svm.name) is None


def test_an_export_policy_and_its_rules_are_made_changed_and_deleted(cluster):
    policy = ExportPolicy(name=f"policy_{uuid4().hex[:8]}", svm={"name": cluster.svm})
    policy.rules = [{"clients": [{"match": "10.0.0.0/8"}], "ro_rule": ["sys"], "rw_rule": ["sys"]}]
    policy.post(hydrate=True)
    rule = ExportRule(policy.id, clients=[{"match": "127.0.0.1"}], ro_rule=["any"], rw_rule=["any"])
    rule.post()
    rules = list(ExportRule.get_collection(policy.id, fields="clients,ro_rule"))
    assert [[c.match for c in r.clients] for r in rules] == [["10.0.0.0/8"], ["127.0.0.1"]]
    rule = rules[1]
    rule.rw_rule = ["never"]
    rule.patch()
    rule.get()
    assert rule.rw_rule == ["never"]
    rule.delete()
    policy.delete()
    assert ExportPolicy.find(name=policy.name) is None


def test_an_export_policy_in_use_cannot_be_deleted(cluster, volume):
    policy = ExportPolicy(name=f"policy_{uuid4().hex[:8]}", svm={"name": cluster.svm})
    policy.post(hydrate=True)
    volume.nas = {"export_policy": {"name": policy.name}}
    volume.patch(poll_interval=1)
    with pytest.raises(NetAppRestError):
        policy.delete()
    volume.nas = {"export_policy": {"name": "default"}}
    volume.patch(poll_interval=1)
    policy.delete()


def test_a_job_tells_what_was_asked_and_how_it_ended(cluster, volume):
    answer = Volume(uuid=volume.uuid, comment="by a job").patch(poll=False)
    job = Job(uuid=answer.http_response.json()["job"]["uuid"])
    watch_job(job.instance_location, interval=1)
    job.get(fields="*")
    assert (job.state, job.code) == ("success", 0)
    assert job.description.startswith("PATCH /api/storage/volumes/")
    assert str(job.start_time) <= str(job.end_time)


def test_a_wrong_password_is_refused(cluster):
    from netapp_ontap import HostConnection

    wrong = HostConnection(cluster.connection.host, "admin", "wrong", port=cluster.connection.port)
    with wrong, pytest.raises(NetAppRestError) as refused:
        list(Svm.get_collection())
    assert refused.value.http_err_response.http_response.status_code == 401


def test_a_licence_says_whether_it_is_there():
    found = {each.name: each.state for each in LicensePackage.get_collection(fields="state")}
    assert found["snapmirror"] == "compliant"
