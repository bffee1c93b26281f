"""The on-demand scenario: a notebook on one picture, clear and with noise, with its results in it.

    python -m tasks.faces.notebook --data /data/faces --model /models/r20261127... --output /tmp/notebook

It writes ``image-demo.ipynb``, runs its cells, and keeps what they show in it, as a person does in a workspace of the
DAGs ``workspace`` or ``jupyterlab``. Everything it does happens where the picture is: nothing is sent.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from tasks.common import program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.data import open_source
from tasks.common.model_folder import trained_by
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.result import write_whole
from tasks.common.run_file import RunFile
from tasks.faces import dataset
from tasks.faces.anchors import faces_of
from tasks.faces.dataset import Example
from tasks.faces.detector import Detector
from tasks.faces.judging import HALVED, THRESHOLD
from tasks.faces.preprocessing import normalise
from tasks.faces.sweep import DECODER, sweep_folder

NAME = "image-demo.ipynb"
SHOWN = 320  # pixels to each side of what a cell shows
CELLS = [
    (
        "markdown",
        "# Faces, without showing them\n\nOne held-out picture: first as the detector sees it without noise, then as "
        "it sees what a client would send. Nothing leaves this notebook.",
    ),
    (
        "code",
        "from tasks.faces.notebook import Demo\n\ndemo = Demo.of(DATA, MODEL, DECODER)\nshow(demo.picture())",
    ),
    ("markdown", "## 3-1 Without noise\n\nThe detector on the clear picture."),
    ("code", "show(demo.clear())"),
    (
        "markdown",
        "## 3-2 With noise\n\nThe same detector on what is sent. The boxes are drawn on what a trained attacker makes "
        "of it.",
    ),
    ("code", "show(demo.noisy())"),
]

Pixels = npt.NDArray[np.uint8]


class Demo:
    """One picture and a model, for the cells."""

    def __init__(self, detector: Detector, example: Example, attacker: Path | None) -> None:
        self.detector, self.example, self.attacker = detector, example, attacker
        self.found: dict[str, int] = {}

    @classmethod
    def of(cls, data: str, model: str, attacker: str | None = None) -> Demo:
        """``attacker`` is the decoder that a sweep has trained; without it the boxes of what is sent are on grey."""
        detector = Detector.of(Path(model), threads=1)
        faces = dataset.load(open_source(data), detector.chosen, detector.held_out[:1])
        example = next((example for example in faces.examples if example.faces), None)
        if example is None:
            raise BadInput(f"No held-out picture under {data} has a face, so there is nothing to show.")
        return cls(detector, example, Path(attacker) if attacker and Path(attacker).is_file() else None)

    def picture(self) -> Image.Image:
        return self._drawn(self.example.pixels(), [])

    def clear(self) -> Image.Image:
        """Boxes at the full threshold on the clear picture."""
        answers = self.detector.answers([self.example], None)[0]
        boxes, _ = faces_of(self.detector.chosen, answers, THRESHOLD)
        self.found["clear"] = len(boxes)
        return self._drawn(self.example.pixels(), boxes)

    def noisy(self) -> Image.Image:
        """Boxes at the halved threshold, as published for noise, on what the attacker makes of the same activation."""
        pixels = self.detector.noise.prepare(self.example.pixels()[None])
        clean = self.detector.head(normalise(pixels))
        sent = self.detector.noise.add(clean, np.random.default_rng())
        boxes, _ = faces_of(self.detector.chosen, self.detector.tail(sent)[0], HALVED)
        self.found["noisy"] = len(boxes)
        return self._drawn(self._attacked(sent), boxes)

    def _attacked(self, sent: npt.NDArray[np.float32]) -> Pixels:
        if self.attacker is None:
            return np.full_like(self.example.pixels(), 128)
        from tasks.faces import attack

        decoder, total = attack.read(self.attacker, self.detector.chosen)
        return attack.reconstruct(decoder, sent / total)[0]

    def _drawn(self, pixels: Pixels, boxes: Any) -> Image.Image:
        grey = np.moveaxis(np.broadcast_to(pixels, (3, *pixels.shape[1:])), 0, 2)
        image = Image.fromarray(np.ascontiguousarray(grey)).resize((SHOWN, SHOWN))
        pen = ImageDraw.Draw(image)
        for box in boxes:
            left, top, right, bottom = (float(edge) * SHOWN for edge in box)
            pen.rectangle((left, top, max(left, right), max(top, bottom)), outline="red", width=2)
        return image


def main() -> dict[str, Any]:
    options = _options()
    shown: list[bytes] = []
    space: dict[str, Any] = {
        "DATA": options.data,
        "MODEL": options.model,
        "DECODER": options.decoder or _decoder(options),
        "show": lambda image: shown.append(_png(image)),
    }
    cells = []
    for kind, source in CELLS:
        shown.clear()
        if kind == "code":
            exec(compile(source, NAME, "exec"), space)  # noqa: S102 the cells above, nobody else's
        cells.append(_cell(kind, source, shown))
    output = Path(options.output)
    paths = {name: space[name] for name in ("DATA", "MODEL", "DECODER")}
    write_whole(output / NAME, json.dumps(_notebook(cells, paths), indent=1).encode())
    files = [output / NAME]
    for cell in cells:
        for each in cell.get("outputs", []):
            files.append(output / f"cell-{len(files)}.png")
            write_whole(files[-1], base64.b64decode(each["data"]["image/png"]))
    with mlflow_run(options, "notebook") as run:
        for file in files:
            run.artifact(file, "notebook")
        found = space["demo"].found
        say(
            f"{output / NAME}: {found['clear']} faces at threshold {THRESHOLD:g} without noise, {found['noisy']} at "
            f"the halved one ({HALVED:g}) with it; {len(space['demo'].example.faces)} are there"
        )
        return {"notebook": str(output / NAME), "faces": found, "pictures": len(files) - 1, **run.identity}


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _cell(kind: str, source: str, shown: list[bytes]) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
    if kind == "code":
        outputs = [{"image/png": base64.b64encode(each).decode()} for each in shown]
        cell |= {
            "execution_count": None,
            "outputs": [{"output_type": "display_data", "metadata": {}, "data": data} for data in outputs],
        }
    return cell


def _notebook(cells: list[dict[str, Any]], paths: dict[str, str | None]) -> dict[str, Any]:
    """Whole, with a first cell that says where the data and the model are, for a person who runs it again."""
    named = "".join(f"{name} = {value!r}\n" for name, value in paths.items())
    first = _cell("code", f"from IPython.display import display as show\n\n{named}", [])
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": [first, *cells], "metadata": kernel, "nbformat": 4, "nbformat_minor": 4}


def _decoder(options: argparse.Namespace) -> str | None:
    if not options.sweep:
        return None
    alpha = Detector.of(Path(options.model), threads=1).noise.alpha
    return str(Path(options.sweep) / f"{alpha:g}" / DECODER)


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix in FDDB's layout")
    flags.add_argument("--model", required=True, help="folder that choosing left", from_run=trained_by)
    flags.output("folder for the notebook", from_run=_output)
    flags.add_argument("--sweep", help="folder that sweep left, for its attacker", from_run=sweep_folder)
    flags.add_argument("--decoder", help="the attacker's file itself", from_run=lambda run: None)
    flags.tracking(lambda run: "")
    return flags.parse()


def _output(run: RunFile) -> str | None:
    return f"{run.run_folder}/notebook" if run.run_folder else None


if __name__ == "__main__":
    program.run(main)
