"""What the noise costs: head, noise and tail on one picture's activation, each its mean and spread.

    python -m tasks.faces.cost --model /models/r20261127...                         # the model's own picture size
    python -m tasks.faces.cost --configuration published --width 1920 --height 1080 --device cuda

Without a model the weights are new and the noise is drawn: times do not depend on their values. On a GPU everything
stays on it, and each time is taken once the device is done. The published figure, 5.07 ms for 1920 x 1080, is the mean
of five on a V100, of the noise step alone.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from tasks.common import device, program
from tasks.common.cli import Flags
from tasks.common.model_folder import DESCRIPTION
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.faces.configs import CONFIGURATIONS, configuration
from tasks.faces.export import read_network
from tasks.faces.model import FaceBoxes
from tasks.faces.noise import NOISE, Noise, alone
from tasks.faces.served import costs
from tasks.faces.train import set_up

REPEATS = 20


def main() -> dict[str, Any]:
    options = _options()
    options.device = device.chosen(options.device)
    set_up(options.threads)
    network, noise, chosen = _model(options)
    width, height = options.width or chosen.side, options.height or chosen.side
    if min(width, height) < 4 * chosen.stride or options.repeats < 1:
        raise BadInput(f"--width and --height start at {4 * chosen.stride}, --repeats at 1.")
    network = network.to(options.device).eval()
    picture = torch.rand(1, chosen.colours, height, width, device=options.device) * 2 - 1
    mixing = torch.from_numpy(noise.mixing).to(options.device)
    kernels = torch.from_numpy(noise.kernels).to(options.device)
    spent = []
    with torch.no_grad():
        for _ in range(options.repeats + 1):
            times = [_now(options.device)]
            clean = network.head(picture)
            times.append(_now(options.device))
            sent = add(clean, mixing, kernels)
            times.append(_now(options.device))
            network.tail(sent)
            times.append(_now(options.device))
            spent.append([1000 * (after - before) for before, after in itertools.pairwise(times)])
    told = costs(spent)
    ran_on = device.named(options.device)
    say(
        f"{width} x {height}, activation {' x '.join(map(str, clean.shape[1:]))}, on {ran_on} ({options.device}): "
        f"noise {told['noise_ms']:.2f} ms (standard deviation {told['noise_sd_ms']:.2f}), {told['noise_share']:.1%} of "
        f"{told['whole_ms']:.1f} ms for head, noise and tail"
    )
    return {"width": width, "height": height, "activation": list(clean.shape[1:]), "device": ran_on, **told}


def add(clean: Tensor, mixing: Tensor, kernels: Tensor) -> Tensor:
    """As ``Noise.add``, where the activation already is."""
    count, channels, height, width = clean.shape
    drawn = torch.randn(count, channels, height + 2, width + 2, device=clean.device)
    spread = conv2d(drawn, kernels[:, None], groups=channels)
    return clean + torch.matmul(mixing, spread.flatten(2)).view_as(clean)


def _now(where: str) -> float:
    if where.startswith(device.CUDA):
        torch.cuda.synchronize()
    return time.perf_counter()


def _model(options: argparse.Namespace) -> Any:
    if options.model:
        folder = Path(options.model)
        network, chosen, _ = read_network(folder, DESCRIPTION)
        return network, Noise.load((folder / NOISE).read_bytes(), str(folder / NOISE)), chosen
    chosen = configuration(options.configuration)
    channels = chosen.activation[0]
    rng = np.random.default_rng(1)
    mixing = rng.standard_normal((channels, channels)).astype(np.float32)
    return FaceBoxes(chosen), Noise("learned", 0.5, mixing, alone(channels)), chosen


def _options() -> argparse.Namespace:
    flags = Flags(__doc__)
    flags.add_argument("--model", help="folder of a model; its own configuration and noise", from_run=lambda run: None)
    flags.add_argument("--configuration", choices=CONFIGURATIONS, default="published", help="without a model")
    flags.add_argument("--width", type=int, help="of the picture in pixels; the network's side if not given")
    flags.add_argument("--height", type=int, help="of the picture in pixels; the network's side if not given")
    flags.add_argument("--repeats", type=int, default=REPEATS, help="after one to warm up")
    flags.add_argument("--threads", type=int, default=2)
    flags.add_argument("--device", default=device.AUTO, help="cpu, cuda, or auto: the GPU that the place gives")
    return flags.parse()


if __name__ == "__main__":
    program.run(main)
