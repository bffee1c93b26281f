"""Pictures of mistakes, as PNG files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tasks.common.result import write_whole
from tasks.tyre.dataset import Pixels

SHEET_COLUMNS, SHEET_ROWS, THUMB = 6, 3, 160  # of the sheet of mistakes; a picture's side in pixels


def draw_mistakes(path: Path, mistakes: Sequence[tuple[Pixels, str]]) -> None:
    """Draw the first few wrongly judged images with a line of text under each."""
    shown = list(mistakes[: SHEET_COLUMNS * SHEET_ROWS])
    rows = max(1, -(-len(shown) // SHEET_COLUMNS))
    sheet = Image.new("RGB", (SHEET_COLUMNS * THUMB, rows * (THUMB + 16)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for place, (pixels, text) in enumerate(shown):
        x, y = place % SHEET_COLUMNS * THUMB, place // SHEET_COLUMNS * (THUMB + 16)
        sheet.paste(Image.fromarray(pixels).resize((THUMB - 4, THUMB - 4)), (x + 2, y))
        pen.text((x + 4, y + THUMB - 3), text, fill="black", font=font)
    if not shown:
        pen.text((4, 4), "no mistakes", fill="black", font=font)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    write_whole(path, file.getvalue())
