"""What is made on a cluster for a workload, word for word: a change of a file in golden/ is a change for users.

``UPDATE_GOLDEN=1`` writes the files again.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from ontap_mlops.kubernetes_manifests import dask as workers_of_dask
from ontap_mlops.kubernetes_manifests import jobs, mounts, pods, processes
from ontap_mlops.kubernetes_manifests.labels import labels

GOLDEN = Path(__file__).parent / "golden"
OWNER = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "r1-train", "uid": "uid-1"}}
LABELS = labels(workload="r1-train", run="r1", project="team a", dataset_version="v1")
PLAIN = pods.Process(image="tasks:1", command=["python", "-m", "tasks.tyre.train"])
FULL = pods.Process(
    image="tasks:1",
    command=["python", "-m", "tasks.tyre.train", "--epochs", "3"],
    environment={"B": "2", "A": "1"},
    limits=pods.limits(2.5, 4, 1),
    folders=[
        pods.Folder(key="workspace", source=mounts.nfs("10.0.0.5", "/ws")),
        pods.Folder(key="models", source=mounts.host_path("/srv/svm1/models"), read_only=True),
        pods.Folder(key="raw", source=mounts.claimed("r1-train-abc-2", read_only=True), read_only=True),
    ],
    secret="r1-train-abc",
    files="r1-train-abc",
    time_limit_s=90.4,
)
TERMS = pods.Terms(
    pull_policy="IfNotPresent",
    service_account="trainer",
    pull_secrets=["registry"],
    node_selector={"gpu": "yes"},
    tolerations=[{"key": "gpu", "operator": "Exists"}],
    host_network=True,
    shm_gib=2,
    user=0,
    group=100,
    grace_s=45,
)
WHERE = {"namespace": "ml", "labels": LABELS}
MADE_JOB = {
    **jobs.job(
        name="r1-train",
        template=pods.pod(PLAIN, pods.Terms(), {**LABELS, "controller-uid": "u", "job-name": "r1-train"}, {}),
        annotations={jobs.ATTEMPT: "abc"},
        keep_s=3600,
        **WHERE,
    )
}
MADE_JOB["metadata"]["uid"] = "uid-1"
WORKERS = workers_of_dask.Workers(number=4, cpus=2, memory_gib=1.5, wait_s=600, port=23456)
DASK_JOB = {
    **jobs.job(
        name="r1-train",
        template=workers_of_dask.waiting(pods.pod(FULL, TERMS, LABELS, {"note": "kept"}), WORKERS),
        annotations={jobs.ATTEMPT: "abc", workers_of_dask.WORKERS: WORKERS.to_json()},
        keep_s=3600,
        **WHERE,
    )
}
DASK_JOB["metadata"]["uid"] = "uid-1"
DASK_POD = {"metadata": {"uid": "12345-678"}, "status": {"podIP": "10.1.2.3"}}
MADE = {
    "pod_plain": pods.pod(PLAIN, pods.Terms(), LABELS, {}),
    "pod_full": pods.pod(FULL, TERMS, LABELS, {"note": "kept"}),
    "job": MADE_JOB,
    "secret": jobs.secret(name="r1-train-abc", owner=OWNER, values={"B": "2", "A": "1"}, **WHERE),
    "files": jobs.files(name="r1-train-abc", owner=OWNER, texts={"run.json": "{}"}, **WHERE),
    "static_volume": mounts.static_volume(
        name="ml-r1-train-abc-0",
        claim="r1-train-abc-0",
        source=mounts.nfs("10.0.0.5", "/ws"),
        options=["nfsvers=4.1"],
        **WHERE,
    ),
    "static_claim": mounts.static_claim(name="r1-train-abc-0", volume="ml-r1-train-abc-0", owner=OWNER, **WHERE),
    "process_first": processes.pod(MADE_JOB, name="r1-train-abc-0-0", rank=0, restart=0),
    "process_other": processes.pod(MADE_JOB, name="r1-train-abc-1-1", rank=1, restart=1, master="10.1.2.3"),
    "indexed": processes.indexed(MADE_JOB, processes=3, failures=9, service="r1-train-abc"),
    "survives_disruption": jobs.survives_disruption(MADE_JOB),
    "service": processes.service(name="r1-train-abc", selected=labels(workload="r1-train"), owner=OWNER, **WHERE),
    "dask_program": DASK_JOB["spec"]["template"],
    "dask_workers": workers_of_dask.job(DASK_JOB, DASK_POD, WORKERS),
    "released": jobs.released(1764208800.5, 1),
}


@pytest.mark.parametrize("name", MADE)
def test_the_manifest_is_the_one_that_was_agreed(name: str):
    file = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(yaml.safe_dump(MADE[name], sort_keys=True))
    assert MADE[name] == yaml.safe_load(file.read_text())


def test_a_process_does_not_carry_the_labels_of_the_jobs_controller():
    assert not {"controller-uid", "job-name"} & set(MADE["process_first"]["metadata"]["labels"])


def test_the_launcher_begins_each_process_with_its_rank():
    command = " ".join(processes.launcher(3, 29400))
    assert "--nnodes=3 --nproc-per-node=1 --node-rank=$(ONTAP_MLOPS_RANK)" in command
    assert 20000 <= processes.port("r1-train") < 30000


def test_dask_workers_are_found_at_an_address_of_ipv6_too():
    command = workers_of_dask.template(DASK_JOB, WORKERS, "fd00::5")["spec"]["containers"][0]["command"]
    assert "tls://[fd00::5]:23456" in command


def test_dask_reads_its_keys_from_the_variables_of_a_secret(monkeypatch):
    import dask.config
    from distributed import Security

    for name, value in workers_of_dask.keys().items():
        monkeypatch.setenv(name, value)
    with dask.config.set(dask.config.merge(dask.config.config, dask.config.collect_env())):
        security = Security()
        assert security.require_encryption is True
        for role in ("scheduler", "worker", "client"):
            assert security.get_tls_config_for_role(role)["key"].startswith("-----BEGIN PRIVATE KEY-----")
            assert security.get_connection_args(role)["ssl_context"]


def test_every_golden_file_is_of_a_manifest_that_is_made():
    assert {file.stem for file in GOLDEN.glob("*.yaml")} >= set(MADE)


@pytest.mark.parametrize(
    ("cpus", "memory", "gpus", "wanted"),
    [
        (None, None, 0, {}),
        (0.5, None, 0, {"cpu": "500m"}),
        (None, 0.3, 2, {"memory": "307Mi", "nvidia.com/gpu": "2"}),
    ],
)
def test_amounts_are_whole_and_what_is_not_asked_for_is_left_out(cpus, memory, gpus, wanted):
    assert pods.limits(cpus, memory, gpus) == wanted


def test_a_label_is_cut_to_what_kubernetes_takes():
    assert labels(project="Équipe 1: " + "x" * 80)["ontap-mlops/project"].startswith("quipe-1-x")
    assert len(labels(project="x" * 80)["ontap-mlops/project"]) == 63
