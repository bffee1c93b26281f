"""A real Slurm on this machine, for tests and demos: controller, accounting, and nodes with GPUs that are names only.

    python -m scripts.equipment.slurm_cluster up       install what is missing, start, print the path of slurm.conf
    python -m scripts.equipment.slurm_cluster status   nodes and jobs
    python -m scripts.equipment.slurm_cluster down     end what `up` started, with its jobs, and remove its folder

Use it with ``export SLURM_CONF=$(python -m scripts.equipment.slurm_cluster up)``. Two of them stand side by side when
they have different folders and ports. Needs root and Debian or Ubuntu; only loopback is listened on. Accounting,
limits, QOS and preemption with requeue are on; nobody but root has an association until one is added.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scripts.equipment import processes
from scripts.equipment.slurm_files import Layout, gres_conf, slurm_conf, slurmdbd_conf

PROGRAMS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd", "sbatch")
PACKAGES = ("slurmctld", "slurmd", "slurmdbd", "slurm-client", "munge", "mariadb-server")
SOCKET_LENGTH = 100  # of a path, in bytes: the kernel takes 107
START_S = 180


class EquipmentError(RuntimeError):
    """One sentence: what did not start, and where to look."""


def unavailable() -> str | None:
    """Return in one sentence why no Slurm can run here; None when one can."""
    if os.geteuid() != 0:
        return "Slurm's daemons need root here, and this is another user"
    if missing() and shutil.which("apt-get") is None:
        return f"Slurm is not installed ({', '.join(missing())} missing) and there is no apt-get to install it with"
    return None


def missing() -> list[str]:
    return [name for name in PROGRAMS if processes.program(name) is None]


def install(packages: tuple[str, ...] = PACKAGES) -> None:
    """Install Debian's packages. Where services start when installed, those of Debian do, on ports of their own."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    options = ["-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
    with (Path(tempfile.gettempdir()) / "ontap-mlops-equipment.lock").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", *options, *packages]):
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                last = (done.stderr.strip() or done.stdout.strip() or "nothing said").splitlines()[-1]
                raise EquipmentError(f"`{' '.join(command)}` failed: {last}")


@dataclass(frozen=True)
class Cluster:
    """``port`` is the first of 3 + ``nodes`` in a row: controller, accounting, its database, one for each node."""

    folder: Path = field(default_factory=lambda: Path(tempfile.gettempdir()) / "ontap-mlops-slurm")
    port: int = 16830
    nodes: int = 2
    gpus: int = 8
    shards: int = 10
    cpus: int = 16
    memory_mib: int = 64000
    patient: bool = False
    """Whether it gives a busy machine Slurm's usual times, instead of noticing within seconds that a node is gone."""

    @property
    def conf(self) -> Path:
        return self.folder / "slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        """What Slurm's commands need to speak to this cluster rather than to another one."""
        return {**os.environ, "SLURM_CONF": str(self.conf)}

    @property
    def node_names(self) -> list[str]:
        return [f"node{number}" for number in range(1, self.nodes + 1)]

    @property
    def layout(self) -> Layout:
        host = socket.gethostname().partition(".")[0]
        sizes = (self.gpus, self.shards, self.cpus, self.memory_mib)
        return Layout(self.folder, self.port, host, self.node_names, *sizes, self.patient)

    def up(self) -> Path:
        """Start what does not run yet. Returns slurm.conf's path."""
        reason = unavailable()
        if reason:
            raise EquipmentError(reason)
        if missing():
            install()
        if len(str(self.folder / "mysql" / "socket").encode()) > SOCKET_LENGTH:
            raise EquipmentError(f"{self.folder} is too long a path for the sockets in it; name a shorter --folder")
        if not self.running("slurmctld"):
            self.down()
            try:
                self._make()
                self._start_all()
            except BaseException:
                self._stop_all()
                raise
        return self.conf

    def down(self) -> None:
        """End what ``up`` started, and nothing else; nothing happens where nothing runs."""
        if not self.folder.is_dir():
            return
        if self.running("slurmctld"):
            with contextlib.suppress(subprocess.TimeoutExpired, EquipmentError):
                jobs = self._say(["squeue", "--noheader", "--all", "--format=%A"]).split()
                if jobs:
                    self._say(["scancel", *sorted(set(jobs))])
                _wait(lambda: not self._say(["squeue", "--noheader", "--all"]).strip(), 10)
        self._stop_all()
        shutil.rmtree(self.folder, ignore_errors=True)

    def status(self) -> str:
        if not self.running("slurmctld"):
            return f"no Slurm of {self.folder} runs"
        nodes = self._say(["sinfo", "--Node", "--format=%N %t %G %E"])
        return nodes + self._say(["squeue", "--all", "--format=%i %j %a %q %b %T %R"])

    def running(self, name: str) -> bool:
        return processes.alive(self._pid(name))

    def stop(self, name: str, signum: int = signal.SIGTERM) -> None:
        """End one of munged, mariadbd, slurmdbd, slurmctld, node1, ...; its state stays."""
        processes.end(self._pid(name), signum)

    def start(self, name: str) -> None:
        """Start one of them again on the state it left, and wait until it answers."""
        self._launch(name, self._commands()[name])
        self._ready(name)

    def _commands(self) -> dict[str, list[str]]:
        folder, munge, mysql = self.folder, self.folder / "munge", self.folder / "mysql"
        as_munge = ["setpriv", "--reuid=munge", "--regid=munge", "--clear-groups"]
        munged = ["munged", "--foreground", f"--key-file={munge}/key", f"--socket={munge}/socket"]
        munged += [f"--{kind}-file={munge}/{kind}" for kind in ("pid", "log", "seed")]
        mariadbd = ["mariadbd", "--no-defaults", "--user=mysql", f"--datadir={mysql}", f"--socket={mysql}/socket"]
        mariadbd += ["--bind-address=127.0.0.1", f"--port={self.port + 2}", f"--pid-file={mysql}/pid"]
        mariadbd += ["--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900"]
        return {
            "munged": [*as_munge, *munged],
            "mariadbd": mariadbd,
            "slurmdbd": ["slurmdbd", "-D"],
            "slurmctld": ["slurmctld", "-D", "-f", str(folder / "slurm.conf")],
            **{name: ["slurmd", "-D", "-N", name] for name in self.node_names},
        }

    def _make(self) -> None:
        folder = self.folder
        for name in ("log", "pid", "state", "spool", "devices", "munge", "mysql"):
            (folder / name).mkdir(parents=True)
        folder.chmod(0o755)  # of two services that are other users
        key = folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        for path, user in ((key.parent, "munge"), (key, "munge"), (folder / "mysql", "mysql")):
            shutil.chown(path, user)
        for node in self.node_names:
            for number in range(self.gpus):
                # Slurm numbers devices only. These are all the null device: there is nothing behind them.
                os.mknod(folder / "devices" / f"{node}-gpu{number}", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        self.conf.write_text(slurm_conf(self.layout))
        (folder / "gres.conf").write_text(gres_conf(self.layout))
        accounting = folder / "slurmdbd.conf"
        accounting.touch(0o600)
        accounting.write_text(slurmdbd_conf(self.layout))

    def _start_all(self) -> None:
        install_database = ["mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={self.folder}/mysql"]
        self._say([*install_database, "--skip-test-db"])
        commands = self._commands()
        for name in ("munged", "mariadbd"):
            self._launch(name, commands[name])
        self._ready("mariadbd")
        who = "slurm@'127.0.0.1'"
        sql = f"create database slurm_acct; create user {who} identified by 'slurm'; grant all on slurm_acct.* to {who}"
        self._say([*self._sql, sql])
        self._ready("munged")
        self.start("slurmdbd")
        self._say(["sacctmgr", "--immediate", "add", "cluster", "test"])
        self.start("slurmctld")
        for name in self.node_names:
            self._launch(name, commands[name])
        for name in self.node_names:
            self._ready(name)

    @property
    def _sql(self) -> list[str]:
        return ["mariadb", "--no-defaults", f"--socket={self.folder}/mysql/socket", "--user=root", "--execute"]

    def _ready(self, name: str) -> None:
        checks: dict[str, list[str]] = {
            "munged": ["munge", f"--socket={self.folder}/munge/socket", "--no-input", "--output=/dev/null"],
            "mariadbd": [*self._sql, "select 1"],
            "slurmdbd": ["sacctmgr", "--noheader", "show", "cluster"],
            "slurmctld": ["scontrol", "ping"],
        }
        check = checks.get(
            name, ["sinfo", "--noheader", "--nodes", name, "--states=idle,mixed,allocated", "--format=%N"]
        )

        def answers() -> bool:
            if not self.running(name):
                raise EquipmentError(f"{name} ended while it started; {self.folder}/log says why")
            done = subprocess.run(check, env=self.environment, capture_output=True, text=True, timeout=120)
            return done.returncode == 0 and (name in checks or name in done.stdout)

        if not _wait(answers, START_S):
            raise EquipmentError(f"{name} did not answer within {START_S} s; its logs are in {self.folder}/log")

    def _launch(self, name: str, command: list[str]) -> None:
        log = self.folder / "log" / f"{name}.out"
        processes.launch(command, env=self.environment, log=log, pid_file=self._pid(name))

    def _pid(self, name: str) -> Path:
        return self.folder / "pid" / f"{name}.started"

    def _say(self, command: list[str]) -> str:
        program = processes.program(command[0]) or command[0]
        asked = [program, *command[1:]]
        done = subprocess.run(asked, env=self.environment, capture_output=True, text=True, timeout=120)
        if done.returncode and command[0] != "sacctmgr":
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise EquipmentError(f"`{' '.join(command)}` failed: {said[-1] if said else 'nothing said'}")
        return done.stdout

    def _stop_all(self) -> None:
        for name in self.node_names:
            self.stop(name)
        for pid in self._left_over():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for name in ("slurmctld", "slurmdbd", "mariadbd", "munged"):
            self.stop(name)

    def _left_over(self) -> Iterator[int]:
        """Process ids of those who stand over a step of a job here: they outlive slurmd on purpose."""
        mine = f"SLURM_CONF={self.conf}".encode()
        for found in Path("/proc").glob("[0-9]*/comm"):
            with contextlib.suppress(OSError):
                is_one = found.read_text().strip() == "slurmstepd"
                if is_one and mine in (found.parent / "environ").read_bytes().split(b"\0"):
                    yield int(found.parent.name)


def free_ports(count: int) -> int:
    """Return the first of so many in a row that nobody listens on."""
    for first in range(21000 + os.getpid() % 700 * 10, 32000, count):
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise EquipmentError(f"No {count} ports in a row are free on this machine")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("up", "status", "down", "install"))
    default = Cluster()
    parser.add_argument("--folder", type=Path, default=default.folder, help=f"of its state ({default.folder})")
    parser.add_argument("--port", type=int, default=default.port, help=f"the first of five in a row ({default.port})")
    parser.add_argument("--nodes", type=int, default=default.nodes)
    parser.add_argument("--gpus", type=int, default=default.gpus, help="of each node")
    parser.add_argument("--shards", type=int, default=default.shards, help="of each GPU")
    given = parser.parse_args()
    cluster = Cluster(given.folder.resolve(), given.port, given.nodes, given.gpus, given.shards)
    try:
        if given.action == "install":
            install()
        elif given.action == "up":
            print(cluster.up())
        elif given.action == "down":
            cluster.down()
        else:
            print(cluster.status().rstrip())
    except EquipmentError as error:
        print(f"slurm_cluster: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
