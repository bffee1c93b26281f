"""One server under MLCommons' LoadGen: a network in ONNX Runtime on one thread, and one run at a time.

LoadGen issues the queries, keeps the time and judges; what it calls INVALID is kept with its own words. It lays out its
queries by expected latencies, which are measured just before, and judges a run INVALID that ends too early by them.
Such a run is repeated with a better guess, twice at most; it is no result.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.common.program import BadInput
from tasks.edge.work import Work
from tasks.edge.workloads import Array

SINGLE, OFFLINE, MULTI = "single_stream", "offline", "multi_stream"
SCENARIOS = (SINGLE, OFFLINE, MULTI)
STREAMS = 8  # samples of a query of today's multi-stream
BATCH = 8  # samples that the server takes at once
# Fewer queries, and LoadGen's early stopping can say nothing of the percentile (90th; 99th).
LEAST = {SINGLE: 64, OFFLINE: 1, MULTI: 662}
TRIES = 3
_FIGURES = {
    SINGLE: ("result_90.00_percentile_latency_ns", 1e-6, "ms"),
    OFFLINE: ("result_samples_per_second", 1.0, "samples/s"),
    MULTI: ("result_99.00_percentile_per_query_latency_ns", 1e-6, "ms"),
}


@dataclass(frozen=True)
class Outcome:
    """``value`` in ``unit`` is LoadGen's figure of the scenario; of a run that is not ``valid`` it is no result."""

    scenario: str
    valid: bool
    value: float
    unit: str
    reason: str
    queries: int
    load_s: float

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


class Server:
    """``work`` is where network and samples are read; everything is read anew for each Server, timed as ``load_s``."""

    def __init__(self, work: Work, precision: str) -> None:
        import onnxruntime

        began = time.perf_counter()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.work = work
        self.session = onnxruntime.InferenceSession(
            work.network(precision).read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        self.rows: dict[int, dict[str, Array]] = {}
        self.tensors = work.tensors()
        self.load(range(work.facts["samples"]))
        self.load_s = time.perf_counter() - began

    def load(self, places: Sequence[int]) -> None:
        """LoadGen's LoadSamplesToRam: from the storage, outside of what is timed."""
        for place in places:
            if place not in self.rows:
                self.rows[place] = {name: np.array(values[place]) for name, values in self.tensors.items()}

    def infer(self, places: Sequence[int]) -> Array:
        """[N, ...] float32 for the samples at these places."""
        names = self.work.facts["inputs"]
        return self.session.run(None, {name: np.stack([self.rows[p][name] for p in places]) for name in names})[0]

    def seconds(self, count: int) -> float:
        """Median time of a query of ``count`` samples, in seconds."""
        places = [place % len(self.rows) for place in range(count)]
        self.infer(places[:BATCH])
        return statistics.median(_timed(lambda: self._all(places)) for _ in range(5))

    def _all(self, places: Sequence[int]) -> list[Array]:
        return [self.infer(places[start : start + BATCH]) for start in range(0, len(places), BATCH)]

    def run(self, scenario: str, logs: Path, *, seconds: float, streams: int = STREAMS) -> Outcome:
        """Run one scenario for at least so many seconds, and again where LoadGen's guess was wrong.

        :param logs: folder for LoadGen's own files, of the last try.
        :param streams: samples of a query of multi-stream.
        """
        guess = 0.7
        for _ in range(TRIES):
            outcome = self._once(scenario, logs, seconds, streams, guess)
            if outcome.valid:
                break
            guess /= 2
        return outcome

    def accuracy(self, logs: Path) -> Array:
        """The outputs for all samples, in their order, as LoadGen's accuracy mode has logged them."""
        with _loadgen(logs, self) as (lg, settings, start):
            settings.mode = lg.TestMode.AccuracyOnly
            settings.scenario = lg.TestScenario.Offline
            start()
        return outputs_of(logs, self.work.facts["samples"])

    def _once(self, scenario: str, logs: Path, seconds: float, streams: int, guess: float) -> Outcome:
        with _loadgen(logs, self) as (lg, settings, start):
            settings.mode = lg.TestMode.PerformanceOnly
            settings.min_duration_ms = int(seconds * 1000)
            settings.min_query_count = LEAST[scenario]
            if scenario == SINGLE:
                settings.scenario = lg.TestScenario.SingleStream
                settings.single_stream_expected_latency_ns = max(int(self.seconds(1) * guess * 1e9), 1)
            elif scenario == OFFLINE:
                settings.scenario = lg.TestScenario.Offline
                settings.offline_expected_qps = BATCH / self.seconds(BATCH) / guess
            elif scenario == MULTI:
                settings.scenario = lg.TestScenario.MultiStream
                settings.multi_stream_samples_per_query = streams
                settings.multi_stream_expected_latency_ns = max(int(self.seconds(streams) * guess * 1e9), 1)
            else:
                raise BadInput(f"There is no scenario {scenario!r}; there are {', '.join(SCENARIOS)}.")
            start()
        return read(logs, scenario, self.load_s)

    def issue(self, lg: Any, samples: Sequence[Any]) -> None:
        for start in range(0, len(samples), BATCH):
            part = samples[start : start + BATCH]
            outputs = np.ascontiguousarray(self.infer([sample.index for sample in part]), np.float32)
            size = outputs[0].nbytes
            lg.QuerySamplesComplete(
                [
                    lg.QuerySampleResponse(sample.id, outputs.ctypes.data + place * size, size)
                    for place, sample in enumerate(part)
                ]
            )


@contextlib.contextmanager
def _loadgen(logs: Path, server: Server) -> Iterator[tuple[Any, Any, Any]]:
    """The module, settings to fill in, and what starts the test; LoadGen's objects are gone afterwards."""
    import mlperf_loadgen as lg

    logs.mkdir(parents=True, exist_ok=True)
    settings, log = lg.TestSettings(), lg.LogSettings()
    log.enable_trace = False
    log.log_output.outdir = str(logs)
    log.log_output.copy_summary_to_stdout = False
    count = server.work.facts["samples"]
    sut = lg.ConstructSUT(lambda samples: server.issue(lg, samples), lambda: None)
    qsl = lg.ConstructQSL(count, count, server.load, lambda places: None)
    try:
        yield lg, settings, lambda: lg.StartTestWithLogSettings(sut, qsl, settings, log)
    finally:
        lg.DestroyQSL(qsl)
        lg.DestroySUT(sut)


def read(logs: Path, scenario: str, load_s: float = 0.0) -> Outcome:
    """What LoadGen says of its last run: its verdict, its figure, and for a run that is INVALID its reasons."""
    told: dict[str, Any] = {}
    reasons: list[str] = []
    for line in (logs / "mlperf_log_detail.txt").read_text().splitlines():
        entry = json.loads(line.partition(" ")[2])
        if "reason" in entry["key"] or entry.get("metadata", {}).get("is_error"):
            reasons.append(" ".join(str(entry["value"]).split()))
        told[entry["key"]] = entry["value"]
    key, factor, unit = _FIGURES[scenario]
    valid = told.get("result_validity") == "VALID" and key in told
    rules = ("result_min_duration_met", "result_min_queries_met", "early_stopping_met")
    missed = [f"{name} is false" for name in rules if told.get(name) is False]
    said = "; ".join(dict.fromkeys([*missed, *reasons])) or str(told.get("result_validity", "no verdict in its log"))
    return Outcome(
        scenario=scenario,
        valid=valid,
        value=float(told.get(key, 0.0)) * factor,
        unit=unit,
        reason="" if valid else said,
        queries=int(told.get("result_query_count", 0)),
        load_s=round(load_s, 4),
    )


def outputs_of(logs: Path, count: int) -> Array:
    """Of LoadGen's accuracy log, the outputs in the order of the samples. Raises BadInput where some are missing."""
    logged: Sequence[Mapping[str, Any]] = json.loads((logs / "mlperf_log_accuracy.json").read_text())
    found = {int(each["qsl_idx"]): np.frombuffer(bytes.fromhex(each["data"]), np.float32) for each in logged}
    if sorted(found) != list(range(count)):
        raise BadInput(f"LoadGen's accuracy log in {logs} has {len(found)} of {count} samples; run it again.")
    return np.stack([found[place] for place in range(count)])


def _timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
