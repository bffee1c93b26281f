"""Fit the noise of one ALPHA, and the network to it, add the plain baselines, and let an attacker try each of them.

    python -m tasks.faces.sweep --data /data/faces --network /tmp/run/network --output /tmp/run/sweep --alpha 0.8

Noise, network and attacker learn on the folds that the network was trained on; accuracy and privacy are of those it was
not. The output folder gets ``<alpha>/noise.npz``, the adapted network's ``weights.pt``, the attacker's ``decoder.pt``,
a few pictures as the attacker makes them out, and, written last, ``points.json`` with every held-out picture's figures,
by the kind of noise.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tasks.common import device, program
from tasks.common.cli import Flags
from tasks.common.data import open_source
from tasks.common.description import identity_of
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.result import write_whole
from tasks.common.run_file import RunFile
from tasks.common.torch_files import weights_of
from tasks.faces import attack, dataset, judging, noise, privacy
from tasks.faces.configs import Configuration
from tasks.faces.dataset import Example
from tasks.faces.export import WEIGHTS, read_network
from tasks.faces.model import FaceBoxes
from tasks.faces.noise import BLUR, GAUSSIAN, KINDS, LEARNED, NOISE, Features, Noise
from tasks.faces.preprocessing import Pixels, normalise
from tasks.faces.privacy import Gallery, Seen
from tasks.faces.train import (
    SWEEP_FOLDER,
    add_data_flags,
    network_folder,
    set_up,
)

POINTS, DECODER, SHOWN = "points.json", "decoder.pt", "shown.npz"
EXAMPLES_SHOWN = 6


@dataclass(frozen=True)
class Split:
    """Pictures to learn on and pictures to judge on, with their activations where nothing is done to them."""

    network: FaceBoxes
    chosen: Configuration
    training: list[Example]
    held_out: list[Example]
    gallery: Gallery
    device: str
    seed: int


def main() -> dict[str, Any]:
    options = _options()
    alpha = noise.checked(options.alpha)
    options.device = device.chosen(options.device)
    set_up(options.threads)
    network, chosen, told = read_network(Path(options.network))
    faces = dataset.load(open_source(options.data), chosen, limit=options.limit, corrupt_share=options.corrupt_share)
    if faces.digest != told["data"]["digest"] and not told.get("network_of"):
        raise BadInput(
            f"{options.data} is not the data that the network in {options.network} was trained on; train again."
        )
    folds = told["data"]["held_out"]
    training = [example for example in faces.examples if example.fold not in folds]
    held_out = faces.of(folds)
    gallery = privacy.Recogniser(training).gallery(held_out)
    split = Split(network.to(options.device), chosen, training, held_out, gallery, options.device, options.seed)
    output = Path(options.output) / f"{alpha:g}"
    identity = identity_of(
        {
            "network": told,
            "alpha": alpha,
            "steps": options.steps,
            "attack": options.attack_steps,
            "seed": options.seed,
            "gaussian": options.adapt_gaussian,
        }
    )
    done = _done(output, identity)
    if done is None:
        done = {"identity": identity, "alpha": alpha, "points": points(split, alpha, options, output)}
        write_whole(output / POINTS, json.dumps(done).encode())
    return {"alpha": alpha, "output": str(output), **_means(done["points"])}


def points(split: Split, alpha: float, options: argparse.Namespace, output: Path) -> dict[str, Any]:
    """Every held-out picture's figures by the kind of noise; without noise all kinds are one."""
    found: dict[str, Any] = {}
    for kind in KINDS if alpha else (LEARNED,):
        if kind == BLUR or (kind == GAUSSIAN and not options.adapt_gaussian):
            clean = noise.activations(split.network, dataset.batch(split.training), split.device)
            made, network = noise.plain(kind, alpha, split.chosen, Features.of(clean)), split.network
        else:
            settings: dict[str, Any] = {"seed": split.seed, "steps": options.steps, "device": split.device}
            made, network = noise.fit(split.network, split.chosen, split.training, alpha, kind=kind, **settings)
        adapted = dataclasses.replace(split, network=network)
        found[kind], drawn, decoder, total = attacked(adapted, made, options.attack_steps)
        means = _means({kind: found[kind]})
        say(f"ALPHA {alpha:g}, {kind}: {', '.join(f'{name} {value:.3f}' for name, value in means[kind].items())}")
        if kind == LEARNED:
            write_whole(output / NOISE, made.save())
            write_whole(output / WEIGHTS, weights_of(network.state_dict()))
            _keep(output, split, drawn, decoder, total)
    return found


def attacked(
    split: Split, made: Noise, steps: int
) -> tuple[list[dict[str, Any]], Pixels, attack.Decoder, npt.NDArray[np.float32]]:
    """Detect faces in what is sent of the held-out pictures, and let an attacker reconstruct them from the same.

    Returns each picture's figures, the reconstructions, the attacker's decoder and what it divides by.
    """
    rng = np.random.default_rng(split.seed)
    pictures = [dataset.batch(examples) for examples in (split.training, split.held_out)]
    clean = [noise.activations(split.network, made.prepare(each), split.device) for each in pictures]
    total = attack.scale(Features.of(clean[0]).spread, made.deviation)
    decoder = attack.train(
        split.chosen,
        lambda places: made.add(clean[0][places], rng) / total,
        normalise(pictures[0]),
        seed=split.seed,
        steps=steps,
        device=split.device,
    )
    sent = made.add(clean[1], rng)
    found = judging.found(split.chosen, split.held_out, _answers(split, sent))
    drawn = attack.reconstruct(decoder, sent / total, split.device)
    seen = [privacy.seen(example, each, split.gallery) for example, each in zip(split.held_out, drawn, strict=True)]
    curves = judging.Curves.of(found)
    rows = [
        _row(example, each, place, curves)
        for place, (example, each) in enumerate(zip(split.held_out, seen, strict=True))
    ]
    return rows, drawn, decoder, total


def _answers(split: Split, sent: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    with torch.no_grad():
        parts = torch.from_numpy(sent).split(64)
        return torch.cat([split.network.tail(part.to(split.device)).cpu() for part in parts]).numpy()


def _row(example: Example, seen: Seen, place: int, curves: judging.Curves) -> dict[str, Any]:
    steps = {score: curves.steps[score][place] for score in curves.steps}
    first = next(iter(steps.values()))
    return {
        "fold": example.fold,
        "faces": first.faces,
        "chances": first.chances.tolist(),
        "gains": {score: each.gains.tolist() for score, each in steps.items()},
        **{name: None if math.isnan(value) else value for name, value in vars(seen).items()},
    }


def _keep(output: Path, split: Split, drawn: Pixels, decoder: attack.Decoder, total: npt.NDArray[np.float32]) -> None:
    write_whole(output / DECODER, attack.save(decoder, total))
    few = [place for place, example in enumerate(split.held_out) if example.faces][:EXAMPLES_SHOWN]
    file = io.BytesIO()
    np.savez(file, pictures=dataset.batch([split.held_out[place] for place in few]), drawn=drawn[few])
    write_whole(output / SHOWN, file.getvalue())


def _means(found: dict[str, Any]) -> dict[str, dict[str, float]]:
    made = {}
    for kind, rows in found.items():
        point = judging.Point.of(rows)
        made[kind] = {name: round(value, 4) for name, value in point.figures().items()}
    return made


def _done(output: Path, identity: str) -> dict[str, Any] | None:
    """What an earlier try has finished."""
    try:
        told = json.loads((output / POINTS).read_text())
    except (OSError, ValueError):
        return None
    return dict(told) if told.get("identity") == identity else None


def sweep_folder(run: RunFile) -> str | None:
    return f"{run.run_folder}/{SWEEP_FOLDER}" if run.run_folder else None


def _noise_steps(run: RunFile) -> int | None:
    return run.parameters.get("noise_steps")


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    add_data_flags(flags)
    flags.add_argument("--network", required=True, help="folder that train left", from_run=network_folder)
    flags.output("folder of the sweep", from_run=sweep_folder)
    flags.add_argument("--alpha", type=float, required=True, help="share of noise, from 0 to below 1")
    flags.add_argument(
        "--noise-steps", dest="steps", type=int, default=noise.STEPS, help="of fitting the noise", from_run=_noise_steps
    )
    flags.add_argument(
        "--adapt-gaussian", action="store_true", help="adapt the network to plain noise too, for as many steps"
    )
    flags.add_argument("--attack-steps", type=int, default=attack.STEPS, help="of training an attacker")
    flags.add_argument("--seed", type=int, default=1)
    # One: those of other ALPHAs run beside it.
    flags.add_argument("--threads", type=int, default=1, help="for arithmetic; another number: other last bits")
    flags.add_argument("--device", default=device.AUTO, help="cpu, cuda, or auto: the GPU that the place gives")
    return flags.parse()


if __name__ == "__main__":
    program.run(main)
