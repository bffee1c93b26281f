"""Build the container images of docker/ and tell how large each is, how long it took, and what it is made of.

python -m scripts.images                                     all of them, as NAME:latest
python -m scripts.images airflow worker                      some of them
python -m scripts.images tasks --tag registry.example/ml/tasks:1    one, under a name that can be pushed
python -m scripts.images tasks --load "kind load image-archive"     and give its archive to a command of the cluster's

With docker where its daemon answers, else with podman or buildah. Packages come from where pip finds them on this
machine; what tells pip is seen by the build and stays out of the images. Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scripts.image_tools import Tool, tool_of_this_machine
from scripts.package_sources import package_sources

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "ontap-mlops-"
LABEL = "org.opencontainers.image."


DOCKERFILE = "docker/Dockerfile"
NAMES = ("emulator", "lake", "mlflow", "triton", "dialog", "calls", "documents", "airflow", "tasks", "worker")
"""Each is a stage of the Dockerfile."""


def tag_of(name: str, version: str = "latest") -> str:
    return f"{PREFIX}{name}:{version}"


def main() -> int:
    options = arguments()
    names = options.names or NAMES
    tool = tool_of_this_machine()
    begun = time.monotonic()
    for name in names:
        tag = options.tag or tag_of(name, options.version)
        code = build(tool, name, tag, options.build_arg)
        if code == 0 and options.load:
            code = load(tool, tag, options.load)
        if code:
            print(f"{tag} could not be made from {DOCKERFILE}; the lines above say why.", file=sys.stderr)
            return code
    print(f"{len(names)} images in {time.monotonic() - begun:.0f} s with {tool.name}.")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all if none is given")
    parser.add_argument("--version", default="latest", help="tag of the images; latest if not given")
    parser.add_argument("--tag", help="whole name of the image, where one is built")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE", help="for the Dockerfile")
    parser.add_argument("--load", metavar="COMMAND", help="is run with each image's archive as its last argument")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in NAMES]:
        parser.error(f"no image is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if options.tag and len(options.names) != 1:
        parser.error("--tag names one image; say which, such as `tasks --tag registry.example/ml/tasks:1`")
    return options


def build(tool: Tool, name: str, tag: str, build_args: list[str]) -> int:
    """Build one image, and print what came of it. Return the exit code."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ontap-mlops-images-") as scratch:
        sources = package_sources(Path(scratch))
        named = {**sources.build_args, "REVISION": revision(), **dict(pair.split("=", 1) for pair in build_args)}
        told = [part for key, value in named.items() for part in ("--build-arg", f"{key}={value}")]
        told += [part for key, value in labels().items() for part in ("--label", f"{LABEL}{key}={value}")]
        command = [*tool.build(sources), *told, "-f", DOCKERFILE, "--target", name, "-t", tag, "."]
        print(f"{tag}: building from {DOCKERFILE} ...", flush=True)
        code = subprocess.run(command, cwd=ROOT).returncode
    if code == 0:
        print(f"{tag}: {tool.size(tag) / 1e6:,.0f} MB in {time.monotonic() - begun:.0f} s", flush=True)
        for line in tool.contents(tag):
            print(f"  {line}", flush=True)
    return code


def labels() -> dict[str, str]:
    """Return what an image's labels say of its sources; what it is, the Dockerfile says."""
    return {"version": version(), "revision": revision(), "source": os.environ.get("SOURCE_URL", "unknown")}


def version() -> str:
    text = (ROOT / "plugins" / "ontap_mlops" / "__init__.py").read_text()
    return text.split('__version__ = "')[1].split('"')[0]


def revision() -> str:
    """Return the checked-out commit, with ``-dirty`` where files differ; ``unknown`` outside a checkout."""
    done = subprocess.run(
        ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def load(tool: Tool, tag: str, command: str) -> int:
    """Save the image to an archive and run the command with it."""
    with tempfile.TemporaryDirectory(prefix="ontap-mlops-image-") as folder:
        archive = f"{folder}/image.tar"
        return tool.save(tag, archive) or subprocess.run([*shlex.split(command), archive]).returncode


if __name__ == "__main__":
    sys.exit(main())
