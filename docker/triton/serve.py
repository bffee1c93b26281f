"""Runs an inference server: a real Triton from the nvidia-pytriton wheel, or the one of NVIDIA's image.

    python docker/triton/serve.py --venv .venv-triton --repository /mnt/models/triton \
        --http-port 8100 --grpc-port 8101 --metrics-port 8102

It serves the models whose folder holds a ``config.pbtxt``, each at the version that file names, and loads others only
when asked over HTTP (POST /v2/repository/models/<name>/load). Where TRITON_CONTROL_TOKEN is set, whoever asks for
anything but inference, metadata and health has to show it as a bearer token, so that no page in a browser of this
machine can unload a model. It listens on this machine only; in a container, ``--host`` lets others reach it. SIGTERM
stops it with everything it started; when this process is killed, all of it ends within seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BACKENDS = Path(__file__).parent / "backends"
DRAIN_S = 5
GUARDED = ("model-repository", "shared-memory", "trace", "logging")
PLAIN = re.compile(r"[\w./+=-]+", re.ASCII)
_PR_SET_PDEATHSIG = 1
_FACTS = """
import json, sys, sysconfig
v, p = sysconfig.get_config_vars(), sysconfig.get_paths()
print(json.dumps([f"{sys.version_info.major}.{sys.version_info.minor}", v["LIBDIR"], p["purelib"]]))
"""


def main() -> int:
    options = parse_arguments()
    # Until there is a server to hand it on to: a container's first process has no action of its own for a signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        return serve(options)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 2


class SetupError(Exception):
    """The server cannot be started; the text says what to do."""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--venv",
        type=Path,
        help="environment made from docker/triton/requirements.txt (default: the tritonserver in PATH)",
    )
    parser.add_argument("--repository", type=Path, required=True, help="folder of models; may come into being later")
    parser.add_argument("--host", default="127.0.0.1", help="address it listens at (default: %(default)s)")
    parser.add_argument("--http-port", type=int, default=8100)
    parser.add_argument("--grpc-port", type=int, default=8101)
    parser.add_argument("--metrics-port", type=int, default=8102)
    parser.add_argument("--backends-dir", type=Path, help="where to lay out the backends (default: a temporary folder)")
    parser.add_argument("--torch-path", type=Path, help="folder with torch, for the pytorch backend")
    return parser.parse_args()


def serve(options: argparse.Namespace) -> int:
    if options.venv is None:
        return serve_with(installed(), options)
    environment = Environment(options.venv)
    wait_for(options.repository)
    with tempfile.TemporaryDirectory(prefix="triton-") as scratch:
        folder = environment.lay_out_backends(options.backends_dir or Path(scratch))
        repository, backends = (plain(each, Path(scratch)) for each in (options.repository.absolute(), folder))
        command = [*environment.command, *flags(options, repository, backends)]
        return run_to_the_end(command, environment.variables(options.torch_path, Path(scratch)))


def installed() -> str:
    """The server of NVIDIA's image."""
    if found := shutil.which("tritonserver"):
        return found
    raise SetupError("there is no tritonserver in PATH: name an environment that holds one with --venv")


def serve_with(server: str, options: argparse.Namespace) -> int:
    """Serve with a whole Triton, which finds its own backends."""
    wait_for(options.repository)
    given = [flag for flag in flags(options, options.repository.absolute(), Path()) if "backend-directory" not in flag]
    return run_to_the_end([server, *given], dict(os.environ))


def plain(folder: Path, scratch: Path) -> Path:
    """The folder itself or, where its path holds signs that a shell reads as its own, a link to it.

    The Python backend pastes the paths it is given into a command of the shell, unquoted, and the dynamic linker takes
    a list of folders apart at every ``;``.
    """
    if PLAIN.fullmatch(str(folder)):
        return folder
    link = scratch / f"link-{folder.name}"
    link.symlink_to(folder)
    return link


def wait_for(repository: Path) -> None:
    """Triton never becomes ready where its repository is missing at the start; the first deployment makes it."""
    if not repository.is_dir():
        print(
            f"waiting for the model repository {repository}; the first deployment makes it", file=sys.stderr, flush=True
        )
    while not repository.is_dir():
        time.sleep(0.25)


class Environment:
    """The virtual environment the server lives in, and what the programs in it need to find each other."""

    def __init__(self, venv: Path) -> None:
        self.bin = venv.absolute() / "bin"
        if not (self.bin / "python").exists():
            raise SetupError(f"no Python environment at {venv}: make one with `make environment`")
        answer = subprocess.run([self.bin / "python", "-c", _FACTS], capture_output=True, text=True, check=True)
        self.python, libdir, packages = json.loads(answer.stdout)
        self.libdir, self.packages = Path(libdir), Path(packages)
        self.triton = self.packages / "pytriton" / "tritonserver"
        if not self.triton.exists():
            raise SetupError(f"{venv} holds no nvidia-pytriton: install docker/triton/requirements.txt into it")

    @property
    def command(self) -> list[str]:
        return [str(self.triton / "bin" / "tritonserver")]

    def lay_out_backends(self, folder: Path) -> Path:
        """The wheel's Python backend with the stub for our Python, and beside it the backends written in Python."""
        stub = self.triton / "python_backend_stubs" / self.python / "triton_python_backend_stub"
        if not stub.exists():
            raise SetupError(f"nvidia-pytriton has no stub for Python {self.python} of {self.bin}: use Python 3.11")
        shutil.copytree(self.triton / "backends" / "python", folder / "python", dirs_exist_ok=True)
        shutil.copy2(stub, folder / "python")
        for model in BACKENDS.glob("*/model.py"):
            target = folder / model.parent.name
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(model, target)
            shutil.copy2(BACKENDS / "batching.py", target)
        return folder.absolute()

    def variables(self, torch_path: Path | None, scratch: Path) -> dict[str, str]:
        """The stub is linked to libpython by name only and would take the system's, which may not fit the environment's
        standard library: our interpreter's own folder comes first."""
        own = [plain(folder, scratch) for folder in (self.libdir, self.packages / "nvidia_pytriton.libs")]
        libraries = [*own, os.environ.get("LD_LIBRARY_PATH", "")]
        return {
            **os.environ,
            "PATH": f"{self.bin}:{os.environ.get('PATH', '')}",
            "TORCH_PATH": str(torch_path.absolute()) if torch_path else "",
            "LD_LIBRARY_PATH": ":".join(str(folder) for folder in libraries if str(folder)),
        }


def flags(options: argparse.Namespace, repository: Path, backends: Path) -> list[str]:
    given = {
        "model-repository": repository,
        "backend-directory": backends,
        "model-control-mode": "explicit",
        "exit-on-error": "false",  # a model that fails to load must not take the others down
        "strict-readiness": "false",
        "http-address": options.host,
        "http-port": options.http_port,
        "grpc-address": options.host,
        "grpc-port": options.grpc_port,
        "metrics-address": options.host,
        "metrics-port": options.metrics_port,
        **({"allow-gpu-metrics": "false", "pinned-memory-pool-byte-size": 0} if options.venv else {}),
        "exit-timeout-secs": DRAIN_S,
        "log-format": "ISO8601",
    }
    if token := os.environ.get("TRITON_CONTROL_TOKEN"):
        given["http-restricted-api"] = f"{','.join(GUARDED)}:authorization=Bearer {token}"
        given["grpc-restricted-protocol"] = f"{','.join(GUARDED)}:authorization=Bearer {token}"
    deployed = sorted(config.parent.name for config in options.repository.glob("*/config.pbtxt"))
    return [f"--{name}={value}" for name, value in given.items()] + [f"--load-model={name}" for name in deployed]


def run_to_the_end(command: list[str], variables: dict[str, str]) -> int:
    """Hands SIGTERM and SIGINT on, waits, and then ends whatever of its process group is left (model processes may
    ignore SIGTERM). The group is the server's own, so nothing else is in it."""
    server = subprocess.Popen(command, env=variables, start_new_session=True, preexec_fn=_die_with_parent)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.terminate())
    code = server.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    return code


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
