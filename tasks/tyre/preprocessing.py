"""From a file's bytes to what the network sees; the same for training, judging, serving and SageMaker's container.

It needs nothing else of this package, so that it travels in a model's archive as it is.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

VERSION = 2  # of the pixels that ``decode`` makes of a file: another number, another model
SIDE = 224
INPUT, OUTPUT = "images", "logits"  # the exported network's tensors
MEAN = (0.485, 0.456, 0.406)  # of ImageNet, per RGB channel, for values 0 to 1
DEVIATION = (0.229, 0.224, 0.225)
_COLOURS = {"Gray": "GRAY", "YCbCr": "RGB", "RGB": "RGB"}  # what simplejpeg makes of a JPEG's own
_MOST_PIXELS = 178_956_970  # Pillow's limit, above which a small file is meant to fill the memory
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N")  # Pillow's modes
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # TIFF's tags, and what the latter says of a negative
# What Pillow raises for bytes that are no whole picture.
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

# One value per channel, repeated along a row of pixels: numpy takes rows of 672 nine times as fast as rows of 3.
_SCALE = np.tile(np.array([1 / (255 * d) for d in DEVIATION], np.float32), SIDE)
_SHIFT = np.tile(np.array([-m / d for m, d in zip(MEAN, DEVIATION, strict=True)], np.float32), SIDE)

Pixels = npt.NDArray[np.uint8]

cv2.setNumThreads(0)  # images are read by many threads; more of them inside one image would only wait
warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd tags: what is no picture is told otherwise


class NotAnImage(ValueError):
    """The bytes are no picture, or only a part of one."""


def decode(content: bytes) -> Pixels:
    """Pixels as [SIDE, SIDE, 3], upright; grey becomes three equal channels. Raises NotAnImage."""
    return _sized(_plain_jpeg(content) if content.startswith(b"\xff\xd8") else _by_pillow(content))


def _plain_jpeg(content: bytes) -> Pixels:
    """[height, width, 1 or 3]; a large picture at a fraction of its size, which costs a fraction of the time."""
    try:
        height, width, kind, _ = simplejpeg.decode_jpeg_header(content)
        if kind not in _COLOURS or height * width > _MOST_PIXELS or _lies_on_its_side(content):
            return _by_pillow(content)
        return simplejpeg.decode_jpeg(content, _COLOURS[kind], min_height=2 * SIDE, min_width=2 * SIDE)
    except ValueError:
        return _by_pillow(content)


def _lies_on_its_side(content: bytes) -> bool:
    if content.find(b"Exif\0\0") < 0:
        return False
    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    except _UNREADABLE:
        return True  # Pillow then says what is wrong with it


def _by_pillow(content: bytes) -> Pixels:
    """Whatever else is a picture: PNG, WebP, TIFF, BMP, CMYK, palettes, 16 bit, pictures that lie on their side.

    Of a file with several pictures the first is read.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.draft(None, (2 * SIDE, 2 * SIDE))
            tags = dict(getattr(image, "tag_v2", {}))
            return _eight_bits(ImageOps.exif_transpose(image), image.format, tags)
    except UnidentifiedImageError as error:
        raise NotAnImage("its format is not known, or it is damaged") from error
    except _UNREADABLE as error:
        raise NotAnImage(str(error)) from error


def _eight_bits(image: Image.Image, written_as: str | None, tags: dict[int, Any]) -> Pixels:
    if image.mode in _SIXTEEN_BIT or (image.mode == "I" and written_as == "PNG"):
        return _scaled(np.asarray(image, np.float32), tags)
    if image.mode in ("I", "F"):
        raise NotAnImage(f"its colour mode {image.mode} says not which value is white; save it with 8 or 16 bit")
    if image.mode in ("L", "1"):
        return np.asarray(image.convert("L"))[:, :, None]
    pixels = np.asarray(image.convert("RGB"))
    if image.mode in ("RGBA", "LA") and _is_flat(pixels) and not _is_flat(np.asarray(image.getchannel("A"))):
        raise NotAnImage("all that it shows is in its transparency; save it without")
    return pixels


def _scaled(values: npt.NDArray[np.float32], tags: dict[int, Any]) -> Pixels:
    """To 8 bit, where Pillow itself would make white of all that is above 255, and leave a negative one."""
    bits = tags.get(_BITS) or (16,)
    white = 2 ** min(16, int(bits[0] if isinstance(bits, tuple) else bits)) - 1
    scaled = (np.minimum(values, white) * (255 / white) + 0.5).astype(np.uint8)[:, :, None]
    return 255 - scaled if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else scaled


def _is_flat(values: npt.NDArray[np.uint8]) -> bool:
    """Whether all pixels are of one colour."""
    return bool((values == values[:1, :1]).all())


def _sized(pixels: Pixels) -> Pixels:
    """Interpolated; averaged where it shrinks to less than half, since interpolation would then pass over pixels.

    Grey becomes three channels last, for a third of the work.
    """
    height, width = pixels.shape[:2]
    method = cv2.INTER_AREA if min(height, width) > 2 * SIDE else cv2.INTER_LINEAR
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=method)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_GRAY2RGB) if small.ndim == 2 else small, np.uint8)


def normalise(pixels: Pixels) -> npt.NDArray[np.float32]:
    """[N, SIDE, SIDE, 3] of 0 to 255 to [N, 3, SIDE, SIDE] with ImageNet's mean and deviation."""
    values = np.empty(pixels.shape, np.float32)
    for picture, of in zip(pixels, values, strict=True):  # one at a time: it stays in the processor's cache
        of[:] = picture
        rows = of.reshape(SIDE, SIDE * 3)
        rows *= _SCALE
        rows += _SHIFT
    return values.transpose(0, 3, 1, 2)


def description() -> dict[str, Any]:
    """What ``decode`` and ``normalise`` do, for the model's description."""
    return {
        "version": VERSION,
        "colour": "RGB",
        "height": SIDE,
        "width": SIDE,
        "resize": "bilinear",
        "scale": 1 / 255,
        "mean": list(MEAN),
        "deviation": list(DEVIATION),
        "layout": "NCHW",
    }
