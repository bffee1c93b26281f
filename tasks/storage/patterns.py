"""How trainings read, on a folder or a bucket: our own loader over pictures, and accelerators that wait for samples.

The accelerators' patterns are those of MLPerf Storage (sizes of samples and seconds of a step of its configurations),
read by this project's own reader: the figures are no MLPerf results.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from tasks.common.ahead import ahead, read_ahead
from tasks.common.data import Store

SIDE, BATCH, THREADS = 256, 32, 16


@dataclass(frozen=True)
class Model:
    """A training as storage sees it: bytes of a sample, samples of a step, seconds that an accelerator takes for one.

    ``fed`` is the share of the time in which the accelerator must have work, by MLPerf Storage's rules.
    """

    name: str
    bytes: int
    batch: int
    seconds: dict[str, float]
    fed: float

    def needs(self, accelerator: str, count: int = 1) -> float:
        """MB/s (10^6 bytes) that so many accelerators read at full speed."""
        return count * self.batch * self.bytes / self.seconds[accelerator] / 1e6


MODELS = {
    model.name: model
    for model in (
        Model("resnet50", 114_660, 400, {"a100": 0.435, "h100": 0.224}, 0.9),
        Model("unet3d", 146_600_628, 7, {"a100": 0.636, "h100": 0.323}, 0.9),
        Model("cosmoflow", 2_828_486, 1, {"a100": 0.00551, "h100": 0.0035}, 0.7),
    )
}


def loader(store: Store, count: int) -> dict[str, Any]:
    """Write pictures, then read, decode and normalise them as the trainings of this project do; then remove them."""
    random = np.random.default_rng(0)
    keys = [f"pictures/{number:05d}.jpg" for number in range(count)]
    content = [_picture(random) for _ in range(min(count, 64))]
    for number, key in enumerate(keys):
        store.write(key, content[number % len(content)])
    begun, size = time.perf_counter(), 0
    batch: list[np.ndarray] = []
    for _, (pixels, length) in read_ahead(store, keys, THREADS, _decoded):
        size += length
        batch.append(pixels)
        if len(batch) == BATCH:
            np.stack(batch)
            batch.clear()
    seconds = time.perf_counter() - begun
    for key in keys:
        store.delete(key)
    return {
        "title": f"training loader, {count} JPEG pictures",
        "cache": "warm",
        "mb_per_s": size / seconds / 1e6,
        "operations_per_s": count / seconds,
        "sample_bytes": size // count,
    }


def accelerator(store: Store, model: Model, kind: str, *, samples: int, steps: int) -> dict[str, Any]:
    """Read as ``model`` does while an accelerator computes as long as it would; how much of the time it had work.

    :param samples: so many are written, and read again and again in another order.
    """
    keys = [f"{model.name}/{number:05d}.npz" for number in range(samples)]
    content = np.random.default_rng(0).bytes(model.bytes)
    for key in keys:
        store.write(key, content)
    order = np.random.default_rng(1)
    read, computed, begun = 0, 0.0, 0.0
    waiting = ahead(_reads(store, keys, order, (steps + 1) * model.batch), THREADS, 2 * THREADS)
    for step in range(steps + 1):
        got = sum(next(waiting) for _ in range(model.batch))
        if not step:  # nothing was ready before the first step, of which no storage can be blamed
            begun = time.perf_counter()
            continue
        read += got
        time.sleep(model.seconds[kind])
        computed += model.seconds[kind]
    seconds = time.perf_counter() - begun
    for key in keys:
        store.delete(key)
    return {
        "title": f"{model.name} on one {kind.upper()}, {steps} steps of {model.batch} samples",
        "cache": "warm",
        "mb_per_s": read / seconds / 1e6,
        "operations_per_s": steps * model.batch / seconds,
        "sample_bytes": model.bytes,
        "busy": min(1.0, computed / seconds),
        "fed": model.fed,
    }


def objects(store: Store, name: str, count: int, size: int) -> dict[str, dict[str, Any]]:
    """Write objects and read them again, many at once."""
    keys, content = [f"{name}/{number:06d}" for number in range(count)], np.random.default_rng(0).bytes(size)
    found = {}
    for what, calls in (
        ("write", [partial(store.write, key, content) for key in keys]),
        ("read", [partial(store.read, key) for key in keys]),
        ("delete", [partial(store.delete, key) for key in keys]),
    ):
        begun = time.perf_counter()
        for _ in ahead(calls, THREADS, 2 * THREADS):
            pass
        seconds = time.perf_counter() - begun
        found[f"{name}_{what}"] = {
            "title": f"{what} {count} objects of {size / 1e6:g} MB",
            "cache": "",
            "mb_per_s": 0.0 if what == "delete" else count * size / seconds / 1e6,
            "operations_per_s": count / seconds,
        }
    return found


def _reads(store: Store, keys: list[str], order: np.random.Generator, count: int) -> Iterator[Any]:
    left: list[int] = []
    for _ in range(count):
        left = left or list(order.permutation(len(keys)))
        yield partial(_length, store, keys[left.pop()])


def _length(store: Store, key: str) -> int:
    return len(store.read(key))


def _picture(random: np.random.Generator) -> bytes:
    coarse = random.integers(0, 255, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


def _decoded(content: bytes) -> tuple[np.ndarray, int]:
    with Image.open(io.BytesIO(content)) as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=np.float32)
    return (pixels / 127.5 - 1).transpose(2, 0, 1), len(content)
