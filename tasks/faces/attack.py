"""An attacker who reads the wire: a decoder trained on pairs of a picture and what was sent of it.

The attacker knows the network, the noise's distribution and as many pictures as the defender, and has one look at what
is sent of a picture. What it makes out is compared with the picture where the faces are.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, relu

from tasks.common.progress import Progress
from tasks.faces.configs import Configuration

STEPS, BATCH, RATE = 300, 32, 3e-3
WIDTH = 64  # channels of the decoder

Activation = npt.NDArray[np.float32]


class Decoder(nn.Module):
    """Activations [N, channels, height, width] to pictures [N, colours, side, side], grey values from -1 to 1."""

    def __init__(self, chosen: Configuration, width: int = WIDTH) -> None:
        super().__init__()
        channels, stride = chosen.activation[0], chosen.stride
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.more = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.last = nn.Conv2d(width, chosen.colours * stride**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(stride)

    def forward(self, activations: Tensor) -> Tensor:
        found = relu(self.first(activations))
        for layer in self.more:
            found = found + relu(layer(found))
        drawn: Tensor = self.shuffle(self.last(found))
        return drawn


def scale(spread: Activation, deviation: Activation) -> Activation:
    """What is sent varies by so much [channels, 1, 1]: the attacker, who knows it, divides by it."""
    found: Activation = np.sqrt(spread**2 + deviation**2)[:, None, None]
    return found


def save(decoder: Decoder, total: Activation) -> bytes:
    """A trained attacker as a file's content; ``total`` is what it divides by."""
    file = io.BytesIO()
    torch.save({"weights": decoder.to("cpu").state_dict(), "total": torch.from_numpy(total)}, file)
    return file.getvalue()


def read(path: Path, chosen: Configuration) -> tuple[Decoder, Activation]:
    """What ``save`` wrote."""
    kept = torch.load(path, weights_only=True)
    decoder = Decoder(chosen)
    decoder.load_state_dict(kept["weights"])
    return decoder.eval(), kept["total"].numpy()


def train(
    chosen: Configuration,
    sent: Callable[[npt.NDArray[np.int64]], Activation],
    pictures: npt.NDArray[np.float32],
    *,
    seed: int,
    steps: int = STEPS,
    device: str = "cpu",
) -> Decoder:
    """Train a decoder on pairs.

    :param sent: what is sent of the pictures of these places, with new noise at every call, in units of its spread.
    :param pictures: [N, colours, side, side], grey values from -1 to 1.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    decoder = Decoder(chosen).to(device).train()
    optimizer = torch.optim.Adam(decoder.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=max(steps, 2))
    with Progress(steps, "steps", "Training the attacker") as progress:
        for _ in range(steps):
            places = rng.integers(0, len(pictures), BATCH)
            optimizer.zero_grad()
            made = decoder(torch.from_numpy(sent(places)).to(device))
            mse_loss(made, torch.from_numpy(pictures[places]).to(device)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            progress.advance()
    return decoder.eval()


def reconstruct(decoder: Decoder, sent: Activation, device: str = "cpu") -> npt.NDArray[np.uint8]:
    """What the attacker makes out [N, colours, side, side] of what was sent, in units of its spread."""
    with torch.no_grad():
        parts = [
            decoder(torch.from_numpy(sent[start : start + 64]).to(device)).cpu() for start in range(0, len(sent), 64)
        ]
    drawn = torch.cat(parts).clamp(-1, 1).numpy()
    return ((drawn + 1) * 127.5).round().astype(np.uint8)
