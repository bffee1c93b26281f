"""Train a random forest to tell who will click, on the engine of your choice.

    python -m tasks.ctr.train --data /data/clicks --output /tmp/dask                                # on Dask, or a GPU
    python -m tasks.ctr.train --data /data/clicks --output /tmp/pandas --engine pandas --rows 5000000
    python -m tasks.ctr.train --data s3://bucket/clicks --output /tmp/run --scheduler tcp://10.0.0.7:8786

All engines train on the same rows: the first ``--rows`` of the days named. They are judged on the last ``--test-rows``
of the last day. The output folder gets ``checkpoint``, the model as ``model.onnx`` with ``model.json`` that describes
it, ``calibration.png`` and, written last, ``report.json``, which is the result. Stopped or killed, it goes on from the
last finished level (Dask) or tree (pandas) when run again with the same output, to the same forest.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.description import identity_of, parameters_of
from tasks.common.lineage import TRAINING
from tasks.common.metrics import Judgement, judge
from tasks.common.model_folder import LOADED, ONNX, Tensor, write_model
from tasks.common.program import BadInput, stop_deferred
from tasks.common.progress import say
from tasks.common.result import write_whole
from tasks.common.tracking import Run
from tasks.ctr import engines, selection
from tasks.ctr.blocks import MALFORMED_SHARE
from tasks.ctr.columns import LABEL, NUMERIC
from tasks.ctr.days import find_days, listing, parts_of
from tasks.ctr.engines import AUTO, DASK, PANDAS, RAPIDS, Job, Outcome
from tasks.ctr.engines.cluster import check as check_scheduler
from tasks.ctr.figures import CLASSES, FIGURES
from tasks.ctr.forest import INPUT, OUTPUT, to_onnx
from tasks.ctr.growing import LARGEST_DEPTH, Settings
from tasks.ctr.held_out import trained_days
from tasks.ctr.pictures import draw_reports
from tasks.ctr.places import add_days, lineage
from tasks.ctr.reading import TEXT, Day

REPORT, CHECKPOINT, CALIBRATION = "report.json", "checkpoint", "calibration.png"
_PARTS = 24  # into which the rows are cut, as far as parts stay between these sizes
_SMALLEST_PART, _LARGEST_PART = 8 << 20, 128 << 20
_ROW_BYTES = 240


def main() -> dict[str, Any]:
    arguments = _options()
    engine = engines.choose(arguments.engine)
    settings = _settings(arguments)
    check_scheduler(arguments.scheduler)
    days = find_days(arguments.data, arguments.days)
    output = _output(arguments, engine)
    facts = _facts(engine, settings, arguments, days)
    begun = time.perf_counter()
    name = arguments.run.mlflow_name(engine) if arguments.run else None
    with mlflow_run(arguments, name or output.name) as run:
        run.parameters(parameters_of(facts, ("engine", "forest", "data")))
        run.reads(lineage(arguments.run, days), TRAINING)
        job = _job(arguments, settings, days, output, identity_of(facts))
        outcome = engines.train(engine, job)
        seconds = {**job.timer.seconds, "whole": time.perf_counter() - begun}
        judgement = judge(outcome.scores, outcome.labels.astype(bool))
        seen = [day.to_json() for day in trained_days(days, outcome.selection.train)]
        with stop_deferred():
            return _finish(run, output, {**facts, "tags": arguments.tags}, seen, outcome, judgement, seconds)


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    add_days(flags, "train on")
    flags.add_argument("--output", help="folder for checkpoint and model; by default the engine's in the run folder")
    flags.add_argument("--engine", choices=(PANDAS, DASK, RAPIDS, AUTO), default=AUTO)
    flags.add_argument("--rows", type=int, default=0, help="to train on, from the first; 0: all but the test rows")
    flags.add_argument(
        "--test-rows",
        type=int,
        default=0,
        help=f"last rows of the last day; 0: {selection.TEST_ROWS}, or a fifth of the rows if that is less",
    )
    flags.add_argument("--trees", type=int, default=Settings.trees)
    flags.add_argument("--depth", type=int, default=Settings.depth)
    flags.add_argument("--bins", type=int, default=Settings.bins, help="per column; scikit-learn knows none")
    flags.add_argument("--seed", type=int, default=Settings.seed)
    flags.add_argument("--malformed-share", type=float, default=MALFORMED_SHARE, help="allowed; above it: exit 2")
    workers, memory = os.environ.get("DASK_LOCAL_WORKERS", "2"), os.environ.get("DASK_LOCAL_MEMORY", "")
    flags.add_argument(
        "--scheduler",
        default=os.environ.get("DASK_SCHEDULER_ADDRESS") or os.environ.get("DASK_CLUSTER") or f"local:{workers}",
        help="of Dask: in-process, local:N workers, slurm:N workers as jobs, kubernetes:N as pods, or "
        "tcp://HOST:PORT; by default as DASK_SCHEDULER_ADDRESS, DASK_CLUSTER or DASK_LOCAL_WORKERS say",
    )
    flags.add_argument(
        "--memory-limit", default=memory, help="of all local workers together, such as 4GB; or DASK_LOCAL_MEMORY"
    )
    flags.add_argument("--dashboard", default="127.0.0.1:0", help="address of a local Dask cluster's pages")
    flags.add_argument("--scratch", help="folder for what does not fit in memory")
    flags.add_argument("--threads", type=int, default=1, help="of scikit-learn; the walkthrough has 1")
    flags.tracking(lambda run: None)
    return flags.parse()


def _output(options: argparse.Namespace, engine: str) -> Path:
    if options.output:
        return Path(options.output)
    if not (options.run and options.run.run_folder):
        raise BadInput("--output is not given, and there is no RUN_FILE with a workspace for it; see --help.")
    return Path(options.run.run_folder, engine)


def _settings(arguments: argparse.Namespace) -> Settings:
    limits = {"trees": 1000, "depth": LARGEST_DEPTH, "bins": 256, "threads": 1024}
    for name, most in limits.items():
        if not (2 if name == "bins" else 1) <= getattr(arguments, name) <= most:
            raise BadInput(f"--{name} is {getattr(arguments, name)}; it must be at most {most}, and above 0.")
    for name in ("rows", "test_rows"):
        if getattr(arguments, name) < 0:
            raise BadInput(f"--{name.replace('_', '-')} is {getattr(arguments, name)}; it must not be below 0.")
    return Settings(arguments.trees, arguments.depth, arguments.bins, arguments.seed)


def _facts(engine: str, settings: Settings, arguments: argparse.Namespace, days: list[Day]) -> dict[str, Any]:
    """Return what decides the forest: two runs with equal facts grow the same one."""
    return {
        "engine": engine,
        "forest": asdict(settings),
        "columns": list(NUMERIC),
        "label": LABEL,
        "missing": 0,
        "data": {
            "days": len(days),
            "first_day": days[0].name,
            "last_day": days[-1].name,
            "kind": days[0].kind,
            "bytes": sum(day.size for day in days),
            "listing": listing(days),
            "rows": arguments.rows,
            "test_rows": arguments.test_rows,
        },
    }


def _job(arguments: argparse.Namespace, settings: Settings, days: list[Day], output: Path, identity: str) -> Job:
    size = sum(day.size for day in days)
    if arguments.rows and days[0].kind == TEXT:
        size = min(size, arguments.rows * _ROW_BYTES)
    part_bytes = min(max(size // _PARTS, _SMALLEST_PART), _LARGEST_PART)
    return Job(
        url=arguments.data,
        parts=[part for day in days for part in parts_of(day, part_bytes)],
        rows=arguments.rows,
        test_rows=arguments.test_rows,
        malformed_share=arguments.malformed_share,
        settings=settings,
        checkpoint=output / CHECKPOINT,
        identity=identity,
        scheduler=arguments.scheduler,
        memory_limit=arguments.memory_limit,
        threads=arguments.threads,
        dashboard=arguments.dashboard,
        scratch=arguments.scratch,
    )


def _finish(
    run: Run,
    output: Path,
    facts: dict[str, Any],
    seen: list[dict[str, Any]],
    outcome: Outcome,
    judgement: Judgement,
    seconds: dict[str, float],
) -> dict[str, Any]:
    report = _report(facts, outcome, judgement, seconds)
    data = {**facts["data"], "held_out": outcome.selection.test_rows, "trained_on": seen}
    report["files"] = _save_model(run, output, {**facts, "data": data}, outcome, judgement)
    report |= {"output": str(output), **run.identity}
    _draw(output / CALIBRATION, report)
    write_whole(output / REPORT, json.dumps(report, indent=2, sort_keys=True).encode())
    run.metrics(_metrics(report))
    for name in LOADED:
        run.artifact(output / name, "model")
    for name in (CALIBRATION, REPORT):
        run.artifact(output / name)
    _say(report)
    return report


def _report(facts: dict[str, Any], outcome: Outcome, judgement: Judgement, seconds: dict[str, float]) -> dict[str, Any]:
    """Return what the comparison is made of; the same shape for every engine."""
    malformed = outcome.selection.malformed + outcome.selection.left_out
    train_rows = outcome.selection.train_rows
    to_model = sum(seconds[step] for step in ("start", "load", "train"))
    return {
        "engine": facts["engine"],
        "rows": train_rows,
        "test_rows": outcome.selection.test_rows,
        "malformed": malformed.count,
        "malformed_examples": [example[:80] for example in malformed.examples[:2]],
        "seconds": {name: round(value, 3) for name, value in seconds.items()} | {"to_model": round(to_model, 3)},
        "rows_per_s": round(train_rows / to_model, 1),
        "memory": outcome.memory | {"peak": sum(outcome.memory.values())},
        "metrics": judgement.figures(FIGURES),
        "calibration": [[band.rows, round(band.predicted, 5), round(band.actual, 5)] for band in judgement.bands],
        "forest": facts["forest"] | {"nodes": outcome.forest.nodes},
        "data": facts["data"],
        "machine": {"cpus": _cpus(), "processor": platform.machine()},
        **outcome.facts,
    }


def _cpus() -> int:
    return len(os.sched_getaffinity(0))


def _save_model(
    run: Run, output: Path, facts: dict[str, Any], outcome: Outcome, judgement: Judgement
) -> dict[str, str]:
    content = to_onnx(outcome.forest, {"engine": facts["engine"], "columns": " ".join(NUMERIC)})
    described = {
        **facts,
        "classes": list(CLASSES),
        "metrics": judgement.figures(FIGURES),
        "mlflow": run.identity,
    }
    inputs = Tensor(INPUT, "float32", (-1, len(NUMERIC)))
    return write_model(output, described, {ONNX: content}, inputs, Tensor(OUTPUT, "float32", (-1, len(CLASSES))))


def _metrics(report: dict[str, Any]) -> dict[str, float]:
    timed = {f"seconds.{name}": value for name, value in report["seconds"].items()}
    memory = {f"memory.{name}": value for name, value in report["memory"].items()}
    counts = {name: report[name] for name in ("rows", "test_rows", "rows_per_s", "malformed")}
    return {**report["metrics"], **timed, **memory, **counts}


def _draw(path: Path, report: dict[str, Any]) -> None:
    draw_reports(path, {report["engine"]: report})


def _say(report: dict[str, Any]) -> None:
    figures = ", ".join(f"{name} {report['metrics'][name]:.4f}" for name in ("accuracy", "auc", "log_loss"))
    seconds, peak = report["seconds"], report["memory"]["peak"] / 2**30
    say(
        f"{report['engine']}: {report['rows']} rows in {seconds['to_model']:.1f} s (load {seconds['load']:.1f}, train "
        f"{seconds['train']:.1f}), {report['rows_per_s']:.0f} rows/s, {peak:.2f} GiB; {figures}"
    )


if __name__ == "__main__":
    program.run(main)
