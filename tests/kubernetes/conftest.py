"""A namespace on the cluster that KUBECONFIG names, for each file of tests; gone with everything in it at the end.

Without KUBECONFIG everything here is skipped. Nothing is assumed of the cluster but a node that takes pods.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest

from ontap_mlops.kubernetes.api import Cluster

IMAGE = os.environ.get("ONTAP_MLOPS_TASKS_IMAGE", "localhost/ontap-mlops-tasks:latest")
"""Our tasks image, as `make tasks-image` builds it; the cluster's nodes have it or can pull it."""


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/kubernetes/" in str(item.path):
            item.add_marker(pytest.mark.kubernetes)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(900))  # a cluster on a busy machine takes its time
            if not os.environ.get("KUBECONFIG"):
                item.add_marker(pytest.mark.skip(reason="KUBECONFIG names no cluster"))


def connect(namespace: str = "default", host: str | None = None) -> Cluster:
    """A client of its own, at the cluster's address or at ``host``, such as a proxy's."""
    from kubernetes import client, config

    configuration = client.Configuration()
    config.load_kube_config(os.environ["KUBECONFIG"], client_configuration=configuration)
    configuration.refresh_api_key_hook = None  # it would read the file again, and undo what is changed here
    if host:
        configuration.host = host
        configuration.assert_hostname = False
    return Cluster(client.ApiClient(configuration), namespace)


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    name = f"ontap-mlops-test-{secrets.token_hex(3)}"
    cluster = connect()
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    cluster.delete("Namespace", name)


@pytest.fixture
def cluster(namespace: str) -> Cluster:
    return connect(namespace)
