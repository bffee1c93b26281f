"""Everything that a handler may need, in one place."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.clock import Clock
from emulator.dataplane import DataPlane
from emulator.faults import Faults
from emulator.gate import Gate
from emulator.intercluster.peers import Peers
from emulator.jobs.runner import Jobs
from emulator.snapmirror_transfers.engine import Transfers
from emulator.store import Store


@dataclass
class Config:
    ontap_version: str = "9.16.1"
    rest_url: str = ""
    s3_port: int = 0
    """The port that the S3 server listens on; known once it has started."""
    snapshot_limit: int = 1023
    """Snapshots that a volume can hold; a test may lower it."""
    name: str = "127.0.0.1"
    """The host name, or address, by which clients reach this emulator."""
    intercluster_ip: str = ""
    """The address at which peered clusters reach this one."""
    svms: tuple[str, ...] = ("svm1",)
    """What SVMs there are to begin with, each with an interface."""
    schedules: bool = True
    """Whether schedules begin updates of mirrors and take the snapshots of policies; a test may change it."""
    cluster: str = "emulator"
    """Name of the cluster when it is made."""

    @property
    def version(self) -> tuple[int, int, int]:
        generation, major, minor = (int(part) for part in self.ontap_version.split("."))
        return generation, major, minor


@dataclass
class World:
    root: Path
    config: Config
    store: Store = field(init=False)
    clock: Clock = field(init=False)
    dataplane: DataPlane = field(init=False)
    faults: Faults = field(init=False)
    gate: Gate = field(init=False)
    jobs: Jobs = field(init=False)
    peers: Peers = field(init=False)
    transfers: Transfers = field(init=False)
    requests: deque[dict[str, Any]] = field(init=False)
    """The last REST requests: method, path with its query, status (None when the connection was dropped)."""
    bookmark: object = field(init=False, default=None)
    """A state to come back to (see `bookmark`)."""

    def __post_init__(self) -> None:
        self.store = Store(self.root)
        self.clock = Clock(self.store)
        self.dataplane = DataPlane(self.root)
        self.faults = Faults()
        self.gate = Gate()
        self.jobs = Jobs(self)
        self.peers = Peers(self)
        self.transfers = Transfers(self)
        self.requests = deque(maxlen=1000)
