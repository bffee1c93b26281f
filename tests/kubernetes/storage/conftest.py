"""Storage on the cluster that KUBECONFIG names, served from an emulated ONTAP by the Trident stand-in.

The volumes are folders of this machine, so the cluster's nodes have to be this machine; else all of it is skipped.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ontap_mlops.compute import connections
from ontap_mlops.kubernetes.api import Cluster
from tests.conftest import Emulator
from tests.kubernetes.conftest import IMAGE, connect
from tests.kubernetes.trident import stand_in
from tests.kubernetes.waiting import wait_until

MIB = 1024**2


@dataclass(frozen=True)
class Storage:
    """A namespace with a storage class and a snapshot class of the stand-in's; the class's name is its driver's too."""

    cluster: Cluster
    namespace: str
    driver: str
    emulator: Emulator

    def volumes(self) -> list[str]:
        """Names of the volumes in ONTAP that claims have, or had."""
        with self.emulator.client() as client:
            records = client.get("/api/storage/volumes", params={"name": "trident_*"}).json()["records"]
        return [each["name"] for each in records]

    def volume_of(self, claim: str) -> str:
        """Name in ONTAP of the volume that a claim made."""
        uid = self.cluster.find("PersistentVolumeClaim", claim)["metadata"]["uid"]
        return f"trident_pvc_{uid.replace('-', '_')}"

    def snapshots_of(self, volume: str) -> list[str]:
        with self.emulator.client() as client:
            uuid = client.get("/api/storage/volumes", params={"name": volume}).json()["records"][0]["uuid"]
            return [each["name"] for each in client.get(f"/api/storage/volumes/{uuid}/snapshots").json()["records"]]

    def run(self, claim: str, command: str) -> str:
        """What a pod says that runs a shell command in the folder of a claim, and ends well."""
        name = f"shell-{secrets.token_hex(4)}"
        self.start(name, claim, command)
        wait_until(lambda: self.phase(name) in ("Succeeded", "Failed"))
        path = f"/api/v1/namespaces/{self.namespace}/pods/{name}"
        said = self.cluster.text(f"{path}/log", {}, "show a log").decode()
        assert self.phase(name) == "Succeeded", said
        self.cluster.delete("Pod", name, grace_s=0)
        return said

    def start(self, name: str, claim: str, command: str) -> None:
        mount = {"name": "data", "mountPath": "/data"}
        shell = {"name": "shell", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "volumeMounts": [mount]}
        shell |= {"command": ["sh", "-c", f"cd /data && {command}"]}
        volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
        spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [shell], "volumes": volumes}
        metadata = {"name": name, "namespace": self.namespace}
        self.cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    def phase(self, pod: str) -> str:
        found = self.cluster.find("Pod", pod)
        return found["status"]["phase"] if found else "gone"


@pytest.fixture(scope="session")
def storage(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """At its end everything in the namespace goes while the stand-in still runs, and must leave nothing in ONTAP."""
    name = f"stand-in-{secrets.token_hex(3)}"
    cluster = connect(name)
    _require_local_nodes(cluster)
    log = tmp_path_factory.mktemp("trident") / "stand_in.log"
    facts = {"url": emulator.url, "ca": emulator.ca, "password": emulator.password, "folder": emulator.namespace}
    with stand_in(cluster, name, **facts, log=log):
        yield Storage(cluster, name, name, emulator)


@pytest.fixture
def kubernetes_connection(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's connection kubernetes_default, to the namespace of these tests."""
    extra = {"kube_config_path": os.environ["KUBECONFIG"], "namespace": storage.namespace}
    connection = {"conn_type": "kubernetes", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))
    connections.forget_kubernetes("kubernetes_default")  # that of another file's tests


@pytest.fixture
def run_operator(kubernetes_connection: None) -> Callable[..., Any]:
    """Run an operator as a task would, to its end, and return its result."""
    from types import SimpleNamespace

    from tests.ontap_mlops.operators.run_context import NOW

    def run(kind: type, **arguments: Any) -> Any:
        waits = {"deferrable": False, "poll_interval_s": 0.3, "wait_limit_s": 300} if hasattr(kind, "look") else {}
        task = kind(task_id="task", **{**waits, **arguments})
        run = SimpleNamespace(dag_id="dag", run_id="manual", run_after=NOW)
        return task.execute({"dag_run": run, "ti": SimpleNamespace(task_id="task")})

    return run


def _require_local_nodes(cluster: Cluster) -> None:
    for node in cluster.select("Node"):
        for address in node["status"]["addresses"]:
            if address["type"] != "InternalIP":
                continue
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                try:
                    probe.bind((address["address"], 0))
                except OSError:
                    pytest.skip(f"node {node['metadata']['name']} is another machine: it does not see these folders")
