"""Look at what is far away now and then, and tell Prometheus what was found last, how old it is, and what went wrong.

Nothing is asked because Prometheus scrapes: each subject has a thread that looks at its own pace, so a system that does
not answer delays nobody. What a look found is told until a few looks have failed, with its age beside it; after that it
is told no more. What is not known has no sample: a zero is always a zero that somebody has counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

PREFIX = "ontap_mlops_"
CONFIGURATION = "configuration"
"""Name of the source that fails where a file says wrongly what there is to look at."""

log = logging.getLogger(__name__)
Labels = tuple[str, ...]
Family = CounterMetricFamily | GaugeMetricFamily


@dataclass(frozen=True)
class Told:
    """One metric: what it means, its labels, and whether it only ever grows."""

    text: str
    labels: Labels = ()
    counter: bool = False


OF_SOURCES: dict[str, Told] = {
    "source_up": Told("1 if the last look at this source succeeded.", ("source", "name")),
    "source_age_seconds": Told("Seconds since a look at this source succeeded.", ("source", "name")),
    "source_look_seconds": Told("Seconds that the last look took.", ("source", "name")),
    "source_errors": Told("Looks that failed.", ("source", "name"), counter=True),
    "source_last_error": Told("1 for the kind of error of the last look, if it failed.", ("source", "name", "error")),
}


@dataclass
class Figures:
    """Values by metric (without prefix) and labels."""

    values: dict[tuple[str, Labels], float] = field(default_factory=dict)

    def put(self, metric: str, *labels: str, value: float) -> None:
        self.values[metric, labels] = value

    def add(self, metric: str, *labels: str, value: float = 1) -> None:
        self.values[metric, labels] = self.values.get((metric, labels), 0) + value


Look = Callable[[], Figures]


class Subject(Protocol):
    """What is looked at in one way. ``kept_looks`` failed looks later, what was found is told no more."""

    kind: str
    every_s: float
    kept_looks: int
    metrics: Mapping[str, Told]

    def sources(self) -> Mapping[str, Look]:
        """What there is to look at, by name. May raise where a file says it wrongly."""


@dataclass
class _Source:
    """``found_at`` is by the clock that nobody sets; None before the first success."""

    figures: Figures = field(default_factory=Figures)
    found_at: float | None = None
    took_s: float = 0.0
    failures: int = 0
    failed_in_a_row: int = 0
    error: str = ""


class Watch(Collector):
    """The last figures of all subjects. ``start`` begins to look, ``stop`` ends it."""

    def __init__(self, subjects: Sequence[Subject], clock: Callable[[], float] = time.monotonic) -> None:
        self.subjects = subjects
        self._clock = clock
        self._sources: dict[str, dict[str, _Source]] = {subject.kind: {} for subject in subjects}
        self._stopped = threading.Event()

    def start(self) -> Watch:
        for subject in self.subjects:
            threading.Thread(target=self._again, args=(subject,), daemon=True, name=subject.kind).start()
        return self

    def stop(self) -> None:
        self._stopped.set()

    def look(self) -> None:
        """Look at everything once, now."""
        for subject in self.subjects:
            self._look_at(subject)

    def collect(self) -> Iterator[Family]:
        for subject in self.subjects:
            known = [each for each in self._sources[subject.kind].copy().values() if _is_told(each, subject)]
            for name, told in subject.metrics.items():
                family = _family(name, told)
                for source in known:
                    for (metric, labels), value in source.figures.values.items():
                        if metric == name:
                            family.add_metric(labels, value)
                yield family
        yield from self._of_sources()

    def _of_sources(self) -> Iterator[Family]:
        families = {name: _family(name, told) for name, told in OF_SOURCES.items()}
        for kind, sources in self._sources.items():
            for name, source in sources.copy().items():
                families["source_up"].add_metric((kind, name), 0.0 if source.error else 1.0)
                if source.found_at is not None:
                    families["source_age_seconds"].add_metric((kind, name), self._clock() - source.found_at)
                families["source_look_seconds"].add_metric((kind, name), source.took_s)
                families["source_errors"].add_metric((kind, name), source.failures)
                if source.error:
                    families["source_last_error"].add_metric((kind, name, source.error), 1.0)
        yield from families.values()

    def _again(self, subject: Subject) -> None:
        while not self._stopped.is_set():
            self._look_at(subject)
            self._stopped.wait(subject.every_s)

    def _look_at(self, subject: Subject) -> None:
        known = self._sources[subject.kind]
        try:
            wanted = subject.sources()
        except Exception as error:  # a file that is wrong; it may be right the next time
            self._failed(known.setdefault(CONFIGURATION, _Source()), f"what {subject.kind} there is", error)
            return
        for gone in known.keys() - wanted.keys():
            del known[gone]
        for name, look in wanted.items():
            source, begun = known.get(name, _Source()), self._clock()
            try:
                figures = look()
            except Exception as error:  # whatever it is, the other sources are still told of
                self._failed(source, f"{subject.kind} {name}", error)
            else:
                source.figures, source.found_at, source.error = figures, self._clock(), ""
                source.failed_in_a_row = 0
            source.took_s = self._clock() - begun
            known[name] = source

    def _failed(self, source: _Source, what: str, error: Exception) -> None:
        """Only the kind of the error is told: its text may hold what nobody but the log's reader should see."""
        log.warning("No figures of %s: %s", what, error)
        source.error = type(error).__name__
        source.failures += 1
        source.failed_in_a_row += 1


def _is_told(source: _Source, subject: Subject) -> bool:
    return source.failed_in_a_row <= subject.kept_looks


def _family(name: str, told: Told) -> Family:
    if told.counter:
        return CounterMetricFamily(PREFIX + name, told.text, labels=told.labels)
    return GaugeMetricFamily(PREFIX + name, told.text, labels=told.labels)
