"""Show what was measured: paths side by side, each path over time, published systems, and how many GPUs a path feeds.

    python -m tasks.storage.report --results /srv/storage_proof --output /tmp/report

Written are ``report.html`` (a page of its own, pictures within), ``report.md``, ``report.png`` and ``report.json``. Of
each path the newest measurement counts; beside it stands its change against the one before, and against the one that
is nearest to a month older. What another size or number of seconds was measured with is not compared.
"""

from __future__ import annotations

import base64
import datetime
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.common.cli import Flags, mlflow_run
from tasks.common.program import BadInput, run
from tasks.common.progress import say, warn
from tasks.common.result import write_whole
from tasks.storage.measure import headline, line, name_of
from tasks.storage.patterns import MODELS

MONTH_DAYS = 30
PUBLISHED = (
    ("AFF C190", 4.4, 230_000),
    ("AFF A220", 6.2, 375_000),
    ("EF280", 10.0, 300_000),
    ("EF300", 20.0, 670_000),
)
"""Sequential read in GB/s and random reads a second of systems that NetApp's storage proofs name, by their reports."""
_DRAWN = ("seq_read", "large_read", "rand_read", "small_read", "loader")
_SEQUENTIAL = ("seq_read", "large_read")
_SAME = ("size_mib", "seconds")
_STYLE = (
    "body{font:15px sans-serif;margin:2em;max-width:75em}td,th{padding:.3em .8em;text-align:left;vertical-align:top}"
    "tr:nth-child(even){background:#8881}img{max-width:100%}@media(prefers-color-scheme:dark){body{background:#111;color:#eee}}"
)


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.add_argument(
        "--results", type=Path, required=True, help="folder in which tasks.storage.measure keeps figures"
    )
    flags.add_argument("--output", type=Path, required=True)
    flags.add_argument("--paths", default="", help="to show, by commas, as they were measured (default: all)")
    own = "samples a second that one GPU takes in your own training: how many GPUs the loader's rate feeds"
    flags.add_argument("--samples-per-s", type=float, default=0.0, help=own)
    flags.tracking(lambda run: "")
    options = flags.parse()
    wanted = [name_of(path) for path in options.paths.split(",") if path]
    report = Report(read(options.results, wanted), options.samples_per_s)
    options.output.mkdir(parents=True, exist_ok=True)
    picture = options.output / "report.png"
    draw(picture, report.paths)
    write_whole(options.output / "report.md", report.markdown().encode())
    write_whole(options.output / "report.html", report.page(picture.read_bytes()).encode())
    write_whole(options.output / "report.json", json.dumps(report.facts(), indent=1).encode())
    say(report.markdown())
    with mlflow_run(options, "storage_proof") as tracked:
        for path in report.paths:
            tracked.metrics({f"{path.name}.{name}": float(told["mb_per_s"]) for name, told in path.tests.items()})
        for name in ("report.html", "report.md", "report.png", "report.json"):
            tracked.artifact(options.output / name)
    return {**report.short(), "pictures": ["report.png"], **tracked.identity}


@dataclass(frozen=True)
class Measured:
    """The measurements of one path, the oldest first."""

    name: str
    all: Sequence[Mapping[str, Any]]

    @property
    def newest(self) -> Mapping[str, Any]:
        return self.all[-1]

    @property
    def tests(self) -> Mapping[str, Mapping[str, Any]]:
        return self.newest["tests"]

    def before(self) -> Mapping[str, Any] | None:
        alike = self._alike()
        return alike[-1] if alike else None

    def a_month_ago(self) -> Mapping[str, Any] | None:
        """The one nearest to a month older, where there is one of at least half a month."""
        then = moment(self.newest) - datetime.timedelta(days=MONTH_DAYS)
        old = [
            each for each in self._alike() if moment(self.newest) - moment(each) >= datetime.timedelta(MONTH_DAYS / 2)
        ]
        return min(old, key=lambda each: abs(moment(each) - then), default=None)

    def _alike(self) -> list[Mapping[str, Any]]:
        return [each for each in self.all[:-1] if all(each[key] == self.newest[key] for key in _SAME)]

    def reads(self) -> float:
        """MB/s of a sequential read that no cache of this machine helps."""
        return next((self.tests[name]["mb_per_s"] for name in _SEQUENTIAL if name in self.tests), 0.0)


def moment(measured: Mapping[str, Any]) -> datetime.datetime:
    return datetime.datetime.fromisoformat(measured["measured"])


def read(results: Path, wanted: Sequence[str]) -> list[Measured]:
    """All that was kept, by path. Raises BadInput where there is nothing; a path without anything is said, no more."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for file in sorted(results.glob("*/*.json")):
        try:
            told = json.loads(file.read_text())
            moment(told), told["tests"], [told[key] for key in _SAME]
        except (ValueError, KeyError, TypeError):
            warn(f"{file} is no measurement; it is left out.")
            continue
        found.setdefault(file.parent.name, []).append(told)
    there = [name for name in wanted or sorted(found) if name in found]
    for name in wanted:
        if name not in found:
            warn(f"{results} holds no measurement of {name}; it is left out.")
    if not there:
        of = f" of {', '.join(wanted)}" if wanted else ""
        raise BadInput(f"{results} holds no measurement{of}: measure first (python -m tasks.storage.measure).")
    return [Measured(name, sorted(found[name], key=moment)) for name in there]


@dataclass(frozen=True)
class Report:
    paths: Sequence[Measured]
    samples_per_s: float = 0.0

    def figures(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows: a test a row, a path a column."""
        names = list(dict.fromkeys(name for path in self.paths for name in path.tests))
        rows = []
        for name in names:
            told = next(path.tests[name] for path in self.paths if name in path.tests)
            cache = f", {told['cache']}" if told.get("cache") else ""
            cells = [line(path.tests[name]) if name in path.tests else "not measured" for path in self.paths]
            rows.append([f"{told['title']}{cache}", *cells])
        return ["test", *(path.newest["path"] for path in self.paths)], rows

    def changes(self) -> tuple[list[str], list[list[str]]]:
        rows = []
        for path in self.paths:
            for name, told in path.tests.items():
                cells = [_change(name, told, other) for other in (path.before(), path.a_month_ago())]
                if any(cells):
                    rows.append(
                        [path.newest["path"], told["title"] + (f", {told['cache']}" if told["cache"] else ""), *cells]
                    )
        return ["path", "test", "against the time before", "against a month ago"], rows

    def feeds(self) -> tuple[list[str], list[list[str]]]:
        """How many accelerators the measured sequential read is enough for, and for a training of one's own."""
        rows = []
        for model in MODELS.values():
            for kind in model.seconds:
                need = model.needs(kind)
                told = [f"{int(path.reads() // need)} ({path.reads():,.0f} MB/s)" for path in self.paths]
                rows.append([f"{model.name} on {kind.upper()}, batch {model.batch}", f"{need:,.0f}", *told])
        if self.samples_per_s:
            cells = []
            for path in self.paths:
                loader = path.tests.get("loader")
                need = self.samples_per_s * loader["sample_bytes"] / 1e6 if loader else 0.0
                cells.append(f"{int(path.reads() // need)} of {need:,.1f} MB/s" if need else "loader not measured")
            rows.append(
                [f"your training, {self.samples_per_s:g} samples/s, at the loader's bytes a sample", "", *cells]
            )
        return ["training", "MB/s one GPU needs", *(path.newest["path"] for path in self.paths)], rows

    def published(self) -> tuple[list[str], list[list[str]]]:
        rows = [[name, f"{read:g} GB/s", f"{many:,}"] for name, read, many in PUBLISHED]
        for path in self.paths:
            many = path.tests.get("rand_read", {}).get("operations_per_s")
            rows.append(
                [path.newest["path"], f"{path.reads() / 1000:.2f} GB/s", f"{many:,.0f}" if many else "not measured"]
            )
        return ["system", "sequential read", "random reads a second"], rows

    def notes(self) -> list[str]:
        return [
            "Cold reads go past the page cache of the machine that measured; caches of the storage itself may have "
            "helped them. Warm reads find the file in that page cache.",
            "Which GPUs a path feeds follows from its sequential read by one machine; more machines may get more.",
            "The accelerators' patterns are MLPerf Storage's sizes and times, read by our own reader: no MLPerf "
            "result.",
            "Published figures are of whole systems with many clients, ours of one client.",
        ]

    def parts(self) -> list[tuple[str, tuple[list[str], list[list[str]]]]]:
        told = [("Side by side", self.figures()), ("Over time", self.changes())]
        told += [("Does it feed the GPUs", self.feeds()), ("Beside published systems", self.published())]
        return [(title, table) for title, table in told if table[1]]

    def markdown(self) -> str:
        text = ["# Storage proof", ""]
        for title, (head, rows) in self.parts():
            table = [head, ["---"] * len(head), *rows]
            text += [
                f"## {title}",
                "",
                *(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in table),
                "",
            ]
        return "\n".join([*text, *(f"- {note}" for note in self.notes())]) + "\n"

    def page(self, picture: bytes) -> str:
        body = []
        for title, (head, rows) in self.parts():
            cells = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows]
            top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
            body.append(f"<h2>{title}</h2><table><tr>{top}</tr>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>")
            if title == "Side by side":
                shown = base64.b64encode(picture).decode()
                body.append(f"<img alt='Figures of each path over time' src='data:image/png;base64,{shown}'>")
        said = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes())
        return (
            f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Storage proof</title><style>{_STYLE}</style>"
            f"<h1>Storage proof</h1>{''.join(body)}<ul>{said}</ul></html>\n"
        )

    def facts(self) -> dict[str, Any]:
        return {
            "paths": [{"name": path.name, **path.newest} for path in self.paths],
            "feeds": self.feeds()[1],
            "changes": self.changes()[1],
        }

    def short(self) -> dict[str, Any]:
        """What fits into a task's result; a list, since the order of the paths is that of ``feeds``."""
        paths = [
            {
                "path": path.newest["path"],
                "figures": {name: round(headline(told), 3) for name, told in path.tests.items()},
            }
            for path in self.paths
        ]
        return {"paths": paths, "feeds": self.feeds()[1]}


def _change(name: str, told: Mapping[str, Any], other: Mapping[str, Any] | None) -> str:
    before = other["tests"].get(name) if other else None
    if before is None or other is None:
        return ""
    figure = "mb_per_s" if told["mb_per_s"] else "operations_per_s"
    if not before[figure]:
        return ""
    return f"{told[figure] / before[figure] - 1:+.0%} since {moment(other):%d %b %Y}"


def draw(path: Path, measured: Sequence[Measured]) -> None:
    """One plot for each figure that matters most, with a line over time for each path."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawn = [name for name in _DRAWN if any(name in each.tests for each in measured)] or ["none"]
    figure, axes = pyplot.subplots(1, len(drawn), figsize=(3.6 * len(drawn), 3.2), layout="constrained", squeeze=False)
    for axis, name in zip(axes[0], drawn, strict=True):
        for each in measured:
            points = [(moment(m), m["tests"][name]["mb_per_s"]) for m in each.all if name in m["tests"]]
            axis.plot(
                [at for at, _ in points], [rate for _, rate in points], "o-", label=each.newest["path"], markersize=4
            )
        told = next((each.tests[name] for each in measured if name in each.tests), {"title": "", "cache": ""})
        axis.set_title(told["title"], fontsize=8)
        axis.set_ylim(bottom=0)
        axis.tick_params(axis="x", rotation=45, labelsize=7)
    axes[0][0].set_ylabel("MB/s")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", fontsize=8)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    run(main)
