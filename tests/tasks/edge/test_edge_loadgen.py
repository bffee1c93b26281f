"""MLCommons' LoadGen itself judges: what it calls VALID has a figure, what it calls INVALID a reason and none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tasks.common.program import BadInput
from tasks.edge import loadgen, quantise
from tasks.edge.loadgen import MULTI, OFFLINE, SCENARIOS, SINGLE, Server
from tasks.edge.work import Work
from tests.tasks.edge.working import SAMPLES, working


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Work:
    made = working(tmp_path_factory.mktemp("edge") / "work")
    quantise.quantise(made)
    return made


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_run_is_valid_by_loadgens_own_word(work, tmp_path, scenario):
    outcome = Server(work, "fp32").run(scenario, tmp_path, seconds=0.1)
    assert outcome.valid, outcome.reason
    assert outcome.value > 0 and outcome.reason == ""
    assert outcome.unit == ("samples/s" if scenario == OFFLINE else "ms")
    assert "Result is : VALID" in (tmp_path / "mlperf_log_summary.txt").read_text()


@pytest.mark.parametrize("scenario", [SINGLE, OFFLINE])
def test_an_invalid_run_has_loadgens_reason(work, tmp_path, scenario):
    outcome = Server(work, "fp32")._once(scenario, tmp_path, seconds=0.3, streams=8, guess=1000.0)
    assert not outcome.valid
    assert "result_min_duration_met is false" in outcome.reason
    assert "expected latency" in outcome.reason or "Increase expected QPS" in outcome.reason
    assert "Result is : INVALID" in (tmp_path / "mlperf_log_summary.txt").read_text()


def test_multi_stream_has_as_many_samples_in_a_query_as_asked(work, tmp_path):
    outcome = Server(work, "fp32").run(MULTI, tmp_path, seconds=0.05, streams=3)
    assert outcome.valid, outcome.reason
    assert "samples_per_query : 3" in (tmp_path / "mlperf_log_summary.txt").read_text()


def test_accuracy_mode_gives_every_output_in_the_order_of_the_samples(work, tmp_path):
    server = Server(work, "fp32")
    found = server.accuracy(tmp_path)
    assert np.array_equal(found, server.infer(range(SAMPLES)))
    assert (found.argmax(axis=1) == work.truth).all()
    logged = json.loads((tmp_path / "mlperf_log_accuracy.json").read_text())
    (tmp_path / "mlperf_log_accuracy.json").write_text(json.dumps(logged[1:]))
    with pytest.raises(BadInput, match=f"has {SAMPLES - 1} of {SAMPLES} samples"):
        loadgen.outputs_of(tmp_path, SAMPLES)


def test_int8_is_another_network_that_answers_nearly_the_same(work, tmp_path):
    sharp, rough = Server(work, "fp32").infer(range(SAMPLES)), Server(work, "int8").infer(range(SAMPLES))
    assert not np.array_equal(sharp, rough)
    assert np.median(np.abs(sharp - rough)) < 0.05 * np.abs(sharp).max()


def test_a_folder_that_is_not_complete_is_named(tmp_path):
    with pytest.raises(BadInput, match="holds no workload.json: prepare it first"):
        Work.open(tmp_path)
    with pytest.raises(BadInput, match="quantise first"):
        working(tmp_path / "work").network("int8")
