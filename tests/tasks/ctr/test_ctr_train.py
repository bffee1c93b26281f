"""The training program on each engine: the same rows, equal quality, malformed rows counted, stops survived."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tasks.common import program
from tasks.ctr import compare, convert, engines, score, train
from tasks.ctr.days import find_days, parts_of
from tasks.ctr.engines import pandas_engine, rapids_engine
from tasks.ctr.growing import Growth, Settings
from tasks.ctr.pieces import rows_of
from tasks.ctr.selection import Piece

ROWS, TEST_ROWS = 18_000, 6_000
SAME = (f"--rows={ROWS}", f"--test-rows={TEST_ROWS}", "--depth=6")
AGREE = 0.012  # two standard errors of the accuracy of 6,000 rows: what luck alone makes of equal forests
HOUSE = Path(__file__).parents[3]


def digest(output: Path) -> str:
    return json.loads((output / "model.json").read_text())["files"]["model.onnx"]


@pytest.fixture(scope="module")
def outputs(clicks, tmp_path_factory) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Each engine's output and result on the same rows."""
    folder, found = tmp_path_factory.mktemp("outputs"), {}
    for engine in ("pandas", "dask"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RESULT_FILE", str(folder / "result.json"))
            flags = [f"--data={clicks}", f"--output={folder / engine}", "--day=day_0", "--scheduler=in-process", *SAME]
            patch.setattr(sys, "argv", ["train", f"--engine={engine}", *flags])
            assert program.exit_code(train.main) == 0
        found[engine] = folder / engine, json.loads((folder / "result.json").read_text())
    return found


def test_engines_agree_and_come_near_the_best_possible(outputs, clicks):
    results = {engine: result for engine, (_, result) in outputs.items()}
    accuracy = [result["metrics"]["accuracy"] for result in results.values()]
    assert max(accuracy) - min(accuracy) < AGREE
    for result in results.values():
        assert 0.70 < result["metrics"]["auc"] < 0.7464 + AGREE, "the truth of the numeric columns is 0.746"
        assert result["metrics"]["calibration_error"] < 0.06
        assert (result["rows"], result["test_rows"], result["malformed"]) == (ROWS, TEST_ROWS, 0)


def test_every_engine_reports_in_the_same_shape_and_in_less_than_4_kb(outputs):
    (_, one), (_, other) = outputs.values()
    assert set(one) == set(other)
    assert set(one["metrics"]) == set(other["metrics"]) and set(one["memory"]) == set(other["memory"])
    for output, result in outputs.values():
        assert len(json.dumps(result)) < 3000
        assert result["seconds"]["to_model"] <= result["seconds"]["whole"] and result["memory"]["peak"] > 50e6
        assert {"model.onnx", "model.json", "report.json", "calibration.png"} <= set(os.listdir(output))


def test_training_again_gives_the_same_model(outputs, clicks, trained, tmp_path):
    code, _ = trained(clicks, tmp_path / "again", *SAME)
    assert code == 0 and digest(tmp_path / "again") == digest(outputs["dask"][0])
    code, _ = trained(clicks, tmp_path / "other", *SAME, "--seed=2")
    assert digest(tmp_path / "other") != digest(outputs["dask"][0])


def test_the_pandas_engine_grows_scikit_learns_forest(clicks, outputs):
    """The walkthrough's lines, and the model that the program left, give the same chances."""
    import onnxruntime
    import pandas
    from sklearn.ensemble import RandomForestClassifier

    frame = pandas.read_csv(clicks / "day_0", sep="\t", header=None, usecols=range(14)).fillna(0).astype(np.float32)
    values, labels = frame.iloc[:, 1:].to_numpy(), frame.iloc[:, 0].to_numpy(np.uint8)
    model = RandomForestClassifier(10, max_depth=6, random_state=1).fit(values[:ROWS], labels[:ROWS])
    wanted = model.predict_proba(values[-TEST_ROWS:])[:, 1]
    session = onnxruntime.InferenceSession(outputs["pandas"][0] / "model.onnx")
    assert np.allclose(session.run(None, {"numeric": values[-TEST_ROWS:]})[0][:, 1], wanted, atol=1e-6)
    accuracy = ((wanted > 0.5) == labels[-TEST_ROWS:]).mean()
    assert outputs["pandas"][1]["metrics"]["accuracy"] == pytest.approx(accuracy)


@pytest.fixture
def spoilt(clicks, tmp_path) -> Path:
    """day_0 with 5 lines that are no rows among its 24,000."""
    lines = (clicks / "day_0").read_bytes().splitlines(keepends=True)
    for place, line in ((0, b"\n"), (100, b"1\t2\t3\n"), (9000, b"no row\n"), (9001, b"2" + lines[5][1:])):
        lines.insert(place, line)
    lines.append(lines[7][:-12])
    (tmp_path / "spoilt").mkdir()
    (tmp_path / "spoilt" / "day_0").write_bytes(b"".join(lines))
    return tmp_path / "spoilt"


@pytest.mark.parametrize("engine", ["pandas", "dask"])
def test_malformed_rows_are_left_out_counted_and_shown(engine, spoilt, outputs, trained, tmp_path, capfd):
    code, result = trained(spoilt, tmp_path / "run", f"--engine={engine}", *SAME)
    assert code == 0 and result["malformed"] == 5
    assert "5 of 24005 rows" in capfd.readouterr().err
    assert digest(tmp_path / "run") == digest(outputs[engine][0]), "the rows that are left are the same"


@pytest.mark.parametrize("engine", ["pandas", "dask"])
def test_too_many_malformed_rows_are_bad_input(engine, spoilt, trained, tmp_path, capfd):
    code, _ = trained(spoilt, tmp_path / "run", f"--engine={engine}", *SAME, "--malformed-share=0.0001")
    assert code == 2
    last = capfd.readouterr().err.strip().splitlines()[-1]
    assert "5 of 24005 rows" in last and "1\\t2\\t3" in last and "--malformed-share" in last
    assert not (tmp_path / "run" / "model.json").exists()


def test_too_few_rows_are_bad_input(clicks, trained, tmp_path, capfd):
    assert trained(clicks, tmp_path / "run", "--rows=20000", "--test-rows=5000")[0] == 2
    assert "24000 rows, too few for 20000 to train on and 5000 others" in capfd.readouterr().err


def test_stopped_between_levels_it_goes_on_to_the_same_forest(outputs, clicks, trained, tmp_path, monkeypatch):
    split, depths = Growth.split, []

    def stop_at_third(self: Growth, counts: Any) -> None:
        split(self, counts)
        depths.append(self.depth)
        if len(depths) == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as stopping:
        stopping.setattr(Growth, "split", stop_at_third)
        assert trained(clicks, tmp_path / "run", *SAME)[0] == 143
    depths.clear()
    monkeypatch.setattr(Growth, "split", lambda self, counts: (split(self, counts), depths.append(self.depth)))
    assert trained(clicks, tmp_path / "run", *SAME)[0] == 0
    assert depths in ([4, 5, 6], [5, 6])
    assert digest(tmp_path / "run") == digest(outputs["dask"][0])


def test_stopped_between_trees_pandas_goes_on_to_the_same_forest(outputs, clicks, trained, tmp_path, monkeypatch):
    as_tree, grown = pandas_engine.as_tree, []

    def stop_at_fourth(tree: Any) -> Any:
        grown.append(tree)
        if len(grown) == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return as_tree(tree)

    with monkeypatch.context() as stopping:
        stopping.setattr(pandas_engine, "as_tree", stop_at_fourth)
        assert trained(clicks, tmp_path / "run", "--engine=pandas", *SAME)[0] == 143
    grown.clear()
    monkeypatch.setattr(pandas_engine, "as_tree", lambda tree: (grown.append(tree), as_tree(tree))[1])
    assert trained(clicks, tmp_path / "run", "--engine=pandas", *SAME)[0] == 0
    assert len(grown) == 7
    assert digest(tmp_path / "run") == digest(outputs["pandas"][0])


def test_a_checkpoint_of_another_training_is_not_used(outputs, clicks, trained, tmp_path):
    trained(clicks, tmp_path / "run", *SAME, "--seed=3")
    assert trained(clicks, tmp_path / "run", *SAME)[0] == 0
    assert digest(tmp_path / "run") == digest(outputs["dask"][0])


def test_a_worker_killed_on_the_way_costs_nothing_but_time(outputs, clicks, tmp_path, monkeypatch):
    """Two worker processes, of which the one that has most is killed when half the levels are grown."""
    split, killed = Growth.split, []

    def kill_one(self: Growth, counts: Any) -> None:
        split(self, counts)
        if self.depth == 3 and not killed:
            from distributed import get_client

            killed.append(next(iter(get_client().run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(Growth, "split", kill_one)
    monkeypatch.setattr(train, "_SMALLEST_PART", 1 << 20)
    monkeypatch.setattr(
        sys,
        "argv",
        ["train", f"--data={clicks}", f"--output={tmp_path / 'run'}", "--day=day_0"]
        + ["--engine=dask", "--scheduler=local:2", *SAME],
    )
    assert program.exit_code(train.main) == 0
    assert killed
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert abs(report["metrics"]["accuracy"] - outputs["dask"][1]["metrics"]["accuracy"]) < AGREE


def test_a_table_larger_than_the_workers_memory_is_trained_on(clicks, outputs, trained, tmp_path, monkeypatch):
    """Codes and states beyond the limit go to disk: the workers' limit is far below what a worker needs to begin with,
    so that all they hold is over it."""
    import dask

    limits = {f"distributed.worker.memory.{name}": value for name, value in (("pause", False), ("terminate", False))}
    monkeypatch.setattr(train, "_SMALLEST_PART", 1 << 20)
    with dask.config.set({**limits, "distributed.worker.memory.target": 0.01, "distributed.worker.memory.spill": 0.02}):
        code, result = trained(clicks, tmp_path / "run", *SAME, "--memory-limit=20MB", f"--scratch={tmp_path}")
    assert code == 0
    assert abs(result["metrics"]["accuracy"] - outputs["dask"][1]["metrics"]["accuracy"]) < AGREE


def test_parquet_trains_the_same_forest_as_the_text_it_was_made_from(clicks, outputs, run, trained, tmp_path):
    parquet = tmp_path / "parquet"
    flags = (f"--data={clicks}", f"--output={parquet}", "--day=day_0", "--processes=1")
    code, first = run(convert.main, *flags)
    assert code == 0 and (first["converted"], first["rows"]) == (1, 24_000)
    before = {path: path.stat().st_mtime_ns for path in parquet.rglob("*.parquet")}
    assert run(convert.main, *flags)[1] | {"converted": 1} == first
    (parquet / "statistics" / "day_0.json").unlink()
    assert run(convert.main, *flags)[1] == first, "parts that are there are taken over"
    assert before == {path: path.stat().st_mtime_ns for path in parquet.rglob("*.parquet")}
    for engine in ("pandas", "dask"):
        code, _result = trained(parquet, tmp_path / engine, f"--engine={engine}", *SAME)
        assert code == 0 and digest(tmp_path / engine) == digest(outputs[engine][0])
    statistics = json.loads((parquet / "statistics" / "day_0.json").read_text())["columns"]
    assert statistics["I2"]["nulls"] == 0 and statistics["I2"]["min"] == -2
    assert abs(statistics["I12"]["nulls"] / 24_000 - 0.76) < 0.02 and statistics["C22"]["nulls"] > 17_000


def test_a_changed_source_is_converted_anew(clicks, run, tmp_path):
    (tmp_path / "days").mkdir()
    for size in (4000, 2000):
        text = b"".join((clicks / "day_0").read_bytes().splitlines(keepends=True)[:size])
        (tmp_path / "days" / "day_0").write_bytes(text)
        code, result = run(convert.main, f"--data={tmp_path / 'days'}", f"--output={tmp_path / 'out'}", "--processes=1")
        assert code == 0 and (result["converted"], result["rows"]) == (1, size)


def test_scores_are_the_models_and_are_written_once(clicks, outputs, run, tmp_path):
    import pyarrow.parquet

    output, report = outputs["dask"]
    flags = (f"--data={clicks}", f"--model={output}", f"--output={tmp_path / 'scores'}")
    code, result = run(score.main, *flags)
    assert code == 0 and (result["days"], result["rows"]) == (2, 30_000)
    table = pyarrow.parquet.read_table(tmp_path / "scores" / "day_0.parquet")
    last = slice(24_000 - TEST_ROWS, None)
    accuracy = ((table["score"].to_numpy() > 0.5) == table["label"].to_numpy())[last].mean()
    assert accuracy == pytest.approx(report["metrics"]["accuracy"])
    written = (tmp_path / "scores" / "day_1.parquet").stat().st_mtime_ns
    assert run(score.main, *flags)[1] == result
    assert (tmp_path / "scores" / "day_1.parquet").stat().st_mtime_ns == written
    other = (f"--data={clicks}", f"--model={outputs['pandas'][0]}", f"--output={tmp_path / 'scores'}")
    assert run(score.main, *other)[1]["metrics"] != result["metrics"], "another model's scores replace them"


def test_the_comparison_has_every_engine_and_names_the_best(outputs, run, tmp_path):
    code, result = run(compare.main, f"--output={tmp_path / 'page'}", *(output for output, _ in outputs.values()))
    assert code == 0 and [row["engine"] for row in result["engines"]] == ["pandas", "dask"]
    assert result["engines"][0]["ratio"] == 1 and result["accuracy_spread"] < AGREE
    best = max(outputs, key=lambda engine: outputs[engine][1]["metrics"]["auc"])
    assert result["best"] == {"engine": best, "output": str(outputs[best][0])}, "and its MLflow run, where there is one"
    page = (tmp_path / "page" / "comparison.html").read_text()
    assert page.count("data:image/png") == 2 and f"{ROWS:,} rows of day_0" in page
    assert "| dask | 18,000 |" in (tmp_path / "page" / "comparison.md").read_text()


def test_the_comparison_of_generated_days_says_what_no_model_can_beat(outputs, run, tmp_path):
    known = {"truth": {"numeric_columns": {"auc": 0.7464, "accuracy": 0.77125, "log_loss": 0.4885}}}
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "day_0.json").write_text(json.dumps(known))
    flags = (f"--truth={tmp_path / 'truth'}", f"--output={tmp_path / 'page'}")
    code, result = run(compare.main, *flags, *(output for output, _ in outputs.values()))
    assert code == 0 and result["best_possible"] == known["truth"]["numeric_columns"]
    said = "no model of these columns can do better than accuracy 0.7712, AUC 0.7464, log loss 0.4885."
    assert said in (tmp_path / "page" / "comparison.html").read_text()
    assert said in (tmp_path / "page" / "comparison.md").read_text()
    (tmp_path / "truth" / "day_0.json").unlink()
    assert run(compare.main, *flags, *(output for output, _ in outputs.values()))[1]["best_possible"] is None


def test_trainings_of_other_rows_are_not_compared(clicks, outputs, trained, run, tmp_path, capfd):
    assert trained(clicks, tmp_path / "less", "--rows=9000", "--depth=6", "--test-rows=6000")[0] == 0
    code, _ = run(compare.main, f"--output={tmp_path / 'page'}", outputs["pandas"][0], f"less={tmp_path / 'less'}")
    assert code == 2 and "less was trained on other rows" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--scheduler=somewhere"], "not in-process, local:N"),
        (["--depth=17"], "--depth is 17"),
        (["--bins=1"], "--bins is 1"),
        (["--day=day_9"], "There is no day_9"),
        (["--memory-limit=much", "--scheduler=in-process"], "not a size"),
        (["--scheduler=tls://127.0.0.1:9"], "no certificates are configured: set DASK_DISTRIBUTED__COMM__TLS__CA_FILE"),
        (["--engine=rapids"], "engine rapids needs the package cudf"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(clicks, trained, tmp_path, capfd, flags, said):
    assert trained(clicks, tmp_path / "run", *flags)[0] == 2
    assert said in capfd.readouterr().err.strip().splitlines()[-1]


def test_auto_takes_the_gpu_only_where_everything_for_it_is_there(monkeypatch):
    assert engines.choose("auto") == "dask"
    monkeypatch.setattr(engines, "_rapids_lacks", lambda: "")
    assert engines.choose("auto") == engines.choose("rapids") == "rapids"
    assert engines.choose("pandas") == "pandas"


def test_cuml_is_asked_for_the_same_forest(monkeypatch):
    asked: dict[str, Any] = {}
    module = ModuleType("cuml.dask.ensemble")
    module.RandomForestClassifier = lambda **flags: asked.update(flags)  # type: ignore[attr-defined]
    for name in ("cuml", "cuml.dask"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "cuml.dask.ensemble", module)
    rapids_engine.forest_model("client", SimpleNamespace(settings=Settings()))
    wanted = {"n_estimators": 10, "max_depth": 10, "n_bins": 16, "max_features": "sqrt"}
    assert asked == wanted | {"client": "client", "random_state": 1}


@pytest.mark.parametrize("malformed", [False, True])
def test_a_gpu_worker_reads_just_its_piece(monkeypatch, clicks, malformed):
    """pandas stands in for cuDF, which has the same interface for what is asked of it here."""
    import pandas

    monkeypatch.setitem(sys.modules, "cudf", pandas)
    (part,) = parts_of(find_days(str(clicks), ["day_1"])[0], 1 << 30)
    piece = Piece(0, part, 1000, 1500)
    frame = rapids_engine.read_piece(piece, malformed)
    values, labels = zip(*rows_of(piece), strict=True)
    assert np.array_equal(frame.to_numpy()[:, 1:], np.concatenate(values))
    assert frame["label"].tolist() == np.concatenate(labels).tolist() and frame.to_numpy().dtype == np.float32


def test_nothing_of_a_gpu_is_imported_without_one():
    code = "import sys, tasks.ctr.train, tasks.ctr.engines.rapids_engine; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], cwd=HOUSE, capture_output=True, text=True, check=True)
    assert not {"cudf", "cuml", "dask_cudf", "dask_cuda", "dask", "pandas", "sklearn"} & set(said.stdout.split())


def test_a_cluster_that_does_not_answer_is_worth_another_try(clicks, trained, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("tasks.ctr.engines.cluster._CONNECT_S", 1)
    assert trained(clicks, tmp_path / "run", *SAME, "--scheduler=tcp://127.0.0.1:9")[0] == 1
    assert "No Dask scheduler answers at tcp://127.0.0.1:9" in capfd.readouterr().err


def test_a_cluster_that_is_there_is_used(clicks, outputs, trained, tmp_path):
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, protocol="tcp"
    ) as there:
        code, _ = trained(clicks, tmp_path / "run", *SAME, f"--scheduler={there.scheduler_address}")
        assert code == 0 and len(there.workers) == 1, "it is left as it was"
    assert digest(tmp_path / "run") == digest(outputs["dask"][0])
