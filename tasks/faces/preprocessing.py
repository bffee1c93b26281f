"""From a file's bytes to what the head takes, the same at training, at judging and in every client."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tasks.faces.configs import Configuration

INPUT, OUTPUT = "activation", "answers"  # of the tail, which is what is served
LARGEST = 100_000_000  # pixels of a picture; a larger one is refused before it is unpacked

Pixels = npt.NDArray[np.uint8]  # [colours, side, side]


class NotAPicture(Exception):
    """Why a file cannot be looked at; the text ends a sentence that begins with the file's name."""


@dataclass(frozen=True)
class Picture:
    """``pixels`` [colours, side, side]; width and height of what it was made from, in pixels."""

    pixels: Pixels
    width: int
    height: int


def decode(content: bytes, chosen: Configuration) -> Picture:
    """Unpack a picture and stretch it to the network's side. Raises NotAPicture."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            file = Image.open(io.BytesIO(content))
            width, height = file.size
            if width * height > LARGEST:
                raise NotAPicture(
                    f"has {width} x {height} pixels, and {LARGEST // 1_000_000} million are taken at most; make it "
                    "smaller"
                )
            if file.mode.startswith(("I", "F")):
                raise NotAPicture(f"has {file.mode} pixels where 8 bits are expected; convert it")
            file.draft("L" if chosen.colours == 1 else "RGB", (chosen.side, chosen.side))
            whole = file.convert("L" if chosen.colours == 1 else "RGB")
        except Image.DecompressionBombError:
            raise NotAPicture(f"has more than {LARGEST // 1_000_000} million pixels; make it smaller") from None
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise NotAPicture(f"cannot be read as a picture ({error or type(error).__name__})") from None
    pixels = np.asarray(whole.resize((chosen.side, chosen.side), Image.Resampling.BILINEAR))
    return Picture(np.ascontiguousarray(pixels.reshape(chosen.side, chosen.side, -1).transpose(2, 0, 1)), width, height)


def normalise(pixels: Pixels) -> npt.NDArray[np.float32]:
    """0 to 255 as -1 to 1."""
    found: npt.NDArray[np.float32] = pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)
    return found


def description(chosen: Configuration) -> dict[str, Any]:
    """What a client has to do before the head; two models with the same take the same pictures."""
    return {"height": chosen.side, "width": chosen.side, "colours": chosen.colours, "scaled": "stretched, -1 to 1"}
