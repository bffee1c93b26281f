"""What to run, apart from where: the contract between operators and the runners of each kind of place."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

BAD_INPUT = 2  # exit code by which a program says that no retry can mend its input


class PlaceUnavailable(RuntimeError):
    """Temporary: the place cannot take the workload now (no room, not reachable). The next place, or a retry, may."""


class PlaceRefused(ValueError):
    """Permanent: this place can never run this workload as it is described."""


class PlaceElsewhere(PlaceRefused):
    """Permanent here: the workload runs on another host, and its place can be reached from that host only."""


@dataclass(frozen=True, kw_only=True)
class Mount:
    """An ONTAP volume the program sees as a folder: ``junction_path`` in the namespace of ``svm``.

    ``bucket`` shows the same files over S3; for places that mount nothing.
    """

    svm: str
    junction_path: str
    read_only: bool = False
    bucket: str | None = None


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one process needs. ``None`` leaves it to the place.

    ``gpus`` are whole ones, or a share of one (0.5), which each kind of place gives in its own way or refuses.
    """

    cpus: float | None = None
    memory_gib: float | None = None
    gpus: float | None = None

    def __post_init__(self) -> None:
        if self.gpus is not None and not (self.gpus >= 0 and (self.gpus < 1 or self.gpus % 1 == 0)):
            raise ValueError(f"gpus is {self.gpus:g}; give whole GPUs (0, 1, 2...), or a share of one, such as 0.5")

    @property
    def share(self) -> float:
        """The part of one GPU that is asked for; 0 where whole ones are, or none."""
        return self.gpus if self.gpus and self.gpus < 1 else 0.0

    @property
    def whole_gpus(self) -> int:
        """How many whole GPUs are asked for; 0 where a share is, or none."""
        return int(self.gpus or 0)


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One run of one program.

    ``name`` identifies it: submitting the same name twice never runs it twice. In ``arguments``, ``{key}`` of a mount
    becomes the folder where the place mounts it. ``secrets`` reach the program's environment and nothing else.
    ``program`` is a module, run by ``python -m``.

    ``project`` is the GPU project (``projects.yaml``) whose quota it counts against. An ``interactive`` one serves a
    person rather than producing a result: it has a time limit, and reaching it is a normal end.

    ``run`` is the record of the run this program belongs to. Every kind of place writes it, with ``{key}`` of a mount
    replaced by its folder (or bucket) in each string, to a JSON file that the program can read, and names that file in
    ``RUN_FILE``. A place without a file system of its own (SageMaker) hands it over as an input channel.
    """

    name: str
    program: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    mounts: Mapping[str, Mount] = field(default_factory=dict)
    run: Mapping[str, Any] | None = None
    image: str | None = None
    resources: Resources = Resources()
    processes: int = 1
    time_limit_s: float | None = None
    project: str | None = None
    interactive: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"workload name {self.name!r} is not 1 to 63 of lower-case letters, digits and hyphens")
        if self.processes < 1:
            raise ValueError(f"workload {self.name}: processes is {self.processes}; at least 1 is needed")

    def arguments_at(self, folders: Mapping[str, str]) -> list[str]:
        """Return the arguments with each mount's ``{key}`` replaced by its folder at the place that runs them."""
        return self._at(list(self.arguments), folders)

    def run_at(self, folders: Mapping[str, str]) -> dict[str, Any] | None:
        """Return the content of RUN_FILE, with ``{key}`` replaced in every string of it; None without ``run``."""
        return None if self.run is None else self._at(dict(self.run), folders)

    def _at(self, value: Any, folders: Mapping[str, str]) -> Any:
        if isinstance(value, str):
            for key in self.mounts:
                value = value.replace("{" + key + "}", folders[key])
            return value
        if isinstance(value, Mapping):
            return {name: self._at(part, folders) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [self._at(part, folders) for part in value]
        return value


class State(enum.StrEnum):
    MISSING = "missing"
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def active(self) -> bool:
        return self in (State.PENDING, State.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Status:
    """``exit_code`` 2 means bad input, which no retry can mend; ``message`` says in a sentence why it failed.

    ``stopping``: it still runs, but was told to stop (cancelled, or at its time limit).
    ``pending_since``: seconds since 1970 at which a pending one began to wait for room. ``out_of_time``: a failed one
    was stopped at its own time limit. ``no_room``: the place gave a failed one up before it began, for want of room.
    """

    state: State
    exit_code: int | None = None
    message: str = ""
    stopping: bool = False
    pending_since: float | None = None
    out_of_time: bool = False
    no_room: bool = False


class Runner(Protocol):
    """One kind of place. Every call may come from another process than the one that submitted.

    ``host`` is the machine to which everything submitted belongs; None where every machine reaches the place.
    """

    @property
    def host(self) -> str | None: ...

    def submit(self, workload: Workload, *, fresh: bool = False) -> str:
        """Start it, or join the one of this name. ``fresh`` runs a finished one again; a running one is always joined.

        Raises PlaceRefused or PlaceUnavailable; then nothing was started.
        """

    def status(self, name: str) -> Status: ...

    def logs(self, name: str, cursor: str | None = None) -> tuple[str, str | None]:
        """Return the text after ``cursor`` (None: from the beginning), and the cursor after that text.

        What a cursor looks like is the runner's own affair. One that did not move means that there is no more text now.
        """

    def result(self, name: str) -> dict[str, Any]:
        """What the program wrote to RESULT_FILE; {} if it wrote none."""

    def cancel(self, name: str) -> None:
        """SIGTERM, then SIGKILL after a grace; returns when nothing of it runs."""

    def remove(self, name: str) -> None:
        """Forget a finished one and its traces."""
