"""The engines that can train the forest: the same rows, columns and settings in, the same kind of outcome out."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.ctr.blocks import Count, check_malformed, shown_of
from tasks.ctr.forest import Forest
from tasks.ctr.growing import Settings
from tasks.ctr.reading import Part
from tasks.ctr.selection import Selection, check_labels, select

PANDAS, DASK, RAPIDS, AUTO = "pandas", "dask", "rapids", "auto"
_RAPIDS_PACKAGES = ("cudf", "dask_cudf", "cuml", "dask_cuda")


@dataclass
class Timer:
    """Seconds by name of the step, added up where a step comes more than once."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, step: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - begun


@dataclass(frozen=True)
class Job:
    """What to train on, and where an interrupted run finds its ``checkpoint`` again, which is only good for the same
    ``identity``."""

    url: str
    parts: list[Part]
    rows: int
    test_rows: int
    malformed_share: float
    settings: Settings
    checkpoint: Path
    identity: str
    scheduler: str
    memory_limit: str
    threads: int
    dashboard: str
    scratch: str | None
    timer: Timer = field(default_factory=Timer)


@dataclass(frozen=True)
class Outcome:
    """``scores`` float64 [N] and ``labels`` uint8 [N] are of the test rows. ``memory`` is bytes at the peak:
    ``program`` is this process, ``workers`` the sum of the workers' own peaks."""

    forest: Forest
    selection: Selection
    scores: npt.NDArray[np.float64]
    labels: npt.NDArray[np.uint8]
    memory: dict[str, int]
    facts: dict[str, Any] = field(default_factory=dict)


def choose(name: str) -> str:
    """Return the engine to use: ``auto`` takes RAPIDS where it is installed and a GPU is there, else Dask."""
    if name == AUTO:
        return RAPIDS if not _rapids_lacks() else DASK
    if name == RAPIDS and (lacking := _rapids_lacks()):
        raise BadInput(f"The engine rapids needs {lacking}; see requirements-gpu.txt, or use --engine dask.")
    return name


def _rapids_lacks() -> str:
    """Return what is missing for RAPIDS; "" when nothing is."""
    for package in _RAPIDS_PACKAGES:
        if importlib.util.find_spec(package) is None:
            return f"the package {package}"
    return "" if list(Path("/dev").glob("nvidia[0-9]*")) else "an NVIDIA GPU"


def selected(job: Job, count: Callable[[Iterable[int]], dict[int, Count]]) -> Selection:
    """The rows that every engine trains on and is judged by; says how many rows of the text are none.

    ``count`` reads parts by number. Raises BadInput for too few rows, too many malformed ones, or one label only.
    """
    selection = select(job.parts, count, job.rows, job.test_rows)
    check_malformed(selection.malformed, selection.rows, job.malformed_share, job.url)
    left_out = selection.left_out
    if left_out.count:
        say(f"Left out by convert: {left_out.count} malformed rows of {job.url}, such as {shown_of(left_out)}.")
    check_labels(selection)
    return selection


def train(engine: str, job: Job) -> Outcome:
    if engine == PANDAS:
        from tasks.ctr.engines import pandas_engine

        return pandas_engine.train(job)
    if engine == DASK:
        from tasks.ctr.engines import dask_engine

        return dask_engine.train(job)
    from tasks.ctr.engines import rapids_engine

    return rapids_engine.train(job)
