"""The program that builds and runs containers on this machine: docker, podman or buildah, as each needs it here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass

from scripts.composing import podman
from scripts.package_sources import PackageSources

_LARGEST = 8
_LOOK = """
import os, sys
sizes = {}
for top in ("/opt", "/usr/local"):
    for folder, _, files in os.walk(top):
        parts = folder.split("/")
        at = parts.index("site-packages") + 2 if "site-packages" in parts else 4
        kept = "/".join(parts[:at])
        for file in files:
            path = os.path.join(folder, file)
            if not os.path.islink(path):
                sizes[kept] = sizes.get(kept, 0) + os.lstat(path).st_size
for path, size in sorted(sizes.items(), key=lambda item: -item[1])[: int(sys.argv[1])]:
    print(f"{size / 1e6:6.0f} MB  {path}")
"""


@dataclass(frozen=True)
class Tool:
    """``command`` is how it is called on this machine."""

    name: str
    command: tuple[str, ...]

    def build(self, sources: PackageSources) -> list[str]:
        """Return the beginning of a build's command line."""
        # What a build listens to or asks is a matter of the machine's network, as with any installation on it.
        options = ["build", "--network", "host"]
        for name, file in sources.secrets.items():
            options += ["--secret", f"id={name},src={file}"]
        if self.name != "docker":
            # Docker's format has health checks, the other one has not.
            options += ["--format", "docker", "--layers", *_limits()]
            options += [part for folder in sources.folders for part in ("-v", f"{folder}:{folder}:ro")]
        elif sources.folders:
            print(
                f"pip finds packages in {', '.join(sources.folders)} on this machine, which a build with docker cannot "
                "see; what is only there will be missing.",
                file=sys.stderr,
            )
        return [*self.command, *options]

    def run(self) -> list[str]:
        """Return the beginning of the command line that runs a container and removes it when it ends."""
        return [*self.command, "run", "--rm", *([] if self.name == "docker" else _limits())]

    def size(self, tag: str) -> int:
        """Return how large an image is, in bytes, unpacked and with all its layers."""
        if self.name == "buildah":
            told = json.loads(self._output("images", "--json", tag))
            return int(float(told[0]["size"].split()[0]) * 1e6)
        return int(self._output("image", "inspect", "--format", "{{.Size}}", tag))

    def contents(self, tag: str) -> list[str]:
        """Return a line for each of the largest folders of an image."""
        if self.name == "buildah":
            return []
        look = ["--network", "none", "--entrypoint", "python3", tag, "-c", _LOOK, str(_LARGEST)]
        return subprocess.run([*self.run(), *look], capture_output=True, text=True).stdout.splitlines()

    def save(self, tag: str, archive: str) -> int:
        if self.name == "buildah":
            return subprocess.run([*self.command, "push", tag, f"docker-archive:{archive}:{tag}"]).returncode
        return subprocess.run([*self.command, "save", "-o", archive, tag]).returncode

    def _output(self, *arguments: str) -> str:
        return subprocess.run([*self.command, *arguments], capture_output=True, text=True, check=True).stdout


def tool_of_this_machine() -> Tool:
    """Return docker where its daemon answers, else podman or buildah. SystemExit where there is none."""
    if shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True).returncode == 0:
        return Tool("docker", ("docker",))
    for name in ("podman", "buildah"):
        if shutil.which(name):
            return Tool(name, (name, *_of_podman(name)))
    sys.exit("Neither docker nor podman nor buildah works here; install one, on Debian with `apt-get install podman`.")


def _of_podman(name: str) -> list[str]:
    if name == "buildah":  # knows the first of the two only with its subcommands
        return []
    return [part for key, value in podman.settings().items() for part in (f"--{key.replace('_', '-')}", value)]


def _limits() -> list[str]:
    """Return limits that are not above those of this machine: it may not let its containers have more than it has."""
    return [part for limit in podman.limits() for part in ("--ulimit", limit)]
