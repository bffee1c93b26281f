"""A sheet of small pictures with a few words under each, as a PNG file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from tasks.common.result import write_whole

Pixels = npt.NDArray[np.uint8]  # [height, width] or [height, width, 3]

SHEET_COLUMNS, SHEET_ROWS, THUMB = 6, 3, 160  # of the sheet of mistakes; a picture's side in pixels
LINE, LETTERS = 14, 26  # height of a line of text under a picture, in pixels; letters that fit under one


def draw_mistakes(path: Path, mistakes: Sequence[tuple[Pixels, Sequence[str]]]) -> None:
    """Draw the first few wrongly judged images with lines of text under each, a number of lines that is the same."""
    shown = list(mistakes[: SHEET_COLUMNS * SHEET_ROWS])
    rows = max(1, -(-len(shown) // SHEET_COLUMNS))
    high = THUMB + 4 + LINE * max((len(lines) for _, lines in shown), default=1)
    sheet = Image.new("RGB", (SHEET_COLUMNS * THUMB, rows * high), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for place, (pixels, lines) in enumerate(shown):
        x, y = place % SHEET_COLUMNS * THUMB, place // SHEET_COLUMNS * high
        sheet.paste(Image.fromarray(pixels).resize((THUMB - 4, THUMB - 4)), (x + 2, y))
        for number, line in enumerate(lines):
            pen.text((x + 4, y + THUMB - 3 + number * LINE), _fitting(line), fill="black", font=font)
    if not shown:
        pen.text((4, 4), "no mistakes", fill="black", font=font)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    write_whole(path, file.getvalue())


def _fitting(text: str) -> str:
    """Leave out the middle of a text that is too long for the width of a picture: names differ at their ends."""
    half = (LETTERS - 1) // 2
    return text if len(text) <= LETTERS else f"{text[:half]}\N{HORIZONTAL ELLIPSIS}{text[-half:]}"
