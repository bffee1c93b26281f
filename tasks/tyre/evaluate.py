"""Judge trained models on the same held-out images, which none of them has seen.

    python -m tasks.tyre.evaluate --data /data/tyre --model challenger=/tmp/run
    python -m tasks.tyre.evaluate --data s3://bucket/tyre --model challenger=/tmp/run --model champion=/models/a

A model is a folder that training left, or the ``model.onnx`` in it: what is judged is what is deployed. The first model
is judged on the images that its training held out, each other one on those of them that its own did as well. In MLflow
the figures join the run that trained the first model.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.data import open_source
from tasks.common.evaluation import System, add_evaluation, evaluate
from tasks.common.judging import Incomparable, Judged, Model
from tasks.common.metrics import Booleans, Floats, softmax
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.common.progress import Progress
from tasks.common.split import Split
from tasks.tyre import dataset, preprocessing
from tasks.tyre.configs import FIGURES
from tasks.tyre.dataset import Images

BATCH = 32


def main() -> dict[str, Any]:
    options = _options()
    models = [Model.parse(text) for text in options.model]
    try:
        split = _split(models[0])
    except Incomparable as error:
        raise BadInput(f"{error}.") from error
    images = dataset.load(
        open_source(options.data, options.connections),
        split=split,
        limit=options.limit,
        corrupt_share=options.corrupt_share,
        connections=options.connections,
        parts=("held_out",),
    )
    rows = HeldOutImages(images, options.threads)
    classes = (images.classes[1 - images.positive], images.classes[images.positive])
    read = dataset.lineage(options.run, images)
    system = System(FIGURES, classes, read, lambda folder, judged: _draw_mistakes(folder, judged, images))
    result = evaluate(options, models, rows, system)
    return {**result, "data_digest": images.digest, "corrupt": images.corrupt[:5]}


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix with a folder per class")
    # Not the run's own: a training on a few images is judged on all that are held out, like every other.
    flags.add_argument(
        "--limit", type=int, default=0, help="use so many images only; 0: all", from_run=lambda run: None
    )
    flags.add_argument("--corrupt-share", type=float, default=dataset.CORRUPT_SHARE, help="allowed; above it: exit 2")
    flags.add_argument("--connections", type=int, default=dataset.CONNECTIONS, help="files read at once")
    add_evaluation(flags)
    return flags.parse()


class HeldOutImages:
    """The images that the first model's training held out."""

    def __init__(self, images: Images, threads: int) -> None:
        self._images, self._threads = images, threads
        self.positives: Booleans = np.array([example.label == images.positive for example in images.held_out])

    def unseen(self, model: Model) -> Booleans:
        classes = tuple(model.description.get("classes", ()))
        if classes != self._images.classes:
            raise Incomparable(
                f"Model {model.name} tells {' from '.join(classes)}; the data has {', '.join(self._images.classes)}"
            )
        if model.description.get("preprocessing") != preprocessing.description():
            raise Incomparable(
                f"Model {model.name} was trained on images prepared in another way; "
                "train it again, or promote without a comparison"
            )
        split = _split(model)
        return np.array([split.held_out(example.key, example.digest) for example in self._images.held_out])

    def scores(self, model: Model) -> Floats:
        network = OnnxModel.load(
            model.onnx, inputs=preprocessing.INPUT, outputs=preprocessing.OUTPUT, threads=self._threads
        )
        logits, examples = [], self._images.held_out
        with Progress(len(examples), "images", f"Judging {model.name}") as progress:
            for pixels, _ in dataset.batches(self._images.store, examples, BATCH):
                logits.append(network(pixels))
                progress.advance(len(pixels))
        return softmax(np.concatenate(logits))[:, self._images.positive]


def _split(model: Model) -> Split:
    try:
        return Split(float(model.data["held_out_share"]), str(model.data.get("group") or ""))
    except (KeyError, TypeError, ValueError):
        raise Incomparable(
            f"Model {model.name} does not say which images its training held out, so it may have trained on these; "
            "train it again, or promote without a comparison"
        ) from None


def _draw_mistakes(folder: Path, judged: Judged, images: Images) -> list[Path]:
    from tasks.common.sheet import draw_mistakes

    files = []
    for name, verdict in judged.verdicts.items():
        files.append(folder / f"mistakes_{name}.png")
        draw_mistakes(files[-1], _mistakes(images, verdict.scores))
    return files


def _mistakes(images: Images, scores: Floats) -> list[tuple[dataset.Pixels, tuple[str, str]]]:
    """Return the most confident first, with what to write under each; pixels of those that were kept in memory."""
    found = []
    for place in np.argsort(-np.abs(scores - 0.5), kind="stable"):
        example = images.held_out[place]
        called = images.positive if scores[place] > 0.5 else 1 - images.positive
        if called != example.label and example.pixels is not None:
            sure = max(scores[place], 1 - scores[place])
            text = f"{images.classes[example.label]}, {sure:.0%} {images.classes[called]}"
            found.append((example.pixels, (example.key.rpartition("/")[2], text)))
    return found


if __name__ == "__main__":
    program.run(main)
