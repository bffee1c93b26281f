"""The Trident stand-in beside an emulator, with classes of its own on the cluster, for as long as a test needs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes_manifests.labels import labels
from tests.conftest import REPOSITORY
from tests.kubernetes.waiting import wait_until


@contextmanager
def stand_in(
    cluster: Cluster, name: str, *, url: str, ca: Path, password: str, folder: Path, log: Path
) -> Iterator[None]:
    """``name`` is that of the StorageClass, the VolumeSnapshotClass, their driver, its back end and its namespace.

    At its end everything in that namespace goes while the stand-in still runs.

    :param folder: where the nodes see the SVM's namespace.
    """
    command = [sys.executable, "-m", "trident_stand_in", "--ontap", url, "--ca", str(ca), "--folder", str(folder)]
    command += ["--provisioner", name, "--namespace", name, "--backend", name]
    environment = os.environ | {"TRIDENT_STAND_IN_PASSWORD": password}
    with log.open("wb") as said:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=said, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: cluster.has("VolumeSnapshotClass"))
        wait_until(lambda: cluster.find("Namespace", name))
        for each in _classes(name):
            cluster.create(each)
        yield
        _clear_away(cluster, name)
    finally:
        process.kill()
        process.wait(10)
        print(log.read_text()[-4000:])


def _classes(name: str) -> list[dict[str, Any]]:
    metadata = {"name": name}
    kind = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": metadata, "provisioner": name}
    snapshots = {"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass", "metadata": metadata}
    return [{**kind, "allowVolumeExpansion": True}, {**snapshots, "driver": name, "deletionPolicy": "Delete"}]


def _clear_away(cluster: Cluster, name: str) -> None:
    cluster.delete("Namespace", name)
    wait_until(lambda: cluster.find("Namespace", name) is None)
    for volume in cluster.select("PersistentVolume", labels()):  # of a test that failed
        if (volume["spec"].get("claimRef") or {}).get("namespace") == name:
            cluster.delete("PersistentVolume", volume["metadata"]["name"])
    wait_until(lambda: not _left(cluster, name))
    for kind in ("StorageClass", "VolumeSnapshotClass"):
        cluster.delete(kind, name)


def _left(cluster: Cluster, driver: str) -> list[str]:
    volumes = [each for each in cluster.select("PersistentVolume") if each["spec"].get("storageClassName") == driver]
    contents = [each for each in cluster.select("VolumeSnapshotContent") if each["spec"]["driver"] == driver]
    return [each["metadata"]["name"] for each in volumes + contents]
