"""Draws one sample photograph of a tyre surface, good or defective.

A height map (rubber texture from a real photograph, tread or sidewall, defects) and a map of how bright the rubber is
(dirt, scratches, chalk) are lit from one side. Defects differ from harmless marks mainly by their depth, and weak ones
are hardly seen, so that no classifier gets everything right.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

Array = npt.NDArray[np.floating[Any]]
Points = list[tuple[float, float]]

SIDES = (256, 272, 288, 304, 320)  # height and width in pixels are each one of these
PHOTOGRAPHS = ("brick", "grass", "gravel")  # what scikit-image carries, 512x512 grey


def draw(seed: int, index: int, generation: int, *, defective: bool) -> bytes:
    """The bytes of a PNG or JPEG file. The same arguments give the same bytes."""
    rng = np.random.default_rng([seed, index, generation])
    shape = (int(rng.choice(SIDES)), int(rng.choice(SIDES)))
    height: Array = _rubber(rng, shape) + (_sidewall(rng, shape) if rng.random() < 0.3 else _tread(rng, shape))
    bright: Array = np.ones(shape, np.float32)
    for kind in rng.integers(len(_HARMLESS), size=rng.integers(0, 4)):
        height, bright = _HARMLESS[kind](rng, height, bright)
    if defective:
        height, bright = _DEFECTS[rng.integers(len(_DEFECTS))](rng, height, bright, rng.uniform(0.5, 1.0))
    return _encode(rng, _photograph(rng, height, bright))


@functools.cache
def _texture(name: str) -> Array:
    import skimage.data

    photograph = getattr(skimage.data, name)().astype(np.float32)
    return (photograph - photograph.mean()) / photograph.std()


def _rubber(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """A piece of a texture photograph, turned and scaled, as a relief of fine grain."""
    texture = _texture(str(rng.choice(PHOTOGRAPHS)))
    side = int(rng.integers(200, 512))
    top, left = rng.integers(0, 512 - side, size=2)
    piece = np.rot90(texture[top : top + side, left : left + side], int(rng.integers(0, 4)))
    relief = np.asarray(Image.fromarray(np.ascontiguousarray(piece)).resize(shape[::-1], Image.Resampling.BILINEAR))
    return relief * np.float32(rng.uniform(0.15, 0.5))


def _grid(shape: tuple[int, int], angle: float) -> tuple[Array, Array]:
    """Coordinates along and across a direction, in pixels from the middle."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    rows, columns = rows - shape[0] / 2, columns - shape[1] / 2
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return columns * cosine + rows * sine, rows * cosine - columns * sine


def _groove(distance: Array, width: float) -> Array:
    """1 in the middle of a groove, 0 outside, with sloping walls of two pixels."""
    return np.clip((width / 2 - np.abs(distance)) / 2 + 0.5, 0, 1)


def _tread(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Grooves around the tyre, and slanted ones between them; worn down more on one side."""
    along, across = _grid(shape, rng.normal(0, 0.25) + rng.choice([0, np.pi / 2]))
    pitch = rng.uniform(60, 110)
    around = _groove((across + rng.uniform(0, pitch)) % pitch - pitch / 2, rng.uniform(8, 16))
    slant, period = rng.uniform(-0.8, 0.8), rng.uniform(28, 60)
    bent = along + slant * (np.abs(across) if rng.random() < 0.5 else across)
    lateral = _groove(bent % period - period / 2, rng.uniform(3, 7))
    wear = np.clip(1 + rng.uniform(-0.5, 0.1) * across / (max(shape) / 2), 0.2, 1.2)
    return -rng.uniform(5, 9) * wear * np.maximum(around, lateral * rng.uniform(0.4, 0.9))


def _sidewall(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Rings around a centre outside the picture, with raised lettering."""
    radius = rng.uniform(250, 500)
    angle = rng.uniform(0, 2 * np.pi)
    along, across = _grid(shape, angle)
    ring = np.hypot(along, across + radius) - radius
    rings = sum(_groove(ring - rng.uniform(-120, 120), rng.uniform(2, 6)) for _ in range(rng.integers(2, 5)))
    plate = Image.new("L", shape[::-1])
    size = int(rng.integers(22, 40))
    text = str(rng.choice(["205/55 R16", "225/45 R17 94W", "TUBELESS", "RADIAL M+S", "DOT 4B9X"]))
    ImageDraw.Draw(plate).text((shape[1] * 0.12, shape[0] * 0.4), text, fill=255, font=ImageFont.load_default(size))
    turned = plate.rotate(-np.degrees(angle) + rng.normal(0, 6), resample=Image.Resampling.BILINEAR)
    letters = np.asarray(turned, np.float32) / 255
    return rng.uniform(2, 4) * letters - rng.uniform(1.5, 4) * np.clip(rings, 0, 1)


# Marks and defects: each takes (rng, height, bright) and gives height and bright back; defects also take a strength.


def _line_mask(shape: tuple[int, int], lines: list[tuple[Points, float]], soft: float) -> Array:
    """Lines of given widths, 0 to 1, drawn at double size so that thin ones stay smooth."""
    mask = Image.new("L", (shape[1] * 2, shape[0] * 2))
    pen = ImageDraw.Draw(mask)
    for points, width in lines:
        pen.line([(2 * x, 2 * y) for x, y in points], fill=255, width=max(1, round(2 * width)), joint="curve")
    small = np.asarray(mask.resize(shape[::-1], Image.Resampling.BOX), np.float32) / 255
    return ndimage.gaussian_filter(small, soft) if soft else small


def _walk(rng: np.random.Generator, start: tuple[float, float], heading: float, length: float, bend: float) -> Points:
    """A path of steps of four pixels whose direction wanders by ``bend`` radians a step."""
    steps = max(2, int(length / 4))
    headings = heading + np.cumsum(rng.normal(0, bend, steps))
    xs, ys = start[0] + np.cumsum(4 * np.cos(headings)), start[1] + np.cumsum(4 * np.sin(headings))
    return [start, *zip(xs.tolist(), ys.tolist(), strict=True)]


def _place(rng: np.random.Generator, shape: tuple[int, int], margin: float = 0.15) -> tuple[float, float]:
    return (
        float(rng.uniform(margin, 1 - margin) * shape[1]),
        float(rng.uniform(margin, 1 - margin) * shape[0]),
    )


def _scratches(rng: np.random.Generator, height: Array, bright: Array) -> tuple[Array, Array]:
    """Light, nearly straight, without depth."""
    lines = []
    for _ in range(rng.integers(1, 4)):
        start = _place(rng, height.shape)
        lines.append((_walk(rng, start, rng.uniform(0, 2 * np.pi), rng.uniform(30, 140), 0.03), rng.uniform(0.5, 1.5)))
    return height, bright * (1 + rng.uniform(0.15, 0.6) * _line_mask(height.shape, lines, 0.5))


def _stains(rng: np.random.Generator, height: Array, bright: Array) -> tuple[Array, Array]:
    """Dark, thin and wandering as a crack, but flat: oil that ran."""
    start = _place(rng, height.shape)
    path = _walk(rng, start, rng.uniform(0, 2 * np.pi), rng.uniform(30, 120), 0.15)
    return height, bright * (1 - rng.uniform(0.15, 0.4) * _line_mask(height.shape, [(path, rng.uniform(1, 4))], 1.2))


def _dirt(rng: np.random.Generator, height: Array, bright: Array) -> tuple[Array, Array]:
    """Blotches of dust or wet, lighter or darker."""
    coarse = rng.normal(0, 1, (6, 6)).astype(np.float32)
    cloud = np.asarray(Image.fromarray(coarse).resize(height.shape[::-1], Image.Resampling.BICUBIC))
    return height, bright * (1 + rng.uniform(-0.35, 0.45) * np.clip(cloud - 0.3, 0, 1))


def _stones(rng: np.random.Generator, height: Array, bright: Array) -> tuple[Array, Array]:
    """Small and round, lighter than rubber, sticking out."""
    for _ in range(rng.integers(1, 6)):
        x, y = _place(rng, height.shape)
        size = rng.uniform(2, 5)
        stone = _hill(height.shape, x, y, size, size * rng.uniform(0.6, 1.0), rng.uniform(0, np.pi)) > 0.6
        height = np.where(stone, height.max(), height)
        bright = np.where(stone, bright * rng.uniform(1.2, 2.2), bright)
    return height, bright


def _chalk(rng: np.random.Generator, height: Array, bright: Array) -> tuple[Array, Array]:
    """A mark an inspector or a machine left: wide, light, broken by the texture."""
    path = _walk(rng, _place(rng, height.shape), rng.uniform(0, 2 * np.pi), rng.uniform(30, 90), 0.3)
    mask = _line_mask(height.shape, [(path, rng.uniform(3, 7))], 0.7)
    return height, bright + rng.uniform(0.3, 0.9) * mask * (height > np.median(height))


def _wear(rng: np.random.Generator, height: Array, bright: Array) -> tuple[Array, Array]:
    """A patch where grain and grooves are rubbed away."""
    x, y = _place(rng, height.shape)
    patch = _hill(height.shape, x, y, rng.uniform(30, 80), rng.uniform(20, 50), rng.uniform(0, np.pi))
    return height * (1 - rng.uniform(0.4, 0.9) * patch), bright


def _cracks(rng: np.random.Generator, height: Array, bright: Array, strength: float) -> tuple[Array, Array]:
    """One to three jagged cracks with branches: thin and deep."""
    lines = []
    for _ in range(rng.integers(1, 4)):
        heading = rng.uniform(0, 2 * np.pi)
        trunk = _walk(rng, _place(rng, height.shape, 0.2), heading, rng.uniform(40, 130), 0.45)
        lines.append((trunk, rng.uniform(0.8, 2.0)))
        for _ in range(rng.integers(1, 4)):
            joint = trunk[int(rng.integers(1, len(trunk)))]
            branch = _walk(rng, joint, heading + rng.choice([-1, 1]) * rng.uniform(0.5, 1.2), rng.uniform(12, 40), 0.4)
            lines.append((branch, rng.uniform(0.5, 1.2)))
    mask = _line_mask(height.shape, lines, 0.5)
    return height - 9 * strength * mask, bright * (1 - 0.55 * strength * mask)


def _cuts(rng: np.random.Generator, height: Array, bright: Array, strength: float) -> tuple[Array, Array]:
    """A straight, wide gash that narrows to its ends, with raised lips."""
    x, y = _place(rng, height.shape, 0.2)
    length, width, angle = rng.uniform(16, 40), rng.uniform(2.0, 4.5), rng.uniform(0, np.pi)
    gash = _hill(height.shape, x, y, length, width, angle)
    lips = _hill(height.shape, x, y, length * 1.1, width * 2.2, angle) - gash
    return height - 14 * strength * gash + 6 * strength * lips, bright * (1 - 0.6 * strength * gash)


def _bulges(rng: np.random.Generator, height: Array, bright: Array, strength: float) -> tuple[Array, Array]:
    """A smooth swelling: nothing but its light side and its shadow gives it away."""
    x, y = _place(rng, height.shape, 0.25)
    size = rng.uniform(18, 42)
    hill = _hill(height.shape, x, y, size, size * rng.uniform(0.6, 1.0), rng.uniform(0, np.pi))
    return height + size * 1.1 * strength * hill, bright


def _hill(shape: tuple[int, int], x: float, y: float, length: float, width: float, angle: float) -> Array:
    """A Gaussian of height 1 at (x, y); ``length`` and ``width`` are standard deviations in pixels."""
    along, across = _grid(shape, angle)
    middle = (x - shape[1] / 2, y - shape[0] / 2)
    at = middle[0] * np.cos(angle) + middle[1] * np.sin(angle), middle[1] * np.cos(angle) - middle[0] * np.sin(angle)
    return np.exp(-0.5 * (((along - at[0]) / length) ** 2 + ((across - at[1]) / width) ** 2)).astype(np.float32)


_HARMLESS: list[Callable[..., tuple[Array, Array]]] = [_scratches, _stains, _dirt, _stones, _chalk, _wear]
_DEFECTS: list[Callable[..., tuple[Array, Array]]] = [_cracks, _cuts, _bulges]


def _photograph(rng: np.random.Generator, height: Array, bright: Array) -> Array:
    """Light from one side, darker in the deep, a little out of focus, with sensor noise; 0 to 255."""
    slope_y, slope_x = np.gradient(height)
    azimuth, low = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.5)
    lit = 1 + low * (slope_x * np.cos(azimuth) + slope_y * np.sin(azimuth)) / np.sqrt(1 + slope_x**2 + slope_y**2)
    depth = np.clip(1 + 0.045 * (height - np.median(height)), 0.35, 1.3)
    along, _ = _grid(height.shape, rng.uniform(0, 2 * np.pi))
    falloff = 1 + rng.uniform(0, 0.35) * along / (max(height.shape) / 2)
    picture = rng.uniform(75, 135) * lit * depth * bright * falloff
    picture = ndimage.gaussian_filter(picture, rng.uniform(0.3, 0.9))
    return np.clip(picture + rng.normal(0, rng.uniform(2, 6), picture.shape), 0, 255)


def _encode(rng: np.random.Generator, picture: Array) -> bytes:
    """Grey PNG, grey JPEG or, slightly tinted, colour JPEG, as cameras of several makes leave them."""
    kind = rng.choice(["grey PNG", "grey JPEG", "colour JPEG"], p=[0.15, 0.45, 0.4])
    quality = int(rng.integers(78, 93))
    file = io.BytesIO()
    if kind == "grey PNG":
        Image.fromarray(picture.astype(np.uint8)).save(file, "PNG", compress_level=4)
    elif kind == "grey JPEG":
        Image.fromarray(picture.astype(np.uint8)).save(file, "JPEG", quality=quality)
    else:
        tint = 1 + rng.uniform(-0.04, 0.04, 3)
        colour = np.clip(picture[..., None] * tint, 0, 255).astype(np.uint8)
        Image.fromarray(colour).save(file, "JPEG", quality=quality)
    return file.getvalue()
