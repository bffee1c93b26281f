"""What podman has to be told on this machine, found out here so that neither the compose file nor a build knows it."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

SYSTEMD = Path("/run/systemd/system")
MOST = 1000  # open files and processes where a machine limits its containers


def configuration() -> str:
    """Return a containers.conf: the runtime there is, who keeps cgroups, and limits that a container may have here."""
    engine = [f'{name} = "{value}"' for name, value in settings().items()]
    engine += [] if SYSTEMD.exists() else ['events_logger = "file"']
    quoted = ", ".join(f'"{limit}"' for limit in limits())
    return "\n".join(["[engine]", *engine, "[containers]", f"default_ulimits = [{quoted}]", ""])


def settings() -> dict[str, str]:
    """Return what it needs on a machine without crun or systemd, by its names in a containers.conf."""
    runtime = {} if shutil.which("crun") or not shutil.which("runc") else {"runtime": "runc"}
    return runtime | ({} if SYSTEMD.exists() else {"cgroup_manager": "cgroupfs"})


def limits() -> list[str]:
    """Return a container's limits, such as ``nofile=500:1000``: never more than this process has itself."""
    told = []
    for name, kind in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        soft, hard = (MOST if each == resource.RLIM_INFINITY else min(each, MOST) for each in resource.getrlimit(kind))
        told.append(f"{name}={soft}:{hard}")
    return told


def environment(configured: Path) -> dict[str, str]:
    """Return the variables with which podman reads that file, and does not ask a systemd that is not there."""
    return {"CONTAINERS_CONF": str(configured)} | ({} if SYSTEMD.exists() else {"DISABLE_HC_SYSTEMD": "true"})
