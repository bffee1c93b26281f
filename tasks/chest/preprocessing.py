"""From a file's bytes to what the network sees; the same for training, judging and asking."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

VERSION = 1  # of the pixels that ``decode`` makes of a file: another number, another model
INPUT, OUTPUT = "pictures", "logits"  # the exported network's tensors
MEAN, DEVIATION = 0.5, 0.25  # of grey from 0 to 1
DEPTHS = (8, 10, 12, 14, 16)  # bits of a detector that a 16-bit file may hold
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

Pixels = npt.NDArray[np.uint8]

cv2.setNumThreads(0)  # pictures are read by many threads; more of them inside one picture would only wait


class NotAPicture(ValueError):
    """The bytes are no picture, or only a part of one."""


class IsDicom(ValueError):
    """The bytes are DICOM, whose values mean what their header says and not what a PNG's do."""


@dataclass(frozen=True)
class Picture:
    """``pixels`` [side, side], bone bright; ``inverted`` where the file has it dark, as MONOCHROME1 does."""

    pixels: Pixels
    inverted: bool


def decode(content: bytes, side: int) -> Picture:
    """Grey, of the range that the values have, upright as it is stored. Raises NotAPicture or IsDicom."""
    if content[128:132] == b"DICM":
        raise IsDicom
    grey = _eight_bits(content)
    height, width = grey.shape
    method = cv2.INTER_AREA if min(height, width) > side else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(grey, (side, side), interpolation=method), np.uint8)
    inverted = looks_inverted(small)
    return Picture(255 - small if inverted else small, inverted)


def _eight_bits(content: bytes) -> Pixels:
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.mode in _SIXTEEN_BIT:
                return _scaled(np.asarray(image).astype(np.int64), _significant_bits(content))
            if image.mode not in ("L", "1", "P", "RGB", "RGBA", "LA"):
                raise NotAPicture(f"its colour mode {image.mode} says not which value is white; save it as grey PNG")
            return np.asarray(image.convert("L"), np.uint8)
    except UnidentifiedImageError as error:
        raise NotAPicture("its format is not known, or it is damaged") from error
    except NotAPicture:
        raise
    except _UNREADABLE as error:
        raise NotAPicture(str(error)) from error


def _scaled(values: npt.NDArray[np.int64], bits: int | None) -> Pixels:
    """To 8 bit by the range that the values truly have: 12 bits of a detector in 16 bits of a file are no night."""
    highest = int(values.max(initial=0))
    depth = bits or next((depth for depth in DEPTHS if highest < 2**depth), DEPTHS[-1])
    white = 2**depth - 1
    return (np.minimum(values, white) * (255 / white) + 0.5).astype(np.uint8)


def _significant_bits(content: bytes) -> int | None:
    """What a PNG's chunk sBIT says; None where it has none, or says nothing new."""
    place = content.find(b"sBIT", 0, max(0, content.find(b"IDAT")))
    bits = content[place + 4] if place > 0 else 0
    return bits if 0 < bits <= DEPTHS[-1] else None


def looks_inverted(pixels: Pixels) -> bool:
    """Tell whether air is bright and bone dark: at the upper corners, and in the lungs beside the spine.

    Both must say so; in doubt a picture stays as it is.
    """
    side = len(pixels)
    eighth, grey = max(1, side // 8), pixels.astype(np.float32)
    corners = np.concatenate([grey[:eighth, :eighth].ravel(), grey[:eighth, -eighth:].ravel()])
    high = slice(int(0.35 * side), int(0.6 * side))
    spine = grey[high, int(0.46 * side) : int(0.54 * side) + 1].mean()
    left, right = slice(int(0.2 * side), int(0.35 * side)), slice(int(0.65 * side), int(0.8 * side))
    lungs = (grey[high, left].mean(), grey[high, right].mean())
    return bool(corners.mean() > grey.mean() and spine < min(lungs))


def normalise(pixels: Pixels) -> npt.NDArray[np.float32]:
    """[N, side, side] of 0 to 255 to [N, 1, side, side] around 0."""
    return ((pixels.astype(np.float32) * (1 / 255) - MEAN) / DEVIATION)[:, None]


def description(side: int) -> dict[str, Any]:
    """What ``decode`` and ``normalise`` do, for the model's description."""
    return {
        "version": VERSION,
        "colour": "grey, bone bright",
        "height": side,
        "width": side,
        "scale": 1 / 255,
        "mean": MEAN,
        "deviation": DEVIATION,
        "layout": "NCHW",
    }
