"""A page that stands alone: HTML with its style within, no script, nothing loaded from anywhere."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

_STYLE = (
    "body{font:16px/1.5 Georgia,serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222;background:#fff}"
    "h1,h2{font-family:sans-serif}table{border-collapse:collapse;width:100%}"
    "td,th{padding:.35em .7em;text-align:left;vertical-align:top;border-bottom:1px solid #ccc;overflow-wrap:anywhere}"
    "th{font-family:sans-serif;font-size:.85em}.yes{color:#176b2c}.no{color:#b00020;font-weight:bold}.as{color:#555}"
    "@media print{body{margin:0;max-width:none}tr{break-inside:avoid}}"
)


def page(title: str, parts: Iterable[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>{html.escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{html.escape(text)}</p>'


def heading(text: str) -> str:
    return f"<h2>{html.escape(text)}</h2>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kinds: Iterable[str] = ()) -> str:
    """A table; ``kinds`` gives the last cell of each row its look: ``yes``, ``no`` or ``as``."""
    looks = iter(kinds)
    cells = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    lines = []
    for row in rows:
        *first, last = (html.escape(str(cell)) for cell in row)
        inner = "".join(f"<td>{cell}</td>" for cell in first)
        lines.append(f'<tr>{inner}<td class="{next(looks, "as")}">{last}</td></tr>')
    return f"<table><thead><tr>{cells}</tr></thead><tbody>\n" + "\n".join(lines) + "\n</tbody></table>"
