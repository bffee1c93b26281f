"""Judge trained models on the same held-out pictures, which none of them has seen, by TuSimple's own definition.

    python -m tasks.lane.evaluate --data /data/lanes --model challenger=/tmp/run
    python -m tasks.lane.evaluate --data s3://bucket/lanes --model challenger=/tmp/run --model champion=/models/a

A model is a folder that training left: what is judged is what is deployed. In MLflow the figures and a sheet of
pictures with lanes drawn on them join the run that trained the first model.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.common import program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.data import open_source
from tasks.common.evaluation import add_evaluation
from tasks.common.judging import Incomparable, Model
from tasks.common.lineage import EVALUATION
from tasks.common.mean_comparison import compare_means
from tasks.common.metrics import Booleans, Floats
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.split import Split
from tasks.lane import dataset
from tasks.lane.benchmark import FIGURES, Judged
from tasks.lane.dataset import Example, Scenes
from tasks.lane.export import INPUT, OUTPUT
from tasks.lane.judging import answered
from tasks.lane.pictures import draw_sheet, with_lanes

BATCH = 16


@dataclass(frozen=True)
class Verdict:
    """Of one model: which of the pictures it may be judged on [N], what it found in each, how good that is."""

    judged: Booleans
    lanes: list[Floats]
    figures: dict[str, Floats]
    each: list[Judged]

    def means(self, over: Booleans) -> dict[str, float]:
        return {name: float(values[over].mean()) for name, values in self.figures.items()}


def main() -> dict[str, Any]:
    options = _options()
    models = [Model.parse(text) for text in options.model]
    challenger = models[0]
    try:
        split, size = split_of(challenger), size_of(challenger)
    except Incomparable as error:
        raise BadInput(f"{error}.") from error
    scenes = dataset.load(open_source(options.data), size, split=split)
    trained_in = challenger.description.get("mlflow") or {}
    if options.run is None:
        options.experiment = options.experiment or trained_in.get("mlflow_experiment")
    with mlflow_run(options, trained_in.get("mlflow_run_name", "evaluate")) as run:
        run.reads(dataset.lineage(options.run, scenes), EVALUATION)
        result, verdicts = judge_models(models, scenes, options)
        for name, figures in result["metrics"].items():
            run.metrics({f"{name}.{key}": value for key, value in figures.items()})
            shown = ", ".join(f"{key.replace('_', ' ')} {value:.4f}" for key, value in figures.items())
            say(f"{name} on {int(verdicts[name].judged.sum())} pictures: {shown}")
        gains = result.get("comparison", {})
        run.metrics(
            {f"gain.{name}.{key}": told[key] for name, told in gains.items() for key in ("gain", "low", "high")}
        )
        with tempfile.TemporaryDirectory() as folder:
            files = _draw(Path(options.output or folder), verdicts, scenes)
            for file in files:
                run.artifact(file, "evaluation")
        return {**result, "pictures": [file.name for file in files], "data_digest": scenes.digest, **run.identity}


def judge_models(
    models: Sequence[Model], scenes: Scenes, options: argparse.Namespace
) -> tuple[dict[str, Any], dict[str, Verdict]]:
    """Judge the first model on all held-out pictures, each other on those that its training held out as well."""
    first, *others = models
    every = np.ones(len(scenes.held_out), bool)
    verdicts = {first.name: _verdict(first, scenes, every, options.threads)}
    champion = options.run.champion if options.run else None
    result: dict[str, Any] = {"held_out": len(every), "champion_version": champion.version if champion else None}
    for place, model in enumerate(others):
        try:
            unseen = _unseen(model, scenes.held_out)
            verdicts[model.name] = _verdict(model, scenes, unseen, options.threads)
        except Incomparable as error:
            say(f"{error}.")
            if place == 0:
                result["refused"] = f"{error}."
            continue
        if place == 0:
            mine, its = ({n: v[unseen] for n, v in verdicts[m.name].figures.items()} for m in (first, model))
            result |= {"comparison": _rounded(compare_means(mine, its, FIGURES, options.confidence))}
            result["compared"] = int(unseen.sum())
    result["metrics"] = {name: verdict.means(verdict.judged) for name, verdict in verdicts.items()}
    result["by_scene"] = by_scene(verdicts[first.name], scenes.held_out)
    return result, verdicts


def by_scene(verdict: Verdict, examples: Sequence[Example]) -> dict[str, float]:
    """Accuracy by what labels tell of their scenes, such as weather; {} where they tell nothing, as TuSimple's do."""
    groups: dict[str, list[float]] = {}
    for example, judged in zip(examples, verdict.each, strict=True):
        for name, value in example.label.scene.items():
            known = value if isinstance(value, str) else name if value is True else None
            if known is not None:
                groups.setdefault(known, []).append(judged.accuracy)
    return {name: round(float(np.mean(values)), 4) for name, values in sorted(groups.items())}


def split_of(model: Model) -> Split:
    try:
        return Split(float(model.data["held_out_share"]), str(model.data.get("group") or ""))
    except (KeyError, TypeError, ValueError):
        raise Incomparable(
            f"Model {model.name} does not say which pictures its training held out, so it may have trained on these; "
            "train it again, or promote without a comparison"
        ) from None


def size_of(model: Model) -> tuple[int, int]:
    told: Mapping[str, Any] = model.description.get("preprocessing") or {}
    try:
        width, height = (int(each) for each in told["size"])
    except (KeyError, TypeError, ValueError):
        raise Incomparable(f"Model {model.name} does not say how large its pictures are; train it again") from None
    if told != dataset.preprocessing((width, height)):
        raise Incomparable(
            f"Model {model.name} was trained on pictures prepared in another way; "
            "train it again, or promote without a comparison"
        )
    return width, height


def _unseen(model: Model, examples: Sequence[Example]) -> Booleans:
    split = split_of(model)
    unseen = np.array([split.held_out(example.label.key, example.digest) for example in examples])
    if not unseen.any():
        raise Incomparable(
            f"Model {model.name} has trained on all {len(examples)} pictures that the other held out, so there is "
            "none to compare them on"
        )
    return unseen


def _verdict(model: Model, scenes: Scenes, judged: Booleans, threads: int) -> Verdict:
    network = OnnxModel.load(model.onnx, inputs=INPUT, outputs=OUTPUT, threads=threads)
    size = size_of(model)
    # A model of another size wants the same pictures made otherwise.
    own = scenes if size == scenes.size else Scenes(scenes.store, scenes.training, scenes.held_out, size)
    found = answered(network, own, own.held_out, BATCH)
    each = [judged for _, judged in found]
    figures = {name: np.array([getattr(one, name) for one in each]) for name in FIGURES}
    return Verdict(judged, [lanes for lanes, _ in found], figures, each)


def _rounded(comparison: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        name: {key: round(value, 6) if isinstance(value, float) else value for key, value in told.items()}
        for name, told in comparison.items()
    }


def _draw(folder: Path, verdicts: Mapping[str, Verdict], scenes: Scenes) -> list[Path]:
    """A sheet for each model, the pictures it judged worst first."""
    files = []
    for name, verdict in verdicts.items():
        drawn = []
        for place in np.argsort(verdict.figures["accuracy"], kind="stable"):
            example, judged = scenes.held_out[place], verdict.each[place]
            picture, label = scenes.picture(example), example.label
            told = f"{label.key.removesuffix('/20.jpg')[-24:]}: {judged.accuracy:.0%}"
            lanes = verdict.lanes[place]
            pixels = with_lanes(picture.pixels, picture.size, lanes, label.lanes, label.heights, judged)
            drawn.append((pixels, told))
        files.append(folder / f"mistakes_{name}.png")
        draw_sheet(files[-1], drawn)
    return files


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix with clips/ and label_data_....json")
    add_evaluation(flags)
    return flags.parse()


if __name__ == "__main__":
    program.run(main)
