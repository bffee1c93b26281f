"""Where the marks of the two pictures go: versions along time, and the way from data to what serves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ontap_mlops.ui.facts.shapes import Lineage, Model, Version

WIDTH, HEIGHT, MARGIN = 920, 76, 48
_BASE, _LEAST, _MOST = 26, 5.0, 13.0
COLUMN, ROW, BOX_WIDTH, BOX_HEIGHT = 236, 62, 204, 46
SHOWN = 12  # rows of a column; the rest is counted


@dataclass(frozen=True)
class Mark:
    """A version as a circle; the area goes with the bytes. ``label`` is drawn where there is room for it."""

    version: Version
    x: float
    y: float
    radius: float
    label: str = ""


@dataclass(frozen=True)
class TimeLine:
    marks: list[Mark] = field(default_factory=list)
    width: int = WIDTH
    height: int = HEIGHT
    base: int = _BASE


@dataclass(frozen=True)
class Box:
    """``kind`` is source, version, run or model; ``to`` the page that it leads to, below the hub, or empty."""

    key: str
    kind: str
    title: str
    text: str
    x: int
    y: int
    to: str = ""
    current: bool = False
    serving: bool = False


@dataclass(frozen=True)
class Picture:
    boxes: list[Box]
    lines: list[str]
    width: int
    height: int
    left_out: int = 0


def time_line(versions: Sequence[Version]) -> TimeLine:
    """:param versions: newest first, as a page lists them."""
    if not versions:
        return TimeLine()
    ordered = sorted(versions, key=lambda each: each.created_at)
    first, last = ordered[0].created_at, ordered[-1].created_at
    span, most = (last - first).total_seconds(), max(each.bytes for each in ordered)
    marks: list[Mark] = []
    labelled = -math.inf
    for version in ordered:
        share = (version.created_at - first).total_seconds() / span if span else 0.5
        x = MARGIN + share * (WIDTH - 2 * MARGIN)
        radius = _LEAST + (_MOST - _LEAST) * math.sqrt(version.bytes / most) if most else _LEAST
        label = ""
        if x - labelled >= 96:
            label, labelled = f"{version.created_at:%d %b %Y}", x
        marks.append(Mark(version, round(x, 1), _BASE, round(radius, 1), label))
    return TimeLine(marks)


def lineage(found: Lineage, source: str = "") -> Picture:
    """From the source over the version and the runs on it to the models, those that serve first."""
    models = sorted(found.models, key=lambda each: (each.state != "serving", -each.version))
    runs = {each.run_key: each for each in found.trainings}
    keys = list(dict.fromkeys([each.run_key for each in models] + list(runs)))
    left_out = max(0, len(keys) - SHOWN) + max(0, len(models) - SHOWN)
    keys, models = keys[:SHOWN], models[:SHOWN]
    rows = max(1, len(keys), len(models))
    middle = _top((rows - 1) / 2)
    version_path = f"datasets/{found.dataset}/versions/{found.version}"
    boxes = [
        Box("version", "version", _short(found.version, 26), found.dataset, COLUMN, middle, version_path, current=True)
    ]
    lines = []
    if source:
        boxes.append(Box("source", "source", "Source", _short(source, 28), 0, middle))
        lines.append(_line(0, middle, COLUMN, middle))
    for row, key in enumerate(keys):
        run = runs.get(key)
        boxes.append(
            Box(key, "run", _short(key, 26), _said(run.dag_id, run.state) if run else "", 2 * COLUMN, _top(row))
        )
        lines.append(_line(COLUMN, middle, 2 * COLUMN, _top(row)))
    for row, model in enumerate(models):
        boxes.append(_model_box(model, row))
        if model.run_key in keys:
            lines.append(_line(2 * COLUMN, _top(keys.index(model.run_key)), 3 * COLUMN, _top(row)))
    columns = 4 if models else 3 if keys else 2
    return Picture(boxes, lines, (columns - 1) * COLUMN + BOX_WIDTH + 4, rows * ROW, left_out)


def _model_box(model: Model, row: int) -> Box:
    return Box(
        f"{model.model}/{model.version}",
        "model",
        f"{_short(model.model, 18)} version {model.version}",
        model.state,
        3 * COLUMN,
        _top(row),
        f"models/{model.model}/{model.version}",
        serving=model.state == "serving",
    )


def _said(*parts: str) -> str:
    return _short(", ".join(filter(None, parts)), 30)


def _top(row: float) -> int:
    return round(row * ROW) + 8


def _line(x: int, y: int, to_x: int, to_y: int) -> str:
    """A curve from the right edge of one box to the left edge of another."""
    begin, middle, end = (x + BOX_WIDTH, y + BOX_HEIGHT / 2), (x + to_x + BOX_WIDTH) / 2, (to_x, to_y + BOX_HEIGHT / 2)
    return f"M{begin[0]},{begin[1]:g} C{middle:g},{begin[1]:g} {middle:g},{end[1]:g} {end[0]},{end[1]:g}"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
