"""The one bridge from compute to Airflow: a connection's id becomes a client, by the hook of its provider.

Nothing is imported before it is asked for, and everything else in ``compute`` knows clients only.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from ontap_mlops.compute.workload import PlaceRefused
from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes.errors import ConnectionUnusable, sentence

_KEPT_S = 300.0  # then the connection is read again, so that a renewed token is used
_aws: dict[tuple[int, str, str, str | None], tuple[float, Any]] = {}
_clusters: dict[tuple[int, str], tuple[float, Cluster]] = {}
_lock = threading.Lock()


def kubernetes_cluster(conn_id: str = "kubernetes_default") -> Cluster:
    """Return the cluster of a connection of type ``kubernetes``; kept for five minutes, since looks are frequent.

    The connection's own namespace, else ``default``, is the cluster's. Raises ConnectionUnusable when the connection
    describes no cluster, PlaceRefused where the provider is not installed, and Airflow's error where there is no
    connection of that id.
    """
    key = os.getpid(), conn_id  # sockets do not live through a fork
    with _lock:
        kept = _clusters.get(key)
        if kept is None or kept[0] < time.monotonic():
            _clusters[key] = kept = time.monotonic() + _KEPT_S, _cluster(conn_id)
        return kept[1]


def forget_kubernetes(conn_id: str) -> None:
    """Read the connection again at the next call, such as after its token was refused."""
    with _lock:
        _clusters.pop((os.getpid(), conn_id), None)


def kubernetes_client(conn_id: str = "kubernetes_default") -> Any:
    """Return the ``kubernetes.client.ApiClient`` of a connection. Raises as ``kubernetes_cluster`` does."""
    return kubernetes_cluster(conn_id).client


def ssh_client(conn_id: str = "ssh_default") -> Any:
    """Return a connected ``paramiko.SSHClient`` of a connection of type ``ssh``; the caller closes it."""
    try:
        from airflow.providers.ssh.hooks.ssh import SSHHook
    except ImportError:
        raise _not_installed(conn_id, "SSH", "ssh") from None
    return SSHHook(ssh_conn_id=conn_id).get_conn()


def aws_client(conn_id: str, service: str, region_name: str | None = None) -> Any:
    """Return boto3's client for a service, such as ``sagemaker``, of a connection of type ``aws``.

    Kept for five minutes, since looks are frequent and a client is slow to make. Raises PlaceRefused where the provider
    is not installed or no region is known, and Airflow's error where there is no connection of that id.
    """
    key = os.getpid(), conn_id, service, region_name
    with _lock:
        kept = _aws.get(key)
        if kept is None or kept[0] < time.monotonic():
            _aws[key] = kept = time.monotonic() + _KEPT_S, _aws_client(conn_id, service, region_name)
        return kept[1]


def _aws_client(conn_id: str, service: str, region_name: str | None) -> Any:
    try:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
    except ImportError:
        raise _not_installed(conn_id, "Amazon", "amazon") from None
    from botocore.exceptions import NoRegionError

    try:
        return AwsBaseHook(aws_conn_id=conn_id, client_type=service, region_name=region_name).get_client_type()
    except NoRegionError:
        raise PlaceRefused(f"connection {conn_id!r} has no region_name; give one in its extra") from None


def _cluster(conn_id: str) -> Cluster:
    """Under the lock: the hook sets, and then copies, a default that all of the process share."""
    try:
        from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
    except ImportError:
        raise _not_installed(conn_id, "Kubernetes", "kubernetes") from None
    from airflow.sdk.exceptions import AirflowNotFoundException
    from kubernetes.config import ConfigException

    hook = KubernetesHook(conn_id=conn_id)
    try:
        client = hook.get_conn()
    except AirflowNotFoundException:
        raise
    except (ConfigException, OSError, ValueError, TypeError) as error:
        asked = f"answer by connection {conn_id!r}"
        raise sentence(ConnectionUnusable, "an unknown address", asked, f"no answer, since {error}") from None
    return Cluster(client, hook.get_namespace() or "default")


def _not_installed(conn_id: str, provider: str, extra: str) -> PlaceRefused:
    return PlaceRefused(
        f"connection {conn_id!r} needs Airflow's {provider} provider, which is not installed; install "
        f"airflow-provider-ontap-mlops[{extra}]"
    )
