"""The embedded services of one machine: start, stop, look at, remove.

    python -m scripts.services up        start what is not running, wait until all answer, print links
    python -m scripts.services up dialog           an optional service beside them
    python -m scripts.services status    one line per program
    python -m scripts.services restart mlflow      one service, or one program such as airflow-scheduler
    python -m scripts.services down      stop everything; data stays
    python -m scripts.services clean     stop everything and remove data, logs and secrets
    python -m scripts.services airflow -- dags list      Airflow's own command line on these services

Everything lies in ``.local/`` or in the folder named by --local or ONTAP_MLOPS_LOCAL, so a second set can run beside.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from scripts.airflow_api import AirflowApi
from scripts.embedded import catalog, environment, health, layout, ports, secrets
from scripts.embedded.catalog import SERVICES
from scripts.embedded.supervisor import DEAD, Supervisor, end, members

DISK_NEEDED_GIB = 2
READY_S = 600
STILL_S = 20
LOG_LINES = 15


class Stack:
    """One set of services and the folder it lives in.

    ``settings`` are environment variables (AIRFLOW__*, ONTAP_MLOPS_*) that this set shall have instead of the usual
    ones; they are kept in the folder.
    """

    def __init__(self, local: str | os.PathLike[str] | None = None, settings: dict[str, str] | None = None) -> None:
        self.layout = layout.Layout(layout.chosen(local))
        self.supervisor = Supervisor(self.layout)
        self._settings = settings

    def up(
        self,
        services: Iterable[str] | None = None,
        wait: bool = True,
        say: Callable[[str], None] = print,
        optional: Iterable[str] = (),
    ) -> None:
        """Start what is not running, in parallel, and wait until each answers; SystemExit with a sentence if not.

        :param services: names; if not given, all but optional ones, and of those the ones that ran here last.
        :param optional: services beside these.
        """
        asked = [*self._usual(services), *catalog.chosen(optional)]
        wanted = [service for service in SERVICES.values() if service in asked]
        self._make_folder()
        with self._alone():
            if not self.supervisor.is_running():
                end(self.layout.instance)  # what a killed supervisor left would hold the ports and write the same files
            running = self._running()
            chosen_ports, moved = ports.choose(self.layout, [name for service in running for name in service.ports])
            for sentence in moved:
                say(sentence)
            programs = [p for s in SERVICES.values() if s in wanted or s in running for p in s.programs]
            self.supervisor.write_config(programs, chosen_ports)
            self.supervisor.start()
        if wait:
            self.wait_ready([service.name for service in wanted])

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one start at a time choose ports and start a supervisor; a second one then finds both."""
        folder = os.open(self.layout.local, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _make_folder(self) -> None:
        near = next(p for p in (self.layout.local, *self.layout.local.parents) if p.exists())
        free = shutil.disk_usage(near).free / 2**30
        if free < DISK_NEEDED_GIB:
            raise SystemExit(
                f"{near} has {free:.1f} GiB free and the services need {DISK_NEEDED_GIB}; make room first."
            )
        self.layout.make()
        if self._settings is not None:
            self.layout.keep_settings(self._settings)

    def _usual(self, services: Iterable[str] | None) -> list[catalog.Service]:
        """Return the services of these names; for None what is to run here: all but optional ones not started here."""
        if services is not None:
            return catalog.chosen(services)
        started = self.supervisor.configured()
        return [s for s in SERVICES.values() if not s.optional or any(p.name in started for p in s.programs)]

    def _running(self) -> list[catalog.Service]:
        alive = {name for name, facts in self.supervisor.processes().items() if facts["statename"] not in DEAD}
        return [s for s in SERVICES.values() if any(p.name in alive for p in s.programs)]

    def down(self) -> None:
        if self.layout.exists:
            self.supervisor.stop()

    def restart(self, name: str) -> None:
        """Restart a service, or one program of it, and wait until it answers; SystemExit with a sentence if not."""
        service, programs = catalog.named(name)
        there = self.supervisor.processes() if self.layout.exists else {}
        if not all(program in there for program in programs):
            raise SystemExit(f"{name} is not running; `make up` starts it.")
        self.supervisor.restart(programs)
        self.wait_ready([service])

    @property
    def ports(self) -> dict[str, int]:
        return ports.load(self.layout)

    @property
    def urls(self) -> dict[str, str]:
        """Address of each service, by name."""
        return {name: service.url(self.ports) for name, service in SERVICES.items()}

    @property
    def services(self) -> list[catalog.Service]:
        """What is to run here: all services but optional ones that were not started."""
        return self._usual(None)

    @property
    def password_file(self) -> Path:
        """Holds the password of Airflow's user ``admin``."""
        return secrets.path(self.layout, secrets.AIRFLOW_ADMIN)

    def env(self) -> dict[str, str]:
        """Return the environment in which Airflow's command line, or a test, works on these services."""
        return environment.airflow(self.layout, self.ports)

    def airflow_api(self) -> AirflowApi:
        return AirflowApi(self.urls["airflow"], environment.ADMIN, secrets.get(self.layout, secrets.AIRFLOW_ADMIN))

    def health(self, services: Iterable[str] | None = None) -> dict[str, str]:
        """Return what each program says of itself, by its name."""
        names = [service.name for service in self._usual(services)]
        return health.of_programs(self.layout, self.ports, names)

    def wait_ready(
        self, services: Iterable[str] | None = None, timeout_s: float = READY_S, say: Callable[[str], None] = print
    ) -> None:
        """Wait until every program of these services answers; SystemExit with a sentence when one will not."""
        names = [service.name for service in self._usual(services)]
        begun, told = time.monotonic(), 0
        while late := self._late(names):
            seconds = time.monotonic() - begun
            states = {name: facts["statename"] for name, facts in self.supervisor.processes().items()}
            dead = [program for program in late if states.get(program, "MISSING") in ("FATAL", "MISSING")]
            if dead or seconds > timeout_s:
                raise SystemExit(self._failure((dead or late)[0], timeout_s, bool(dead)))
            if seconds // STILL_S > told:
                told += 1
                say(f"still starting after {seconds:.0f} s: {', '.join(late)}")
            time.sleep(0.5)

    def _late(self, names: list[str]) -> list[str]:
        """Return the programs of these services that do not answer as they should, yet."""
        return [program for program, said in self.health(names).items() if said not in health.GOOD]

    def _failure(self, program: str, timeout_s: float, dead: bool) -> str:
        log = self.layout.log(program)
        what = "did not start" if dead else f"did not answer within {timeout_s:.0f} s"
        tail = "\n".join(f"  {line}" for line in self.last_lines(program))
        return f"{program} {what}; its log {log} ends with:\n{tail}"

    def last_lines(self, program: str, count: int = LOG_LINES) -> list[str]:
        log = self.layout.log(program)
        if not log.exists():
            return []
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 20_000))
            return [line for line in file.read().decode(errors="replace").splitlines() if line.strip()][-count:]

    def processes_left(self) -> list[int]:
        """Return the ids of the processes that belong to this set of services."""
        return members(self.layout.instance) if self.layout.exists else []


def up(stack: Stack, optional: Iterable[str] = ()) -> int:
    started = time.monotonic()
    stack.up(optional=optional)
    print(f"All services answer ({time.monotonic() - started:.0f} s).")
    for service in stack.services:
        print(f"  {service.what:<30} {stack.urls[service.name]}")
    print(f"Airflow's user is {environment.ADMIN}; the password is in {shown(stack.password_file)}.")
    return 0


def down(stack: Stack) -> int:
    was_running = bool(stack.processes_left())
    stack.down()
    left = stack.processes_left()
    if left:
        print(f"These processes did not end: {left}.")
        return 1
    print("All services are stopped; their data is kept." if was_running else "No service was running.")
    return 0


def restart(stack: Stack, name: str) -> int:
    stack.restart(name)
    print(f"{name} was restarted and answers.")
    return 0


def status(stack: Stack) -> int:
    """Show each program; the exit code is 0 only when everything runs and answers."""
    processes = stack.supervisor.processes() if stack.layout.exists else {}
    if not processes:
        print("No service is running; `make up` starts them.")
        return 1
    said, good = stack.health(), True
    print(f"{'program':<22} {'process':>8}  {'state':<9} {'address':<26} health")
    for service in stack.services:
        for program in service.programs:
            facts = processes.get(program.name, {"pid": 0, "statename": "MISSING"})
            pid, words = facts["pid"] or "-", said[program.name]
            print(f"{program.name:<22} {pid:>8}  {facts['statename']:<9} {stack.urls[service.name]:<26} {words}")
            if words not in health.GOOD or facts["statename"] not in ("RUNNING", "STARTING"):
                good = False
                print("".join(f"    {line}\n" for line in stack.last_lines(program.name, 1)), end="")
    return 0 if good else 1


def clean(stack: Stack) -> int:
    local = stack.layout.local
    if not local.exists():
        print(f"There is no {shown(local)}; nothing to remove.")
        return 0
    if not stack.layout.exists and any(local.iterdir()):
        print(f"{local} holds files but none of these services; remove it by hand if it is the right one.")
        return 1
    if os.environ.get("YES") != "1":
        print(f"This removes {shown(local)}: {_counted(stack.layout)}, and all logs and passwords.")
        if not sys.stdin.isatty():
            print("Nothing was removed: nobody can be asked here. Say `make clean YES=1`.")
            return 1
        if input("Remove it? [y/N] ").strip().lower() not in ("y", "yes"):
            print("Nothing was removed.")
            return 1
    stack.down()
    shutil.rmtree(local, onerror=_unlock)
    print(f"Removed {shown(local)}: volumes, models, runs, logs and passwords.")
    return 0


def _counted(kept: layout.Layout) -> str:
    """Say how much there is of what cannot be made again."""
    namespaces = [layout.namespace_of(cluster) for cluster in kept.clusters]
    svms = [folder for namespace in namespaces for folder in namespace.glob("*") if folder.is_dir()]
    volumes = sum(1 for svm in svms for volume in svm.iterdir())
    folders = (kept.model_repository.glob("*/"), (kept.airflow / "logs").glob("dag_id=*/run_id=*"))
    models, runs = (len(list(found)) for found in folders)
    return f"{volumes} volumes, {models} deployed models, {runs} runs of DAGs"


def _unlock(remove: Callable[[str], object], path: str, _error: object) -> None:
    """Snapshots are kept read-only; to remove one, its folder must be made writable first."""
    for each in (Path(path).parent, Path(path)):
        if each.is_dir() and not each.is_symlink():
            each.chmod(stat.S_IRWXU)
    if Path(path).is_dir() and not Path(path).is_symlink():
        shutil.rmtree(path)
    else:
        Path(path).unlink(missing_ok=True)


def run_module(stack: Stack, module: str, arguments: list[str], alone: bool = False) -> int:
    """Run a command line on these services and return its exit code; ``alone`` without them, where there are none."""
    if not stack.ports and not alone:
        print("The services have never been started here; run `make up` first.")
        return 1
    env = (
        stack.env() if stack.ports else {"AIRFLOW__ONTAP_MLOPS__CONFIG_DIR": str(layout.ROOT / "config"), **os.environ}
    )
    return subprocess.run([sys.executable, "-m", module, *arguments], env=env).returncode


def shown(path: Path) -> str:
    """Return the path relative to where the user stands, when it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--local", help="folder of this set of services (default: .local)")
    actions = parser.add_subparsers(dest="action", required=True)
    named = "optional services to start beside the others, such as 'dialog'"
    actions.add_parser("up").add_argument("optional", nargs="?", default="", help=named)
    for name in ("down", "status", "clean"):
        actions.add_parser(name)
    actions.add_parser("restart").add_argument("name")
    actions.add_parser("airflow").add_argument("arguments", nargs=argparse.REMAINDER)
    actions.add_parser("plan").add_argument("arguments", nargs=argparse.REMAINDER)
    actions.add_parser("versions").add_argument("arguments", nargs=argparse.REMAINDER)
    actions.add_parser("reclaim").add_argument("arguments", nargs=argparse.REMAINDER)
    actions.add_parser("preflight").add_argument("arguments", nargs=argparse.REMAINDER)
    actions.add_parser("projects").add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    stack = Stack(options.local)
    modules = {name: f"scripts.{name}" for name in ("versions", "plan", "reclaim", "preflight", "projects")} | {
        "airflow": "airflow"
    }
    if module := modules.get(options.action):
        alone = options.action == "projects"  # schedulers need no Airflow, unless a connection leads to them
        return run_module(stack, module, [a for a in options.arguments if a != "--"], alone)
    if options.action == "restart":
        return restart(stack, options.name)
    if options.action == "up":
        return up(stack, options.optional.split())
    return {"down": down, "status": status, "clean": clean}[options.action](stack)


if __name__ == "__main__":
    sys.exit(main())
