"""Work that goes on after the answer: ``/cluster/jobs``."""

from emulator.jobs.operations import operation

__all__ = ["operation"]
