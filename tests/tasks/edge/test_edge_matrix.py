"""Cells are measured on both storages by turns, and the report says what the intervals allow and nothing more."""

from __future__ import annotations

import json
import math
import sys

import pytest

from tasks.common.program import BadInput
from tasks.edge import gate, measure, quantise, report
from tasks.edge.loadgen import OFFLINE, SINGLE
from tasks.edge.measure import Cell
from tasks.edge.report import Matrix, interval, verdict
from tasks.edge.work import NETWORKS, Work
from tests.tasks.edge.working import network, working


@pytest.fixture
def work(tmp_path) -> Work:
    return working(tmp_path / "work")


def cell(work: Work, name: str, pairs, invalid=(), **more) -> None:
    precision, scenario, servers = name.split(":")
    facts = {"cell": name, "precision": precision, "scenario": scenario, "servers": int(servers), "unit": "ms"}

    def figure(value: float) -> dict:
        return {"value": value, "servers": [value], "load_s": 0.1}

    repeats = [{"local": figure(local), "shared": figure(shared)} for local, shared in pairs]
    told = {**facts, "repeats": repeats, "invalid": list(invalid), "bound_ms": None, "streams": None, **more}
    folder = work.folder / measure.CELLS
    folder.mkdir(exist_ok=True)
    (folder / f"{name.replace(':', '-')}.json").write_text(json.dumps(told))


def test_two_servers_run_at_once_on_both_storages_and_leave_nothing_on_the_local_disk(work, tmp_path, monkeypatch):
    monkeypatch.setattr(measure.tempfile, "mkdtemp", lambda prefix: str(tmp_path / "local"))
    arguments = [f"--work={work.folder}", f"--cell=fp32:{SINGLE}:2", "--repeats=2", "--seconds=0.05"]
    monkeypatch.setattr(sys, "argv", ["measure", *arguments])
    assert measure.main()["repeats"] == 2
    told = json.loads((work.folder / "cells" / f"fp32-{SINGLE}-2.json").read_text())
    assert [len(each[s]["servers"]) for each in told["repeats"] for s in measure.STORAGES] == [2] * 4
    assert not (tmp_path / "local").exists()
    assert (work.folder / "logs" / f"fp32-{SINGLE}-2-1" / "mlperf_log_summary.txt").is_file()


def test_several_servers_become_one_figure_as_published():
    outcomes = [{"value": 10.0, "load_s": 1.0}, {"value": 30.0, "load_s": 3.0}]
    assert Cell.parse(f"fp32:{OFFLINE}:2").aggregated(outcomes)["value"] == 40
    assert Cell.parse(f"fp32:{SINGLE}:2").aggregated(outcomes)["value"] == 20


def test_the_search_finds_the_most_streams_within_the_bound_and_sums_the_servers(work):
    asked = []

    class Ends(measure._Servers):
        def run(self, cell, work, seconds, streams=8):
            asked.append(streams)
            return [{"valid": True, "value": 2.0 * streams} for _ in self.ends]

    assert Ends([1, 2]).streams(Cell.parse("fp32:multi_stream:2"), work, 0.1, 27.0) == 2 * 13
    assert max(asked) == 16


@pytest.mark.parametrize("text", ["fp32", "fp16:offline:1", "fp32:server:1", "fp32:offline:0", "fp32:offline:x"])
def test_a_cell_that_is_none_is_said_with_what_there_is(text):
    with pytest.raises(BadInput, match="give it as precision:scenario:servers"):
        Cell.parse(text)


def test_the_gate_lets_int8_count_only_near_fp32(work):
    quantise.quantise(work)
    found = gate.judge(work, 0.5, [OFFLINE])
    assert found["passed"] == ["fp32", "int8"]
    assert found["cells"] == ["fp32:offline:1", "fp32:offline:2", "int8:offline:1", "int8:offline:2"]
    (work.folder / NETWORKS["int8"]).write_bytes(network(-_weights(work)))  # a network that is always wrong
    spoilt = gate.judge(work)
    assert spoilt["passed"] == ["fp32"] and spoilt["share"]["int8"] == 0
    assert not [name for name in spoilt["cells"] if name.startswith("int8")]


def _weights(work: Work):
    import onnx
    from onnx import numpy_helper

    return numpy_helper.to_array(onnx.load(work.network("fp32")).graph.initializer[0])


def test_an_interval_is_of_the_ratio_and_symmetric_under_exchange():
    low, middle, high = interval([math.log(1.1), math.log(1.1 * 1.01), math.log(1.1 / 1.01)])
    assert middle == pytest.approx(10) and low < 10 < high
    back = interval([-math.log(1.1), -math.log(1.1 * 1.01), -math.log(1.1 / 1.01)])
    assert (1 + back[0] / 100) * (1 + high / 100) == pytest.approx(1)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.5, 0.8, "no measurable cost"),
        (-3.0, 4.0, "not decided: it may cost up to 4.0 %"),
        (0.2, 0.9, "costs 0.2 to 0.9 %"),
        (-4.0, -1.0, "faster by 1.0 to 4.0 %"),
    ],
)
def test_no_measurable_cost_is_said_only_where_the_interval_says_so(low, high, said):
    assert verdict(low, high, 1.0) == said


def test_fewer_samples_a_second_are_a_cost_and_void_cells_have_no_figure(work):
    cell(work, "fp32:offline:1", [(100.0, 90.0), (100.0, 90.1), (100.0, 89.9)], unit="samples/s")
    cell(work, "fp32:single_stream:1", [(1.0, 1.0)], invalid=["shared: Decrease the expected latency"])
    matrix = Matrix(work, 1.0)
    (row,) = matrix.rows
    assert row["cost"] == pytest.approx(11.1, abs=0.1) and row["verdict"].startswith("costs ")
    assert "fp32:single_stream:1 has 1 valid repeats: LoadGen says INVALID: shared: Decrease" in matrix.void[0]
    assert "fp32 | SingleStream" not in matrix.markdown()
    assert "1 runs were INVALID" in matrix.markdown()


def test_the_report_is_a_page_a_picture_and_a_short_result(work, monkeypatch):
    cell(work, "fp32:offline:1", [(100.0, 100.0), (101.0, 101.1)], unit="samples/s")
    cell(work, "fp32:offline:2", [(200.0, 199.0), (200.0, 202.0)], unit="samples/s")
    cell(work, "fp32:multi_stream:1", [(5.0, 5.1), (5.0, 5.0)], bound_ms=50, streams={"local": 80, "shared": 79})
    monkeypatch.setattr(sys, "argv", ["report", f"--work={work.folder}"])
    result = report.main()
    assert [row[0] for row in result["rows"]] == ["fp32:offline:1", "fp32:offline:2", "fp32:multi_stream:1"]
    text = (work.folder / "report" / "matrix.md").read_text()
    assert "two servers have 1.99 times the samples a second of one" in text
    assert "local 80, shared 79" in text and "the older multi-stream's figure" in text
    assert {path.name for path in (work.folder / "report").iterdir()} == {
        "matrix.md", "matrix.html", "matrix.json", "matrix.png",
    }  # fmt: skip


def test_without_cells_there_is_nothing_to_report(work):
    with pytest.raises(BadInput, match="holds no cell: measure first"):
        Matrix(work, 1.0)
