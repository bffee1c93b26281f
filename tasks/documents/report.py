"""The report of a scan as a page: what came of each file, and where something personal was found."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from tasks.common.tracking import Run
from tasks.documents import scanned
from tasks.documents.scanned import OUTCOMES, Scanned

NAME = "scan.html"
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.3rem .6rem;text-align:left;"
    "vertical-align:top}"
)


def record(run: Run, found: Sequence[Scanned], result: Mapping[str, Any]) -> None:
    """Store counts and page with the MLflow run, where there is one."""
    if not run.run_id:
        return
    run.metrics({f"scan.{name}": count for name, count in result["outcomes"].items()})
    run.metrics({f"scan.found.{name}": count for name, count in result["kinds"].items()})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, NAME)
        path.write_text(page(found))
        run.artifact(path, "scan")


def page(found: Sequence[Scanned]) -> str:
    """Return the page; what says nothing of interest is counted only."""
    counts = ", ".join(f"{sum(e.outcome == name for e in found)} {said}" for name, said in OUTCOMES.items())
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n" for cells in _rows(found))
    same = "".join(f"<li>{escape(', '.join(paths))}</li>\n" for paths in scanned.twice(found))
    alike = f"<h2>Files that say the same</h2>\n<ul>\n{same}</ul>\n" if same else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Scan of documents</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>Scan of {len(found)} documents</h1>\n<p>{counts}.</p>\n"
        "<table><thead><tr><th>File</th><th>Came of it</th><th>Found</th></tr></thead><tbody>\n"
        f"{rows}</tbody></table>\n{alike}</body></html>\n"
    )


def _rows(found: Sequence[Scanned]) -> Iterator[tuple[str, str, str]]:
    for each in found:
        if each.sentence or each.remarks or each.found:
            places = [f"{one.place}: {one.kind} ({one.entity}, {one.count})" for one in each.found]
            said = [OUTCOMES[each.outcome], each.sentence, *each.remarks]
            yield escape(each.path), "<br>".join(map(escape, filter(None, said))), "<br>".join(map(escape, places))
