"""Make ``.venv`` and ``.venv-triton`` from the requirement files, or find in a blink that they are current.

    python3 scripts/environment.py            what `make` calls before anything else
    python3 scripts/environment.py --clients  and ``.venv-clients``, which only tests/clients needs
    python3 scripts/environment.py --fresh    removes them first

Needs Python 3.11 with venv, git and a network that reaches a Python package index; nothing else has to be installed.
Run again after an interruption, it goes on or starts over by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ((3, 11), (3, 12))
DISK_NEEDED_GIB = 5
INSTALLER = "uv"


@dataclass(frozen=True)
class Environment:
    """``inputs`` are the files whose change calls for an installation; ``packages`` the arguments to the installer."""

    folder: Path
    inputs: tuple[Path, ...]
    packages: tuple[str, ...]

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> Path:
        return self.folder / "installed.sha256"

    @property
    def unfinished(self) -> Path:
        """Exists while an installation runs, so that one cut short is known and thrown away."""
        return self.folder / "unfinished"

    def digest(self) -> str:
        digest = hashlib.sha256(repr((sys.version_info[:3], self.packages, str(self.folder))).encode())
        for path in self.inputs:
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def current(self) -> bool:
        with contextlib.suppress(OSError):
            return self.python.exists() and self.stamp.read_text() == self.digest()
        return False


def environments(root: Path = ROOT) -> tuple[Environment, Environment]:
    """Return the product's environment, and the inference server's own (its numpy is older)."""
    constraints = root / "constraints.txt"
    requirements = [root / "requirements.txt", root / "requirements-dev.txt"]
    main = Environment(
        folder=root / ".venv",
        inputs=(*requirements, constraints, root / "pyproject.toml"),
        packages=(*(f"-r{path}" for path in requirements), f"-c{constraints}", "-e", "."),  # its path could be misread
    )
    triton_requirements = root / "docker" / "triton" / "requirements.txt"
    triton = Environment(
        folder=root / ".venv-triton",
        inputs=(triton_requirements,),
        # The list is complete for what runs; the wheel's other requirements are of an interface that is not used.
        packages=("--no-deps", f"-r{triton_requirements}"),
    )
    return main, triton


def clients_environment(root: Path = ROOT) -> Environment:
    """Return the environment of the clients that tests/clients runs: NetApp's own, and other people's for S3."""
    requirements = root / "tests" / "clients" / "requirements.txt"
    return Environment(
        folder=root / ".venv-clients",
        inputs=(requirements,),
        # Complete and pinned by `make lock`, so there is nothing left to find out.
        packages=("--no-deps", f"-r{requirements}"),
    )


def check_needs() -> None:
    """Exit with one sentence naming the first thing that is missing."""
    if sys.version_info[:2] not in PYTHONS:
        found = ".".join(map(str, sys.version_info[:3]))
        sys.exit(f"Python 3.11 or 3.12 is needed and this is {found}; run `make PYTHON=python3.11 ...`.")
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit("Python's venv module is incomplete; install it, on Debian with `apt-get install python3-venv`.")
    if os.pathsep in str(ROOT):
        sys.exit(f"{ROOT} holds a {os.pathsep!r}, at which PATH is split; move the checkout to a folder without one.")
    if shutil.which("git") is None:
        sys.exit("git is needed and was not found; install it, on Debian with `apt-get install git`.")
    free = shutil.disk_usage(ROOT).free / 2**30
    if free < DISK_NEEDED_GIB:
        sys.exit(f"{ROOT} has {free:.1f} GiB free and the installation needs {DISK_NEEDED_GIB} GiB; make room first.")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Allow one installation at a time in this checkout; a second one waits and then finds the work done."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def pip_setting(name: str) -> str | None:
    """Return what pip is told by file or environment; uv reads neither."""
    answer = subprocess.run([sys.executable, "-m", "pip", "config", "get", name], capture_output=True, text=True)
    from_environment = os.environ.get("PIP_" + name.partition(".")[2].replace("-", "_").upper())
    return from_environment or answer.stdout.strip() or None


def index_options() -> list[str]:
    """Where packages come from: as pip is set up here, and PyTorch in the build that is wanted."""
    options = []
    index, links = pip_setting("global.index-url"), pip_setting("global.find-links")
    if index:
        options += ["--default-index", index]
    for link in (links or "").split():
        options += ["--find-links", link]
    backend = torch_backend()
    return [*options, "--torch-backend", backend] if backend else options


def torch_backend() -> str:
    """Return the build of PyTorch that its own index is asked for: TORCH_BACKEND, such as cu128 for GPUs, or else cpu.

    PyPI has the CUDA build, which is several GB larger. Empty where a folder that pip looks into has it, or where
    TORCH_BACKEND is set to nothing: then the package index decides.
    """
    wanted = os.environ.get("TORCH_BACKEND", "cpu")
    links = (pip_setting("global.find-links") or "").split()
    return "" if any(list(Path(link).glob(f"torch-*+{wanted}-*.whl")) for link in links) else wanted


def prepare(environment: Environment, fresh: bool) -> None:
    """An environment to install into, without what an interrupted installation left."""
    if fresh or environment.unfinished.exists() or not environment.python.exists():
        shutil.rmtree(environment.folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", environment.folder], check=True)
    environment.unfinished.touch()
    environment.stamp.unlink(missing_ok=True)


def install_installer(main: Environment) -> Path:
    pinned = next(
        (line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith(f"{INSTALLER}==")),
        INSTALLER,
    )
    run_or_exit([str(main.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", pinned], pinned)
    return main.folder / "bin" / INSTALLER


def run_or_exit(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(
            f"{done.stdout}{done.stderr}\nInstalling {what} failed; the lines above say why. Run it again after that."
        )


def install(wanted: list[Environment], installer: Path) -> None:
    """Install all environments at once: downloads and unpacking overlap."""
    options = index_options()
    base = [str(installer), "pip", "install", "--quiet", *options]
    running = {
        environment: subprocess.Popen(
            [*base, "--python", str(environment.python), *environment.packages],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for environment in wanted
    }
    failed = []
    for environment, process in running.items():
        output, _ = process.communicate()
        if process.returncode:
            failed.append(f"{output.strip()}\nInstalling {environment.folder.name} failed; the lines above say why.")
            continue
        environment.stamp.write_text(environment.digest())
        environment.unfinished.unlink()
    if failed:
        sys.exit("\n".join(failed))


def forget_build(root: Path = ROOT) -> None:
    """Remove what building the package leaves beside it: Airflow would find the plugin there a second time."""
    for left in (root / "plugins").glob("*.egg-info"):
        shutil.rmtree(left, ignore_errors=True)


def ensure(fresh: bool = False, clients: bool = False) -> None:
    main, triton = environments()
    asked = [main, triton, *([clients_environment()] if clients else [])]
    if not fresh and all(environment.current() for environment in asked):
        forget_build()
        return
    check_needs()
    with alone():
        wanted = [e for e in asked if fresh or not e.current()]
        if not wanted:
            return
        print(f"installing {' and '.join(e.folder.name for e in wanted)} ...", flush=True)
        started = time.monotonic()
        for environment in wanted:
            prepare(environment, fresh)
        install(wanted, install_installer(main))
        forget_build()
        print(f"installed in {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fresh", action="store_true", help="throw away what is installed and start from nothing")
    parser.add_argument("--clients", action="store_true", help="install the clients that tests/clients runs as well")
    options = parser.parse_args()
    ensure(fresh=options.fresh, clients=options.clients)
