"""Train a network that tells the sentiment of what is said in calls, and choose what the recogniser should expect.

    python -m tasks.calls.train --data /data/calls --output /tmp/run                    # small, for a CPU
    python -m tasks.calls.train --data s3://lake/calls --output /tmp/run --configuration published

Two models come out of it. The *base* model has seen general sentences alone, and its recogniser has no hints. The
*tuned* one has seen the labelled sentences of calls too, with what people corrected, and its recogniser is told words
that it misses in the recordings of the training; they are kept where it makes fewer errors with them.

The output folder gets a checkpoint of each and the model: ONNX, tokenizer, weights of both and, written last,
``model.json``, which describes it and holds the hints. Stopped or killed, it goes on from its checkpoints when run
again with the same output, to the same weights.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from tasks.calls import dataset, wording
from tasks.calls.configs import CONFIGURATIONS, DEFAULT, Configuration, configuration
from tasks.calls.dataset import Labelled, digest_of
from tasks.calls.export import export
from tasks.calls.generate import filled
from tasks.calls.hearing import heard, spoken
from tasks.calls.model import Sentiment
from tasks.calls.phrases import GENERAL
from tasks.calls.sentiment import LABELS
from tasks.calls.training import Example, Training
from tasks.common import device, encoder, program
from tasks.common.cli import Flags, mlflow_run
from tasks.common.data import open_source
from tasks.common.description import identity_of, parameters_of
from tasks.common.lineage import TRAINING
from tasks.common.model_folder import LOADED
from tasks.common.program import BadInput, stop_deferred
from tasks.common.progress import say
from tasks.common.recogniser import MOST_HINTS, Recogniser
from tasks.common.tokens import Tokens
from tasks.common.tracking import Run
from tasks.common.training import OnEpoch, add_training_flags, prepared

PARAMETERS = ("seed", "threads", "device", "configuration", "data", "encoder", "recogniser")  # of the MLflow run
GENERAL_EACH = 6  # sentences of each general phrase
HINT_SENTENCES = 24


@dataclass(frozen=True)
class Choice:
    """Hints for the recogniser, and the word error rates without and with them on the sentences that chose them."""

    hints: tuple[str, ...]
    without: float | None = None
    with_hints: float | None = None


def main() -> dict[str, Any]:
    options = _options()
    chosen = prepared(options, configuration)
    place = Path(options.encoder) if options.encoder else encoder.pretrained()
    labelled = dataset.load(open_source(options.data), options.held_out_share)
    recogniser = Recogniser(options.recogniser, threads=options.threads)
    description = _describe(options, chosen, labelled, place, recogniser)
    general = general_sentences(options.seed)
    tuning = [*general, *((sentence.text, sentence.sentiment) for sentence in labelled.training)]
    output = Path(options.output)
    with mlflow_run(options, output.name) as run:
        run.parameters(parameters_of(description, PARAMETERS))
        ran_on = device.named(options.device)
        say(f"Training on {ran_on} ({options.device})")
        run.tag({"torch": torch.__version__, "device": ran_on})
        run.reads(dataset.lineage(options.run, labelled), TRAINING)
        trained = _Trainer(Tokens.of(place), place, chosen, options, description, output)
        base = trained("base", general, lambda number, figures: None)
        network = trained("tuned", tuning, lambda number, figures: _report(run, number, figures, chosen.epochs))
        choice = choose_hints(labelled, recogniser, options)
        with stop_deferred():
            return _finish(run, network, base, trained.tokens, output, description | _told(choice), labelled, options)


def general_sentences(seed: int) -> list[Example]:
    """The sentences that every base model is trained on, with their sentiments."""
    chance = random.Random(seed)  # noqa: S311 - sentences are no secrets
    made = {
        filled(phrase, chance): sentiment
        for sentiment, phrases in GENERAL.items()
        for phrase in phrases
        for _ in range(GENERAL_EACH)
    }
    return list(made.items())


def choose_hints(labelled: Labelled, plain: Recogniser, options: argparse.Namespace) -> Choice:
    """Return words that the recogniser misses in the training's recordings, where telling it lowers its errors."""
    sentences = spoken(labelled, labelled.training)[: options.hint_sentences]
    if not sentences or not options.hints:
        return Choice(())
    texts = [sentence.text for sentence in sentences]
    found = heard(labelled, sentences, plain, "Listening for words that are missed")
    hints = wording.missed(zip(texts, found, strict=True), options.hints)
    without = _rate(texts, found)
    if not hints:
        return Choice((), without)
    told = Recogniser(options.recogniser, hints, threads=options.threads)
    with_hints = _rate(texts, heard(labelled, sentences, told, "Listening with hints"))
    say(f"Hints: {', '.join(hints)}; word error rate {without:.3f} without, {with_hints:.3f} with them")
    return Choice(hints if with_hints < without else (), without, with_hints)


class _Trainer:
    """Trains by name, each with its own checkpoint in the output folder."""

    def __init__(
        self,
        tokens: Tokens,
        place: Path,
        chosen: Configuration,
        options: argparse.Namespace,
        description: dict[str, Any],
        output: Path,
    ) -> None:
        self.tokens = tokens
        self._place, self._chosen, self._options, self._output = place, chosen, options, output
        # A training that is cleared after an upgrade of torch goes on from its checkpoint.
        self._identity = identity_of(description, without=["torch"])

    def __call__(self, name: str, examples: list[Example], on_epoch: OnEpoch) -> Sentiment:
        training = Training(
            examples,
            self.tokens,
            self._place,
            self._chosen,
            self._options.seed,
            f"{self._identity}-{name}",
            self._output / f"{name}.checkpoint.pt",
            self._options.device,
        )
        return training.run(on_epoch)


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix with labelled calls")
    flags.output("folder for checkpoint and model")
    add_training_flags(flags, CONFIGURATIONS, DEFAULT, threads=2)
    flags.add_argument("--encoder", help="folder of a pretrained BERT; else the one that an installed package carries")
    flags.add_argument("--recogniser", help="folder of a Whisper; else the one that an installed package carries")
    flags.add_argument("--hints", type=int, default=20, help=f"most words to tell the recogniser, up to {MOST_HINTS}")
    flags.add_argument(
        "--hint-sentences", type=int, default=HINT_SENTENCES, help="of the training, listened to for choosing hints"
    )
    flags.add_argument("--held-out-share", type=float, default=dataset.HELD_OUT_SHARE, help="of the calls")
    flags.tracking(lambda run: "")
    options = flags.parse()
    if not 0 <= options.hints <= MOST_HINTS:
        raise BadInput(f"--hints is {options.hints}; it must be from 0 to {MOST_HINTS}.")
    return options


def _describe(
    options: argparse.Namespace, chosen: Configuration, labelled: Labelled, place: Path, recogniser: Recogniser
) -> dict[str, Any]:
    """Return what decides the weights: two runs with equal descriptions train the same model."""
    return {
        "configuration": {"name": options.configuration, **asdict(chosen)},
        "seed": options.seed,
        "threads": options.threads,
        "device": options.device,
        "torch": torch.__version__,
        "encoder": encoder.digest_of(place),
        "recogniser": {"name": recogniser.identity, "sha256": recogniser.digest},
        "labels": list(LABELS),
        "data": {
            "digest": labelled.digest,
            "training": len(labelled.training),
            "held_out": len(labelled.held_out),
            "corrected": labelled.corrected,
            "split": labelled.split,
            "held_out_share": options.held_out_share,
        },
    }


def _told(choice: Choice) -> dict[str, Any]:
    errors = {"without_hints": choice.without, "with_hints": choice.with_hints}
    return {"hints": list(choice.hints), "word_error_rate_of_choice": errors}


def _rate(true: list[str], found: list[str]) -> float:
    counts = [wording.word_errors(*pair) for pair in zip(true, found, strict=True)]
    return sum(wrong for wrong, _ in counts) / max(1, sum(said for _, said in counts))


def _report(run: Run, number: int, figures: dict[str, float], epochs: int) -> None:
    values = {name: value for name, value in figures.items() if name != "time_ms"}
    run.metrics(values, step=number, time_ms=int(figures["time_ms"]))
    if number % 10 == 0 or number == epochs:
        say(f"Epoch {number}: loss {figures['train_loss']:.3f}")


def _finish(
    run: Run,
    network: Sentiment,
    base: Sentiment,
    tokens: Tokens,
    output: Path,
    description: dict[str, Any],
    labelled: Labelled,
    options: argparse.Namespace,
) -> dict[str, Any]:
    whole = {**description, "tags": options.tags, "mlflow": run.identity}
    trained_on = [sentence.digest for sentence in labelled.training] + [
        digest_of(text) for text, _ in general_sentences(options.seed)
    ]
    digests = export(network, base, tokens, output, whole, trained_on)
    for name in LOADED:
        run.artifact(output / name, "model")
    return {
        "configuration": description["configuration"]["name"],
        "device": device.named(description["device"]),
        "data": description["data"],
        "hints": description["hints"],
        "word_error_rate_of_choice": description["word_error_rate_of_choice"],
        "output": str(output),
        "files": digests,
        **run.identity,
    }


if __name__ == "__main__":
    program.run(main)
