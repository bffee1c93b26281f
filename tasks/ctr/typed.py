"""Rows as a table of typed columns, and its statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.ctr.columns import CATEGORICAL, LABEL, MISSING, NUMERIC
from tasks.ctr.parse import Rows

REPEATING = [LABEL, *NUMERIC]


def typed_table(rows: Rows) -> Any:
    import pyarrow

    assert rows.categorical is not None and rows.present is not None
    columns = {LABEL: pyarrow.array(rows.labels, pyarrow.int8())}
    for place, name in enumerate(NUMERIC):
        values = np.ascontiguousarray(rows.numeric[:, place])
        columns[name] = pyarrow.array(values, mask=values == MISSING)
    for place, name in enumerate(CATEGORICAL):
        values = np.ascontiguousarray(rows.categorical[:, place])
        columns[name] = pyarrow.array(values, mask=~rows.present[:, place])
    return pyarrow.table(columns)


def statistics(parsed: list[Rows]) -> dict[str, dict[str, float]]:
    """Nulls of every column; smallest, largest and sum of the numeric ones and the label."""
    parts = []
    for rows in parsed:
        assert rows.present is not None
        values = {LABEL: _numbers(rows.labels.astype(np.int64), np.ones(len(rows.labels), bool))}
        for place, name in enumerate(NUMERIC):
            column = rows.numeric[:, place].astype(np.int64)
            values[name] = _numbers(column, column != MISSING)
        nulls = (~rows.present).sum(axis=0).tolist()
        parts.append(values | {name: {"nulls": nulls[place]} for place, name in enumerate(CATEGORICAL)})
    return _sum_up(parts)


def _numbers(values: Any, present: Any) -> dict[str, float]:
    held = values[present]
    figures: dict[str, float] = {"nulls": int(len(values) - len(held)), "sum": int(held.sum())}
    return figures | ({"min": int(held.min()), "max": int(held.max())} if len(held) else {})


def merged(parts: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Of a whole day, from those of its parts."""
    return _sum_up([part["columns"] for part in parts])


def _sum_up(parts: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    join: dict[str, Any] = {"nulls": sum, "sum": sum, "min": min, "max": max}
    total: dict[str, dict[str, float]] = {}
    for name in parts[0] if parts else ():
        found = {key: [part[name][key] for part in parts if key in part[name]] for key in join}
        total[name] = {key: join[key](values) for key, values in found.items() if values}
    return total
