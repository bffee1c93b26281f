"""docker-compose.yaml with its variables filled in: which services there are, and which wait for which."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from scripts.embedded.layout import dotenv

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yaml"
HTTPS = ("ontap", "ontap-remote")
GRACE = "10s"  # of a compose file that says nothing
_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?:(:-|:\?)([^}]*))?\}")


class ComposeError(SystemExit):
    """The services cannot be as they are told; the text says why."""


@dataclass(frozen=True)
class ComposeFile:
    """The file and the variables that fill it; the environment goes before the file of settings."""

    path: Path
    env_file: Path
    variables: dict[str, str]

    @classmethod
    def load(cls, env_file: Path, path: Path = COMPOSE) -> ComposeFile:
        return cls(path, env_file, {**dotenv(env_file), **os.environ})

    @cached_property
    def content(self) -> dict[str, Any]:
        return yaml.safe_load(filled(self.path.read_text(), self.variables))

    @property
    def project(self) -> str:
        return self.variables.get("COMPOSE_PROJECT_NAME") or self.content["name"]

    @property
    def profiles(self) -> set[str]:
        return {name.strip() for name in self.variables["COMPOSE_PROFILES"].split(",")}

    @cached_property
    def services(self) -> dict[str, dict[str, Any]]:
        """Those of the chosen profiles."""
        every = self.content["services"].items()
        return {n: s for n, s in every if not s.get("profiles") or self.profiles & set(s["profiles"])}

    def targets(self) -> list[str]:
        """Return the stages of the Dockerfile that the chosen services are made of, each once."""
        return sorted({service["build"]["target"] for service in self.services.values() if "build" in service})

    def needs(self, service: str) -> dict[str, str]:
        """Return the condition of each service that this one waits for."""
        told = self.services[service].get("depends_on") or {}
        return {name: facts["condition"] for name, facts in told.items() if name in self.services}

    def in_order(self) -> list[str]:
        """Return the services, each after all that it waits for. ComposeError where they wait for each other."""
        done: list[str] = []
        left = list(self.services)
        while left:
            ready = [name for name in left if set(self.needs(name)) <= set(done)]
            if not ready:
                raise ComposeError(f"The services {', '.join(left)} wait for each other in {self.path.name}.")
            done += ready
            left = [name for name in left if name not in ready]
        return done

    def ends(self, service: str) -> bool:
        """Whether it does one thing and ends."""
        return self.services[service].get("restart") == "no"

    def grace_s(self, service: str) -> int:
        """Return how many seconds it has to end by itself; podman's compose tells the containers nothing of that."""
        return int(self.services[service].get("stop_grace_period", GRACE).removesuffix("s"))

    def instead_of(self, service: str) -> str:
        """Return what a person does where the image of a service cannot be had, a sentence."""
        written = yaml.safe_load(self.path.read_text())["services"][service]
        name = _VARIABLE.match(written["image"])
        other = [f"name another image in {name[1]} of .env"] if name else []
        profiles = " or ".join(f"`{profile}`" for profile in written.get("profiles", ()))
        other += [f"leave {profiles} out of COMPOSE_PROFILES to do without {service}"] if profiles else []
        told = ", or ".join(other)
        return f"{told[:1].upper()}{told[1:]}." if told else ""

    def addresses(self) -> dict[str, str]:
        """Return where a browser or a client on this machine finds each service that has a port."""
        found = {}
        for name, service in self.services.items():
            for port in service.get("ports", ())[:1]:
                host, number, _ = port.split(":")
                found[name] = f"{'https' if name in HTTPS else 'http'}://{host}:{number}"
        return found


def filled(text: str, variables: dict[str, str]) -> str:
    """Fill in ``${NAME}``, ``${NAME:-default}`` and ``${NAME:?what to do}``. ComposeError where one is needed."""

    def value(match: re.Match[str]) -> str:
        name, kind, other = match.groups()
        if name is None:
            return "$"
        if given := variables.get(name):
            return given
        if kind == ":?":
            raise ComposeError(f"{name} is not set: {other}.")
        return other or ""

    return _VARIABLE.sub(value, text)
