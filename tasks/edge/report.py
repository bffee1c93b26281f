"""Put the cells of the edge matrix together: figures, shared against local with intervals, two servers against one.

    python -m tasks.edge.report --work /mnt/edge_matrix/r2026...

Written to ``report/`` of the work folder: ``matrix.md``, ``matrix.html``, ``matrix.png``, ``matrix.json``. A difference
is the geometric mean over the repeats of shared against local, in per cent, with a 95 % interval by Student's t of the
logarithms; above 0 it costs: more time, or more time for a sample. "No measurable cost" is said where the interval
holds 0 and no cost above the margin; where it is wider, nothing is said but that.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from tasks.common.cli import Flags
from tasks.common.program import BadInput, run
from tasks.common.progress import say
from tasks.common.result import write_whole
from tasks.edge.gate import GATE
from tasks.edge.loadgen import OFFLINE, SCENARIOS
from tasks.edge.measure import CELLS
from tasks.edge.work import NETWORKS, Work

MARGIN = 1.0  # per cent: within what the published runs call no difference
FOLDER = "report"
NAMES = {
    "single_stream": "SingleStream, 90th percentile",
    "offline": "Offline",
    "multi_stream": "MultiStream, 99th percentile of 8",
}
_HEAD = ("precision", "scenario", "servers", "unit", "local", "shared", "shared against local", "verdict")


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.add_argument("--work", type=Path, required=True, help="folder with measured cells")
    flags.add_argument("--margin", type=float, default=MARGIN, help="per cent that is no measurable cost")
    options = flags.parse()
    work = Work.open(options.work)
    matrix = Matrix(work, options.margin)
    folder = work.folder / FOLDER
    folder.mkdir(exist_ok=True)
    write_whole(folder / "matrix.md", matrix.markdown().encode())
    write_whole(folder / "matrix.html", matrix.page().encode())
    write_whole(folder / "matrix.json", json.dumps(matrix.facts(), indent=1).encode())
    draw(folder / "matrix.png", matrix.rows)
    say(matrix.markdown())
    return matrix.short()


class Matrix:
    """``rows`` are the cells with a difference; of a cell without two valid repeats there is a sentence instead."""

    def __init__(self, work: Work, margin: float) -> None:
        self.workload, self.margin = work.facts["workload"], margin
        gate = work.folder / GATE
        self.gate: Mapping[str, Any] = json.loads(gate.read_text()) if gate.exists() else {}
        cells = [json.loads(path.read_text()) for path in sorted((work.folder / CELLS).glob("*.json"))]
        if not cells:
            raise BadInput(f"{work.folder / CELLS} holds no cell: measure first (python -m tasks.edge.measure).")
        place = {name: number for number, name in enumerate([*NETWORKS, *SCENARIOS])}
        cells.sort(key=lambda cell: (place[cell["precision"]], place[cell["scenario"]], cell["servers"]))
        self.rows = [self._row(cell) for cell in cells if len(cell["repeats"]) > 1]
        self.void = [
            f"{cell['cell']} has {len(cell['repeats'])} valid repeats: LoadGen says INVALID: {_first(cell['invalid'])}"
            for cell in cells
            if len(cell["repeats"]) < 2
        ]
        self.invalid = sum(len(cell["invalid"]) for cell in cells)

    def _row(self, cell: Mapping[str, Any]) -> dict[str, Any]:
        sign = -1 if cell["scenario"] == OFFLINE else 1  # of samples a second, fewer are the cost
        pairs = [(each["local"]["value"], each["shared"]["value"]) for each in cell["repeats"]]
        low, middle, high = interval([sign * math.log(shared / local) for local, shared in pairs])
        return {
            **{name: cell[name] for name in ("cell", "precision", "scenario", "servers", "unit")},
            "local": mean(local for local, _ in pairs),
            "shared": mean(shared for _, shared in pairs),
            "low": low,
            "cost": middle,
            "high": high,
            "repeats": len(pairs),
            "invalid": len(cell["invalid"]),
            "verdict": verdict(low, high, self.margin),
            "load_s": {s: mean(each[s]["load_s"] for each in cell["repeats"]) for s in ("local", "shared")},
            "streams": cell["streams"],
            "bound_ms": cell["bound_ms"],
        }

    def scaling(self) -> list[str]:
        """Two servers against one, on the shared volume, a line for each pair."""
        by_name = {row["cell"]: row for row in self.rows}
        lines = []
        for row in self.rows:
            one = by_name.get(f"{row['precision']}:{row['scenario']}:1")
            if row["servers"] == 2 and one:
                what = "samples a second" if row["scenario"] == OFFLINE else "latency"
                times = f"{row['shared'] / one['shared']:.2f} times the {what} of one"
                lines.append(f"{row['precision']} {NAMES[row['scenario']]}: two servers have {times}.")
        return lines

    def streams(self) -> list[str]:
        return [
            f"{row['precision']} streams within {row['bound_ms']:g} ms (the older multi-stream's figure, searched with "
            f"today's), {row['servers']} server{'s' if row['servers'] > 1 else ''}: local {row['streams']['local']}, "
            f"shared {row['streams']['shared']}."
            for row in self.rows
            if row["streams"]
        ]

    def quality(self) -> list[str]:
        if not self.gate:
            return []
        named = [
            f"{name} {self.gate['quality'][name]:.4f} ({self.gate['share'][name]:.2%} of FP32's, "
            f"{'counts' if name in self.gate['passed'] else 'does not count'})"
            for name in self.gate["quality"]
        ]
        return [f"Quality by LoadGen's accuracy mode, {self.gate['metric']}: {'; '.join(named)}."]

    def lines(self) -> list[str]:
        wrong = [f"{self.invalid} runs were INVALID and are in no figure."] if self.invalid else []
        return [*self.quality(), *self.scaling(), *self.streams(), *wrong, *self.void]

    def texts(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        difference = f"{row['cost']:+.1f} % ({row['low']:+.1f} to {row['high']:+.1f})"
        figures = (f"{row['local']:,.3f}", f"{row['shared']:,.3f}")
        named = (row["precision"], NAMES[row["scenario"]], str(row["servers"]), row["unit"])
        return (*named, *figures, difference, row["verdict"])

    def markdown(self) -> str:
        table = [_HEAD, tuple("---" for _ in _HEAD), *(self.texts(row) for row in self.rows)]
        rows = "\n".join(f"| {' | '.join(cells)} |" for cells in table)
        return "\n".join([f"Edge matrix, {self.workload}", "", rows, "", *self.lines()]) + "\n"

    def page(self) -> str:
        cells = [[html.escape(text) for text in self.texts(row)] for row in self.rows]
        head = "".join(f"<th>{name}</th>" for name in _HEAD)
        rows = "\n".join(f"<tr>{''.join(f'<td>{text}</td>' for text in row)}</tr>" for row in cells)
        said = "\n".join(f"<p>{html.escape(line)}</p>" for line in self.lines())
        return (
            f"<!doctype html><meta charset='utf-8'><title>Edge matrix, {html.escape(self.workload)}</title>\n"
            "<style>body{font:15px sans-serif;margin:2em}td,th{padding:.3em .8em;text-align:left}</style>\n"
            f"<h1>Edge matrix, {html.escape(self.workload)}</h1>\n<table><tr>{head}</tr>\n{rows}</table>\n{said}\n"
            "<img src='matrix.png' alt='Cost of the shared volume in per cent, with intervals'>\n"
        )

    def facts(self) -> dict[str, Any]:
        return {"workload": self.workload, "gate": dict(self.gate), "rows": self.rows, "said": self.lines()}

    def short(self) -> dict[str, Any]:
        rows = [[r["cell"], *(round(r[k], 3) for k in ("local", "shared", "cost", "low", "high"))] for r in self.rows]
        return {"workload": self.workload, "rows": rows, "void": [text[:200] for text in self.void[:3]]}


def interval(logarithms: Sequence[float]) -> tuple[float, float, float]:
    """Low end, mean and high end at 95 %, by Student's t, of logarithms of ratios; in per cent above 1."""
    from scipy import stats

    middle = mean(logarithms)
    half = float(stats.t.ppf(0.975, len(logarithms) - 1)) * stdev(logarithms) / math.sqrt(len(logarithms))
    low, middle, high = (100 * math.expm1(min(value, 100)) for value in (middle - half, middle, middle + half))
    return low, middle, high


def verdict(low: float, high: float, margin: float) -> str:
    """What an interval of cost in per cent allows to say."""
    if low > 0:
        return f"costs {low:.1f} to {high:.1f} %"
    if high < 0:
        return f"faster by {-high:.1f} to {-low:.1f} %"
    if high <= margin:
        return "no measurable cost"
    return f"not decided: it may cost up to {high:.1f} %"


def draw(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw the cost of the shared volume in per cent, a line with its interval for each cell."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 0.35 * len(rows) + 1.4), layout="constrained")
    for place, row in enumerate(reversed(rows)):
        axes.plot([row["low"], row["high"]], [place, place], color="tab:blue")
        axes.plot(row["cost"], place, "o", color="tab:blue")
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [row["cell"].replace(":", "  ") for row in reversed(rows)])
    axes.set_xlabel("cost of the shared volume against the local disk, per cent (95 % interval)")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _first(reasons: Sequence[str]) -> str:
    return reasons[0] if reasons else "it has not run twice"


if __name__ == "__main__":
    run(main)
