"""Docker and podman, as far as docker-compose.yaml needs them, behind one interface."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.composing.file import ROOT, ComposeError, ComposeFile
from scripts.composing.podman import configuration, environment

HEALTHY, DONE = "healthy", "done"
GOOD = (HEALTHY, DONE)
_LOOK_S = 1.0
LOG_LINES = 25


class Engine:
    """``command`` begins a call of the engine itself, ``composer`` one of its compose."""

    def __init__(self, file: ComposeFile, command: list[str], composer: list[str], variables: dict[str, str]) -> None:
        self.file = file
        self.command = command
        self.composer = composer
        self.variables = variables

    # What is done

    def up(self, timeout_s: float) -> None:
        """Start all services and wait until each is healthy. ComposeError with the end of its log where one is not."""
        raise NotImplementedError

    def fetch(self) -> None:
        """Have the image of each service here. ComposeError names one that cannot be had, and what to do."""
        for service in self.file.services:
            image = self.file.services[service]["image"]
            if self.asked("image", "inspect", image).returncode == 0:
                continue
            if "build" in self.file.services[service]:
                raise ComposeError(f"The image {image} of {service} is not built; `make images` builds it.")
            print(f"{image}: fetching for {service} ...", flush=True)
            if (done := self.asked("pull", image)).returncode:
                why = done.stderr.strip()[-300:]
                raise ComposeError(
                    f"The image {image} of {service} is not here and could not be fetched: {why}. "
                    f"{self.file.instead_of(service)}"
                )

    def down(self, *, volumes: bool = False) -> None:
        """Remove the containers; the volumes too where that is asked for."""
        self.compose("down", *(["--volumes"] if volumes else []))

    def compose(self, *arguments: str) -> None:
        """Run compose. ComposeError where it fails; its own words have been shown."""
        told = ["--project-name", self.file.project, "--env-file", str(self.file.env_file), "-f", str(self.file.path)]
        if code := subprocess.run([*self.composer, *told, *arguments], cwd=ROOT, env=self.variables).returncode:
            raise ComposeError(f"`{' '.join([*self.composer[-2:], *arguments])}` ended with exit code {code}.")

    def run(self, service: str, command: list[str]) -> int:
        """Run a command in the container of a service, shown as it comes; return its exit code."""
        told = [*self.command, "exec", self.container(service), *command]
        return subprocess.run(told, env=self.variables).returncode

    def output(self, service: str, *command: str) -> str:
        """Return what a command in the container of a service prints. ComposeError where it fails."""
        return self.ask("exec", self.container(service), *command)

    def kill(self, service: str) -> None:
        """End the container at once, without a word to what runs in it."""
        self.ask("kill", "--signal", "KILL", self.container(service))

    def start(self, service: str) -> None:
        self.ask("start", self.container(service))

    def stop(self, service: str, grace_s: int | None = None) -> None:
        """Tell it to end, and end it where it has not after its grace: that of the file unless said."""
        self.ask("stop", "--time", str(grace_s or self.file.grace_s(service)), self.container(service))

    def restart(self, service: str) -> None:
        """Stop it as an administrator would, and start it again."""
        self.ask("restart", "--time", str(self.file.grace_s(service)), self.container(service))

    # What is there

    def asked(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.command, *arguments], env=self.variables, capture_output=True, text=True)

    def ask(self, *arguments: str) -> str:
        done = self.asked(*arguments)
        if done.returncode:
            raise ComposeError(f"{self.command[0]} {' '.join(arguments)[:200]}: {done.stderr.strip()[-600:]}")
        return done.stdout

    def container(self, service: str) -> str:
        raise NotImplementedError

    def state(self, service: str) -> dict[str, Any]:
        """Return the container's state as the engine tells it; {} where there is none."""
        try:
            return json.loads(self.ask("inspect", "--format", "{{json .State}}", self.container(service)))
        except ComposeError:
            return {}

    def health(self, service: str) -> str:
        """Return ``healthy``, ``done`` of what has ended well, or in words what it is."""
        state = self.state(service)
        if not state:
            return "there is no container"
        if self.file.ends(service):
            running = state["Running"]
            return "running" if running else DONE if state["ExitCode"] == 0 else f"ended with {state['ExitCode']}"
        return self.asked_health(service, state) if state["Running"] else f"not running ({state['Status']})"

    def asked_health(self, service: str, state: dict[str, Any]) -> str:
        raise NotImplementedError

    def log(self, service: str, lines: int = LOG_LINES) -> str:
        told = [*self.command, "logs", self.container(service)]
        done = subprocess.run(told, env=self.variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return "\n".join(done.stdout.splitlines()[-lines:])

    def wait(self, service: str, deadline: float) -> None:
        """Wait until it is healthy, or done. ComposeError with the end of its log where it will not be."""
        while (said := self.health(service)) not in GOOD:
            if said.startswith("ended with") or time.monotonic() > deadline:
                raise ComposeError(f"{service} is {said}; its log ends with:\n{self.log(service)}")
            time.sleep(_LOOK_S)


class Docker(Engine):
    def up(self, timeout_s: float) -> None:
        self.fetch()
        self.compose("up", "--detach", "--no-build", "--remove-orphans")
        deadline = time.monotonic() + timeout_s
        for service in self.file.in_order():
            self.wait(service, deadline)

    def container(self, service: str) -> str:
        return f"{self.file.project}-{service}-1"

    def asked_health(self, service: str, state: dict[str, Any]) -> str:
        return (state.get("Health") or {}).get("Status", HEALTHY)


class Podman(Engine):
    """Without systemd nothing runs its health checks, and of this release no start waits for them: both happen here."""

    def up(self, timeout_s: float) -> None:
        self.fetch()
        self.compose("up", "--no-start", "--no-deps", "--no-build")
        deadline = time.monotonic() + timeout_s
        for service in self.file.in_order():
            for other in self.file.needs(service):
                self.wait(other, deadline)
            self.start(service)
        for service in self.file.in_order():
            self.wait(service, deadline)

    def container(self, service: str) -> str:
        return f"{self.file.project}_{service}_1"

    def asked_health(self, service: str, state: dict[str, Any]) -> str:
        done = self.asked("healthcheck", "run", self.container(service))
        return HEALTHY if done.returncode == 0 else f"unhealthy ({(done.stdout + done.stderr).strip()[-300:]})"


@contextlib.contextmanager
def find(file: ComposeFile) -> Iterator[Engine]:
    """Return Docker where its daemon answers, else podman. ComposeError where there is neither."""
    variables = {**os.environ, "CODE_COMMIT": code_commit(file)}
    if docker_answers():
        yield Docker(file, ["docker"], ["docker", "compose"], variables)
        return
    if not shutil.which("podman"):
        raise ComposeError(
            "Neither Docker's daemon nor podman answers; install one, on Debian `apt-get install podman`."
        )
    with tempfile.TemporaryDirectory(prefix="ontap-mlops-podman-") as folder:
        told = Path(folder) / "containers.conf"
        told.write_text(configuration())
        composer = [str(Path(sys.executable).with_name("podman-compose")), "--in-pod", "false"]
        yield Podman(file, ["podman"], composer, {**variables, **environment(told)})


def docker_answers() -> bool:
    if not shutil.which("docker"):
        return False
    commands = (["docker", "info"], ["docker", "compose", "version"])
    return all(subprocess.run(command, capture_output=True).returncode == 0 for command in commands)


def code_commit(file: ComposeFile) -> str:
    """Return the commit that is recorded with runs: what the settings say, else that of this checkout."""
    from scripts.embedded.environment import code_commit as checked_out

    told = file.variables.get("CODE_COMMIT", "unknown")
    return checked_out() if told == "unknown" else told
