"""What podman has to be told on this machine, found out here so that docker-compose.yaml need not know."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

SYSTEMD = Path("/run/systemd/system")
MOST = 1000  # open files and processes where a machine limits its containers


def configuration() -> str:
    """Return a containers.conf: the runtime there is, who keeps cgroups, and limits that a container may have here."""
    engine = [] if shutil.which("crun") or not shutil.which("runc") else ['runtime = "runc"']
    engine += [] if SYSTEMD.exists() else ['cgroup_manager = "cgroupfs"', 'events_logger = "file"']
    limits = [
        limit(name, kind) for name, kind in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC))
    ]
    containers = [f"default_ulimits = [{', '.join(limits)}]"]
    return "\n".join(["[engine]", *engine, "[containers]", *containers, ""])


def limit(name: str, kind: int) -> str:
    """Return what a container gets of this, never more than this process has itself."""
    soft, hard = (MOST if each == resource.RLIM_INFINITY else min(each, MOST) for each in resource.getrlimit(kind))
    return f'"{name}={soft}:{hard}"'


def environment(configured: Path) -> dict[str, str]:
    """Return the variables with which podman reads that file, and does not ask a systemd that is not there."""
    return {"CONTAINERS_CONF": str(configured)} | ({} if SYSTEMD.exists() else {"DISABLE_HC_SYSTEMD": "true"})
