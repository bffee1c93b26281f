"""What is made on a cluster for servers, word for word: a change of a file in golden/ is a change for users.

``UPDATE_GOLDEN=1`` writes the files again.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from ontap_mlops.kubernetes_manifests import kserve, pods, servers
from ontap_mlops.kubernetes_manifests.labels import labels

GOLDEN = Path(__file__).parent / "golden"
JUPYTER = servers.Server(
    name="ada-labels",
    namespace="ml",
    image="jupyter:1",
    command=servers.jupyter_command("/home/jovyan/data"),
    ports={"http": servers.JUPYTER},
    probe="/api",
    folders=[servers.Folder(claim="ada-labels", path="/home/jovyan/data")],
    limits=pods.limits(2, 4, 1),
    secret="ada-labels-token",
    shm_gib=1,
    together=False,
    labels=labels(dataset_version="v1"),
    annotations={servers.UNTIL: "2026-12-04T06:00:00+00:00"},
    terms=pods.Terms(node_selector={"gpu": "yes"}, pull_secrets=["registry"], user=1000, group=100),
)
TRITON = servers.Server(
    name="tyre-triton",
    namespace="ml",
    image="tritonserver:1",
    command=servers.triton_command("/models/triton", flags=["--log-verbose=1"]),
    ports={"http": servers.HTTP, "grpc": servers.GRPC, "metrics": servers.METRICS},
    probe="/v2/health/ready",
    folders=[servers.Folder(claim="models", path=servers.REPOSITORY, read_only=True)],
)
MADE = {
    "jupyter": servers.deployment(JUPYTER),
    "jupyter_service": servers.service(JUPYTER, "NodePort"),
    "jupyter_token": servers.token(JUPYTER, "the token"),
    "triton": servers.deployment(TRITON),
    "triton_service": servers.service(TRITON),
    "inference_service": kserve.inference_service(
        name="tyre",
        namespace="ml",
        labels=labels(run="r1", dataset_version="v1"),
        annotations={kserve.VERSION: "3"},
        uri=kserve.storage_uri("models", "kserve/tyre-3"),
        runtime="kserve-tritonserver",
        limits=pods.limits(1, 2, 0),
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_is_what_is_written_down(name: str):
    file = GOLDEN / "servers" / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump(MADE[name], sort_keys=True))
    assert yaml.safe_load(file.read_text()) == MADE[name]
