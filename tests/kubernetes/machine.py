"""Whether a node of the cluster is this machine, so that pods can see its folders and its own addresses."""

from __future__ import annotations

from pathlib import Path

from ontap_mlops.kubernetes.api import Cluster

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def is_a_node(cluster: Cluster) -> bool:
    boot = _BOOT.read_text().strip() if _BOOT.exists() else ""
    return any(node["status"]["nodeInfo"]["bootID"] == boot for node in cluster.select("Node"))
