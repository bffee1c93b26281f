"""Compare new data with the dataset version that the champion was trained on: has it drifted, and in which way?

    python -m tasks.drift.compare --system ctr --baseline /data/v1/data --data /data/v2/data --model /models/r1 \
        --output /tmp/drift

New is what neither the baseline nor the version ``--since`` has; by default that is the baseline itself. Inputs and the
champion's confidence are compared by their distributions; and where new rows have labels, the champion's figure on them
with that on rows which its training held out. Written are ``drift.html``, a page of its own, ``drift.png`` and
``drift.json``. What cannot be told is said, and is no alarm.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.judging import Model
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.result import write_whole
from tasks.common.run_file import RunFile
from tasks.common.tracking import Run
from tasks.drift import systems
from tasks.drift.drawing import draw
from tasks.drift.report import page
from tasks.drift.sample import NothingNew, Pair, Source
from tasks.drift.verdict import KINDS, NONE, Limits, Verdict, judge

PAGE, PICTURE, FACTS = "drift.html", "drift.png", "drift.json"


def main() -> dict[str, Any]:
    options = _options()
    reader = systems.find(options.system)
    limits = _limits(options)
    source = Source(
        baseline=options.baseline,
        since=options.since or options.baseline,
        data=options.data,
        model=Model.parse(f"champion={options.model}"),
        limit=options.limit or reader.LIMIT,
        seed=options.seed,
        threads=options.threads,
    )
    with mlflow_run(options, "drift") as run:
        run.parameters({name: getattr(options, name) for name in ("system", "seed", *_LIMITS)})
        try:
            pair = reader.read(source)
        except NothingNew as error:
            say(str(error))
            return {**Verdict(NONE, False, str(error)).facts(), "new_rows": 0, **run.identity}
        verdict = judge(pair, limits)
        say(f"{'Alarm' if verdict.alarm else 'No alarm'}: {verdict.reason}")
        told = {**verdict.facts(), "old_rows": pair.before.rows, "new_rows": pair.after.rows}
        with tempfile.TemporaryDirectory() as folder:
            _keep(run, Path(options.output or folder), pair, verdict, limits, _compared(options, pair), told)
        return {**told, "page": PAGE, **run.identity}


_LIMITS = ("alpha", "effect", "separation", "worse_by", "rows")


def _limits(options: argparse.Namespace) -> Limits:
    """Raises BadInput for a limit that cannot be meant."""
    ends = {"alpha": (0, 0.5), "effect": (0, 1), "separation": (0.5, 1), "worse_by": (0, 10), "rows": (19, 1e9)}
    for name, (low, high) in ends.items():
        if not low < getattr(options, name) < high:
            flag = name.replace("_", "-")
            raise BadInput(f"--{flag} is {getattr(options, name):g}; it must be above {low:g} and below {high:g}.")
    kinds = [kind for kind in options.alarm_on.split(",") if kind]
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise BadInput(f"--alarm-on names {unknown[0]!r}; there are {' and '.join(KINDS)}.")
    return Limits(alarm_on=kinds, **{name: getattr(options, name) for name in _LIMITS})


def _compared(options: argparse.Namespace, pair: Pair) -> dict[str, str]:
    """Say in words what was compared, by the run's record where there is one."""
    run: RunFile | None = options.run
    baseline = (run.rest.get("baseline") or {}) if run else {}
    since = (run.rest.get("since") or {}) if run else {}
    champion = run.champion if run else None
    named = f"version {champion.version} of {run.model}, run {champion.run_key}" if run and champion else ""
    return {
        "System": options.system,
        "Model": named or options.model,
        "Trained on": f"{baseline['id']} of {baseline['created_at']}" if baseline else options.baseline,
        "New since": f"{since['id']} of {since['created_at']}" if since else options.since or options.baseline,
        "New version": f"{run.version_id} of {run.dataset_version['created_at']}" if run else options.data,
        "Rows": f"{pair.before.rows:,} then, {pair.after.rows:,} new",
    }


def _keep(
    run: Run,
    output: Path,
    pair: Pair,
    verdict: Verdict,
    limits: Limits,
    compared: dict[str, str],
    told: dict[str, Any],
) -> None:
    output.mkdir(parents=True, exist_ok=True)
    draw(output / PICTURE, pair, verdict)
    whole = page(compared, pair, verdict, limits, (output / PICTURE).read_bytes())
    write_whole(output / PAGE, whole.encode())
    write_whole(output / FACTS, json.dumps({"compared": compared, **told}, indent=1).encode())
    for name in (PAGE, PICTURE, FACTS):
        run.artifact(output / name)
    run.metrics({f"distance.{column.name}": column.distance for column in verdict.columns} | _figures(verdict))


def _figures(verdict: Verdict) -> dict[str, float]:
    found = {"alarm": float(verdict.alarm)}
    if verdict.confidence:
        found["distance.confidence"] = verdict.confidence.distance
    if verdict.separation:
        found["separation"] = verdict.separation.value
    if verdict.concept:
        found |= {"figure": verdict.concept.after, "unexplained": verdict.concept.unexplained.value}
    return found


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.add_argument("--system", required=True, help=f"whose data it is: {', '.join(systems.names())}")
    flags.add_argument("--baseline", required=True, help="folder or s3:// URL of the version that was trained on")
    flags.add_argument("--since", default="", help="version after which rows count as new; by default the baseline")
    flags.data("folder or s3:// URL of the new version")
    flags.add_argument(
        "--model",
        required=True,
        help="the champion's folder",
        from_run=lambda run: run.champion.folder if run.champion else None,
    )
    flags.add_argument("--output", help="folder for the report, which goes to MLflow in any case")
    flags.add_argument("--limit", type=int, default=0, help="rows of each side at most; 0: as many as the system needs")
    flags.add_argument("--alpha", type=float, default=Limits.alpha, help="chance of a false alarm of each kind of test")
    flags.add_argument("--effect", type=float, default=Limits.effect, help="least distance of a column's distributions")
    flags.add_argument("--separation", type=float, default=Limits.separation, help="least AUC of telling new from old")
    flags.add_argument("--worse-by", type=float, default=Limits.worse_by, help="than expected of the champion's figure")
    flags.add_argument("--rows", type=int, default=Limits.rows, help="fewer are not judged")
    flags.add_argument("--alarm-on", default=",".join(KINDS), help="kinds of drift, by commas")
    flags.add_argument("--seed", type=int, default=1)
    flags.add_argument("--threads", type=int, default=2)
    flags.tracking(lambda run: "")
    return flags.parse()


if __name__ == "__main__":
    program.run(main)
