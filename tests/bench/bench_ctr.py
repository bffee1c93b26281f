"""The same forest from the same rows by every engine, at three sizes, in turns in one run; and by others' forests.

    python tests/bench/bench_ctr.py
    python tests/bench/bench_ctr.py --sizes 1000000 20000000 --engines dask pandas --data /data/clicks

Each training is a process of its own, from files to model, read from the page cache. Seconds are by the wall; ``cpu_s``
are processor seconds of the program and all its workers, which other programs on the machine disturb less. XGBoost and
LightGBM get the same rows by pandas, and train in their random-forest modes with as many trees, bins and threads.
Target: Dask from file to model at least 3 times as fast as the walkthrough's way, at an accuracy within 0.2 points.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HOUSE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HOUSE))

from tasks.common.metrics import judge  # noqa: E402
from tasks.ctr.columns import NAMES, NUMERIC  # noqa: E402
from tasks.ctr.engines.memory import peak_bytes  # noqa: E402
from tasks.ctr.figures import FIGURES  # noqa: E402

TARGET_RATIO, TARGET_POINTS = 3.0, 0.2
SIZES = (1_000_000, 4_000_000, 20_000_000)
ENGINES = ("pandas", "pandas, 2 threads", "dask", "xgboost", "lightgbm")
TREES, DEPTH, BINS = 10, 10, 16
SHARE = 3 / len(NUMERIC)  # of the columns considered for a split


def main() -> int:
    options = arguments()
    if options.one:
        report = library(options.one, options.data, options.sizes[0], options.test_rows)
        Path(os.environ["RESULT_FILE"]).write_text(json.dumps(report))
        return 0
    rows = []
    with tempfile.TemporaryDirectory(prefix="ontap-mlops-bench-") as name:
        folder = Path(name)
        data = options.data or generated(folder, max(options.sizes) + options.test_rows)
        for size in options.sizes:
            for engine in options.engines:
                rows.append(measured(folder, engine, data, size, options))
                print(line(rows[-1]), flush=True)
    summary = judged(rows)
    print(summary["verdict"])
    machine = {"cpus": os.cpu_count(), "load": [round(value, 1) for value in os.getloadavg()]}
    report = {"unit": "seconds from file to model", "machine": machine, "forest": [TREES, DEPTH, BINS]}
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps({**report, **summary, "rows": rows}, indent=2) + "\n")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="rows to train on")
    parser.add_argument("--test-rows", type=int, default=200_000)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--memory-limit", default="4GB", help="of all Dask workers together")
    parser.add_argument("--data", help="folder with one day; made anew otherwise")
    parser.add_argument("--output", type=Path, default=HOUSE / "bench" / "ctr.json")
    parser.add_argument("--one", choices=("xgboost", "lightgbm"), help=argparse.SUPPRESS)
    return parser.parse_args()


def generated(folder: Path, rows: int) -> str:
    program(folder, ["-m", "tasks.ctr.generate", f"--output={folder / 'clicks'}", f"--rows={rows}", "--seed=3"])
    return str(folder / "clicks")


def measured(folder: Path, engine: str, data: str, size: int, options: argparse.Namespace) -> dict[str, Any]:
    output = folder / f"{engine}-{size}"
    common = [f"--data={data}", f"--test-rows={options.test_rows}"]
    if engine in ("xgboost", "lightgbm"):
        command = [str(Path(__file__)), f"--one={engine}", *common, f"--sizes={size}"]
    else:
        name, _, threads = engine.partition(", ")
        command = ["-m", "tasks.ctr.train", f"--engine={name}", *common, f"--rows={size}", f"--output={output}"]
        command += [
            f"--trees={TREES}",
            f"--depth={DEPTH}",
            f"--bins={BINS}",
            f"--threads={threads.partition(' ')[0] or 1}",
        ]
        command += ["--scheduler=local:2", f"--memory-limit={options.memory_limit}"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    load = os.getloadavg()[0]
    report = program(folder, command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds, metrics = report["seconds"], report["metrics"]
    return {
        "engine": engine,
        "rows": size,
        "start_s": round(seconds["start"], 2),
        "load_s": round(seconds["load"], 2),
        "train_s": round(seconds["train"], 2),
        "seconds": round(seconds["start"] + seconds["load"] + seconds["train"], 2),
        "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "peak_mib": round(report["memory"]["peak"] / 2**20),
        "accuracy": round(metrics["accuracy"], 5),
        "auc": round(metrics["auc"], 5),
        "machine_load": round(load, 1),
    }


def program(folder: Path, command: list[str]) -> dict[str, Any]:
    """Its result; the bench ends with what it said when it fails."""
    result = folder / "result.json"
    done = subprocess.run(
        [sys.executable, *command],
        cwd=HOUSE,
        env={**os.environ, "RESULT_FILE": str(result), "PYTHONPATH": str(HOUSE), "MLFLOW_TRACKING_URI": ""},
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(result.read_text())


def library(name: str, data: str, rows: int, test_rows: int) -> dict[str, Any]:
    """The forest of another library: the rows read as the walkthrough reads them, and all cores."""
    begun = time.perf_counter()
    import pandas

    train = train_xgboost if name == "xgboost" else train_lightgbm
    started = time.perf_counter()
    wanted = {"sep": "\t", "header": None, "names": NAMES[:14], "usecols": range(14), "dtype": np.float32}
    file = Path(data) / "day_0"
    frame = pandas.read_csv(file, nrows=rows, **wanted).fillna(0)
    values, labels = frame[list(NUMERIC)].to_numpy(), frame["label"].to_numpy()
    del frame
    loaded = time.perf_counter()
    predict = train(values, labels)
    trained, memory = time.perf_counter(), peak_bytes()
    last = pandas.read_csv(file, skiprows=lines_of(file) - test_rows, **wanted).fillna(0)
    figures = judge(predict(last[list(NUMERIC)].to_numpy()), last["label"].to_numpy() == 1).figures(FIGURES)
    seconds = {"start": started - begun, "load": loaded - started, "train": trained - loaded}
    return {"seconds": seconds, "memory": {"peak": memory}, "metrics": figures}


def train_xgboost(values: Any, labels: Any) -> Any:
    import xgboost

    settings = {
        "objective": "binary:logistic",
        "num_parallel_tree": TREES,
        "max_depth": DEPTH,
        "max_bin": BINS,
        "tree_method": "hist",
        "learning_rate": 1,
        "subsample": 0.632,  # what a bootstrap sample holds of the rows; it knows no drawing with replacement
        "colsample_bynode": SHARE,
        "reg_lambda": 0,
        "nthread": os.cpu_count(),
        "seed": 1,
    }
    model = xgboost.train(settings, xgboost.QuantileDMatrix(values, labels, max_bin=BINS), num_boost_round=1)
    return lambda rows: model.predict(xgboost.DMatrix(rows))


def train_lightgbm(values: Any, labels: Any) -> Any:
    import lightgbm

    settings = {
        "objective": "binary",
        "boosting": "rf",
        "max_depth": DEPTH,
        "num_leaves": 2**DEPTH,
        "max_bin": BINS,
        "bagging_freq": 1,
        "bagging_fraction": 0.632,
        "feature_fraction_bynode": SHARE,
        "min_data_in_leaf": 1,
        "num_threads": os.cpu_count(),
        "seed": 1,
        "verbose": -1,
    }
    model = lightgbm.train(settings, lightgbm.Dataset(values, labels), num_boost_round=TREES)
    return model.predict


def lines_of(file: Path) -> int:
    with file.open("rb") as content:
        return sum(block.count(b"\n") for block in iter(lambda: content.read(1 << 24), b""))


def judged(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Ratios to the walkthrough's way at each size, and whether the target is met at the largest."""
    by = {(row["engine"], row["rows"]): row for row in rows}
    for row in rows:
        if base := by.get(("pandas", row["rows"])):
            row["ratio"] = round(base["seconds"] / row["seconds"], 2)
            row["cpu_ratio"] = round(base["cpu_s"] / row["cpu_s"], 2)
            row["points"] = round(100 * (row["accuracy"] - base["accuracy"]), 3)
    compared = [row for row in rows if row["engine"] == "dask" and "ratio" in row]
    if not compared:
        return {"verdict": "Dask and the walkthrough's way were not both measured."}
    last = max(compared, key=lambda row: row["rows"])
    met = last["ratio"] >= TARGET_RATIO and abs(last["points"]) <= TARGET_POINTS
    said = f"{last['ratio']:.2f} x at {last['rows']:,} rows, accuracy {last['points']:+.2f} points"
    wanted = f"target at least {TARGET_RATIO:g} x within {TARGET_POINTS:g} points"
    growth = cost_growth([row for row in rows if row["engine"] == "dask"])
    return {"verdict": f"{said}; {wanted}: {'met' if met else 'missed'}", "met": met, "dask_cost_exponent": growth}


def cost_growth(rows: list[dict[str, Any]]) -> float | None:
    """k where processor seconds grow as rows to the power k, from the smallest to the largest size."""
    if len(rows) < 2:
        return None
    first, last = min(rows, key=lambda row: row["rows"]), max(rows, key=lambda row: row["rows"])
    return round(float(np.log(last["cpu_s"] / first["cpu_s"]) / np.log(last["rows"] / first["rows"])), 3)


def line(row: dict[str, Any]) -> str:
    return (
        f"{row['rows']:>11,} {row['engine']:<18} {row['seconds']:>8.1f} s (start {row['start_s']:.1f}, load "
        f"{row['load_s']:.1f}, train {row['train_s']:.1f}) {row['cpu_s']:>8.1f} CPU s {row['peak_mib']:>6} MiB  "
        f"accuracy {row['accuracy']:.4f}  AUC {row['auc']:.4f}"
    )


if __name__ == "__main__":
    sys.exit(main())
