"""The table of operators and faults, from what each cell's test noted."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.trouble import TROUBLES


def table(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table; ``cells`` are (title of the scenario, title of the fault, how it ended)."""
    ended = {(scenario, trouble): said for scenario, trouble, said in cells}
    columns = [trouble.title for trouble in TROUBLES]
    rows = [["operator", *columns]]
    rows += [
        [name, *(ended.get((name, column), "-") for column in columns)] for name in sorted({cell[0] for cell in cells})
    ]
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]] if cells else []
