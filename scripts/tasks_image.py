"""Build the image of our programs for places that start containers, and hand it to a cluster.

python -m scripts.tasks_image                                    build ontap-mlops-tasks:latest
python -m scripts.tasks_image --tag registry.example/ml/tasks:1  under a name that can be pushed
python -m scripts.tasks_image --load "kind load image-archive"   and give the archive to a command of the cluster's

With docker, or with podman where there is none. TORCH_INDEX names an index with PyTorch's CPU build, such as
https://download.pytorch.org/whl/cpu; without it pip decides, and takes the larger CUDA build from PyPI.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = "docker/tasks/Dockerfile"
TAG = "localhost/ontap-mlops-tasks:latest"
_SYSTEMD = Path("/run/systemd/system")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tag", default=TAG, help=f"name of the image; {TAG} if not given")
    parser.add_argument("--load", metavar="COMMAND", help="is run with the image's archive as its last argument")
    options = parser.parse_args()
    tool = tool_of_this_machine()
    build = [*tool, "build", *build_options(tool), "-f", DOCKERFILE, "-t", options.tag, "."]
    code = subprocess.run(build, cwd=ROOT).returncode
    if code == 0 and options.load:
        code = load(tool, options.tag, options.load)
    return code


def tool_of_this_machine() -> list[str]:
    """Return docker, or podman as it runs here. SystemExit where there is neither."""
    if shutil.which("docker"):
        return ["docker"]
    if not shutil.which("podman"):
        sys.exit("Neither docker nor podman was found; install one, on Debian with `apt-get install podman`.")
    runtime = [] if shutil.which("crun") or not shutil.which("runc") else ["--runtime", "runc"]
    return ["podman", *runtime, *([] if _SYSTEMD.exists() else ["--cgroup-manager", "cgroupfs"])]


def build_options(tool: list[str]) -> list[str]:
    """Return what lets the build find its packages where pip finds them here."""
    index = os.environ.get("TORCH_INDEX")
    options = ["--network", "host", *(["--build-arg", f"TORCH_INDEX={index}"] if index else [])]
    if tool[0] != "podman":
        return options
    for name, kind in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        soft, hard = (
            1000 if limit == resource.RLIM_INFINITY else min(limit, 1000) for limit in resource.getrlimit(kind)
        )
        options += ["--ulimit", f"{name}={soft}:{hard}"]  # a machine may not let its containers have more than it has
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    return options + [part for folder in package_folders(listed) for part in ("-v", f"{folder}:{folder}:ro")]


def package_folders(configuration: str) -> list[str]:
    """Return the folders of this machine in which pip's configuration looks for packages."""
    found = set()
    for line in configuration.splitlines():
        if re.search(r"find-links|index-url", line.partition("=")[0]):
            paths = re.findall(r"(?:file://)?(/[^\s'\"]+)", re.sub(r"https?://\S+", "", line.partition("=")[2]))
            # An index names its files beside its list of names.
            found |= {str(Path(path).parent) if path.endswith("/simple") else path for path in paths}
    return sorted(folder for folder in found if Path(folder).is_dir())


def load(tool: list[str], tag: str, command: str) -> int:
    """Save the image to an archive and run the command with it."""
    with tempfile.TemporaryDirectory(prefix="ontap-mlops-image-") as folder:
        archive = f"{folder}/tasks.tar"
        code = subprocess.run([*tool, "save", "-o", archive, tag]).returncode
        return code or subprocess.run([*shlex.split(command), archive]).returncode


if __name__ == "__main__":
    sys.exit(main())
