"""From a file's bytes to what the network sees; the same for training, judging and asking a deployed model."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE = 224
INPUT, OUTPUT = "images", "logits"  # the exported network's tensors
MEAN = (0.485, 0.456, 0.406)  # of ImageNet, per RGB channel, for values 0 to 1
DEVIATION = (0.229, 0.224, 0.225)

# One value per channel, repeated along a row of pixels: numpy takes rows of 672 nine times as fast as rows of 3.
_SCALE = np.tile(np.array([1 / (255 * d) for d in DEVIATION], np.float32), SIDE)
_SHIFT = np.tile(np.array([-m / d for m, d in zip(MEAN, DEVIATION, strict=True)], np.float32), SIDE)


class NotAnImage(ValueError):
    """The bytes are no picture, or only a part of one."""


def decode(content: bytes) -> npt.NDArray[np.uint8]:
    """Pixels as [SIDE, SIDE, 3]; grey becomes three equal channels. Raises NotAnImage."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.draft(None, (2 * SIDE, 2 * SIDE))  # a large JPEG is read at a fraction of its size
            # Grey is resized before it becomes three channels: the same pixels for a third of the work.
            plain = image if image.mode in ("L", "RGB") else image.convert("RGB")
            return np.asarray(plain.resize((SIDE, SIDE), Image.Resampling.BILINEAR).convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise NotAnImage(str(error)) from error


def normalise(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """[N, SIDE, SIDE, 3] of 0 to 255 to [N, 3, SIDE, SIDE] with ImageNet's mean and deviation."""
    values = pixels.astype(np.float32).reshape(len(pixels), SIDE, SIDE * 3)
    values *= _SCALE
    values += _SHIFT
    return values.reshape(-1, SIDE, SIDE, 3).transpose(0, 3, 1, 2)


def description() -> dict[str, Any]:
    """What ``decode`` and ``normalise`` do, for the model's description."""
    return {
        "colour": "RGB",
        "height": SIDE,
        "width": SIDE,
        "resize": "bilinear",
        "scale": 1 / 255,
        "mean": list(MEAN),
        "deviation": list(DEVIATION),
        "layout": "NCHW",
    }
