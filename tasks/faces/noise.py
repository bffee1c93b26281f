"""What is done between head and tail so that the picture cannot be made out again, and how it is fitted.

The activation has as many features as it has channels: directions that vary independently of each other. ALPHA, from 0
to below 1, is how much is done to them: the mean, over the features, of the share of noise in what is sent of each. At
0 nothing is done; at 0.8 a feature is four parts noise to one part picture, on average. Three ways, so that the first
can be judged:

- *learned*: each feature has a normal distribution of its own. Features and shares are fitted, after the training of
  the detector, so that detection keeps its accuracy while a decoder, which is trained against it at the same time,
  fails; the mean of the shares stays ALPHA. Features that the detector does not need drown, the others stay audible.
- *gaussian*: the same noise everywhere, as strong as makes that mean. The learned one begins with it.
- *blur*: no noise; the picture itself is blurred before the head.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import conv2d, mse_loss

from tasks.common.program import BadInput
from tasks.common.progress import Progress
from tasks.faces import dataset
from tasks.faces.anchors import targets
from tasks.faces.attack import Decoder
from tasks.faces.configs import Configuration
from tasks.faces.dataset import Example
from tasks.faces.model import FaceBoxes
from tasks.faces.preprocessing import Pixels, normalise
from tasks.faces.training import loss_of

LEARNED, GAUSSIAN, BLUR = "learned", "gaussian", "blur"
KINDS = (LEARNED, GAUSSIAN, BLUR)
NOISE = "noise.npz"
STEPS, BATCH = 300, 16
RATE, TURNING_RATE, SPREADING_RATE, DECODER_RATE = 0.1, 0.01, 0.02, 3e-3
_AROUND = [(down, across) for down in range(3) for across in range(3)]
AGAINST = 1.0  # weight of the decoder's failure beside the detector's loss
HIGHEST = 0.9995  # share of noise in a feature
LOWEST = 0.01  # spread of a feature, as a share of the mean one: a channel that never moves is noised too
WIDEST = 1 / 64  # of the picture's side: standard deviation of the blur where ALPHA is 0.5

Activation = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Noise:
    """What is added, made of independent normal numbers: one for each feature and place, spread by the feature's
    ``kernels`` [features, 3, 3] over the places around, and mixed into channels by ``mixing`` [channels, features].

    ``blur`` is in pixels of the network.
    """

    kind: str
    alpha: float
    mixing: Activation
    kernels: Activation
    blur: float = 0.0

    @property
    def deviation(self) -> Activation:
        """Of what is added to each channel [channels]."""
        power = (self.kernels.astype(np.float64) ** 2).sum(axis=(1, 2))
        return np.sqrt((self.mixing.astype(np.float64) ** 2) @ power).astype(np.float32)

    def add(self, activations: Activation, rng: np.random.Generator) -> Activation:
        """Activations [N, channels, height, width] as they are sent, each with noise of its own."""
        count, channels, height, width = activations.shape
        drawn = rng.standard_normal((count, channels, height + 2, width + 2), np.float32)
        spread = np.zeros_like(activations)
        for down, across in _AROUND:
            weights = self.kernels[:, down, across][:, None, None]
            if weights.any():
                spread += weights * drawn[:, :, down : down + height, across : across + width]
        mixed = np.matmul(self.mixing, spread.reshape(count, channels, -1)).reshape(activations.shape)
        found: Activation = activations + mixed
        return found

    def prepare(self, pixels: Pixels) -> Pixels:
        """What is done to pictures [N, colours, side, side] before the head: blurred, or nothing."""
        if self.blur <= 0:
            return pixels
        return np.stack([[cv2.GaussianBlur(each, (0, 0), self.blur) for each in picture] for picture in pixels])

    def save(self) -> bytes:
        file = io.BytesIO()
        np.savez(
            file,
            mixing=self.mixing,
            kernels=self.kernels,
            told=np.array(json.dumps([self.kind, self.alpha, self.blur])),
        )
        return file.getvalue()

    @classmethod
    def load(cls, content: bytes, name: str) -> Noise:
        """From a file's bytes. Raises BadInput for what is none."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                kind, alpha, blur = json.loads(str(file["told"]))
                mixing, kernels = (np.asarray(file[name], np.float32) for name in ("mixing", "kernels"))
                made = cls(str(kind), float(alpha), mixing, kernels, float(blur))
        except Exception as error:  # zip's, numpy's and JSON's own have no common name
            raise BadInput(f"{name} holds no noise ({error}); take the file that the training left.") from None
        count = len(made.mixing)
        fitting = made.mixing.shape == (count, count) and made.kernels.shape == (count, 3, 3)
        if made.kind not in KINDS or not fitting or not np.isfinite(made.deviation).all():
            raise BadInput(f"{name} holds no noise that can be added; take the file that the training left.")
        return made


def checked(alpha: float) -> float:
    """Return ALPHA. Raises BadInput for one that is out of range."""
    if not 0 <= alpha < 1:
        raise BadInput(f"ALPHA is {alpha:g}; it is the share of noise, from 0 (none) to below 1, such as 0.8.")
    return alpha


@dataclass(frozen=True)
class Features:
    """How activations vary: ``spread`` of each channel, and, once all channels have the same, their independent
    ``directions`` [channels, features] with the ``power`` of each."""

    spread: Activation
    directions: Activation
    power: Activation

    @classmethod
    def of(cls, activations: Activation) -> Features:
        """From activations [N, channels, height, width] of clear pictures."""
        each = activations.std(axis=(0, 2, 3), dtype=np.float64)
        spread = np.maximum(each, LOWEST * each.mean())
        rows = activations.transpose(1, 0, 2, 3).reshape(len(each), -1) / spread[:, None]
        power, directions = np.linalg.eigh(np.cov(rows))
        power = np.maximum(power, LOWEST**2)
        return cls(spread.astype(np.float32), directions.astype(np.float32), power.astype(np.float32))

    def white(self, alpha: float) -> float:
        """Power of a noise that is the same in all directions and makes the mean share ``alpha``."""
        low, high = 1e-12, 1e12
        for _ in range(100):
            middle = float(np.sqrt(low * high))
            low, high = (middle, high) if float((middle / (middle + self.power)).mean()) < alpha else (low, middle)
        return float(np.sqrt(low * high))


def plain(kind: str, alpha: float, chosen: Configuration, features: Features) -> Noise:
    """Return one of the two baselines."""
    nothing = np.zeros_like(features.directions)
    if checked(alpha) == 0:
        return Noise(kind, 0.0, nothing, alone(len(nothing)))
    if kind == BLUR:
        return Noise(BLUR, alpha, nothing, alone(len(nothing)), WIDEST * chosen.side * alpha / (1 - alpha))
    mixing = np.diag(features.spread * np.float32(np.sqrt(features.white(alpha))))
    return Noise(GAUSSIAN, alpha, mixing, alone(len(mixing)))


def alone(features: int) -> Activation:
    """Kernels [features, 3, 3] that leave each place's noise to itself."""
    found = np.zeros((features, 3, 3), np.float32)
    found[:, 1, 1] = 1
    return found


def fit(
    network: FaceBoxes,
    chosen: Configuration,
    examples: Sequence[Example],
    alpha: float,
    *,
    seed: int,
    steps: int = STEPS,
    against: float = AGAINST,
    device: str = "cpu",
) -> Noise:
    """Fit the learned noise on ``examples``; the network stays as it is."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    data = _Batches(network, chosen, examples, device)
    if checked(alpha) == 0:
        return Noise(LEARNED, 0.0, np.zeros_like(data.features.directions), alone(len(data.features.directions)))
    decoder, fitted = Decoder(chosen).to(device), _Fitted(data.features, alpha, device)
    fitter = torch.optim.Adam(
        [
            {"params": [fitted.wanted], "lr": RATE},
            {"params": [fitted.turned], "lr": TURNING_RATE},
            {"params": [fitted.around], "lr": SPREADING_RATE},
        ]
    )
    attacker = torch.optim.Adam(decoder.parameters(), lr=DECODER_RATE)
    power = data.pictures.var()
    with Progress(steps, "steps", f"Learning noise at ALPHA {alpha:g}") as progress:
        for _ in range(steps):
            clean, pictures, offsets, faces = data.draw(rng)
            mixing = fitted.mixing()
            noise = torch.einsum("cd,ndhw->nchw", mixing, fitted.drawn(clean))
            total = torch.sqrt(fitted.spread**2 + (mixing**2).sum(1))[:, None, None]
            heard = (clean + noise) / total
            attacker.zero_grad()
            mse_loss(decoder(heard.detach()), pictures).backward()  # type: ignore[no-untyped-call]
            attacker.step()
            fitter.zero_grad()
            seen = mse_loss(decoder(heard), pictures) / power
            (loss_of(network.tail(clean + noise), offsets, faces) - against * seen).backward()
            fitter.step()
            progress.advance()
    with torch.no_grad():
        return Noise(LEARNED, alpha, fitted.mixing().cpu().numpy(), fitted.kernels().cpu().numpy())


class _Fitted:
    """What is learned: how the directions are ``turned``, and how much noise each ``wanted``, as a logit."""

    def __init__(self, features: Features, alpha: float, device: str) -> None:
        def tensor(values: Activation) -> Tensor:
            return torch.from_numpy(values).to(device)

        self.alpha = alpha
        self.spread, self._power, self._directions = map(tensor, (features.spread, features.power, features.directions))
        # As plain noise has it: log(share / (1 - share)).
        self.wanted = tensor(np.log(np.float32(features.white(alpha)) / features.power)).requires_grad_()
        self.turned = torch.zeros_like(self._directions).requires_grad_()
        self.around = tensor(alone(len(features.spread))).requires_grad_()

    def kernels(self) -> Tensor:
        """[features, 3, 3], of power 1."""
        return self.around / torch.linalg.vector_norm(self.around, dim=(1, 2), keepdim=True)

    def drawn(self, like: Tensor) -> Tensor:
        """Noise of power 1 in each feature and place, as ``Noise.add`` draws it."""
        count, channels, height, width = like.shape
        numbers = torch.randn(count, channels, height + 2, width + 2, device=like.device)
        return conv2d(numbers, self.kernels()[:, None], groups=channels)

    def mixing(self) -> Tensor:
        """[channels, features], the mean share of noise being ALPHA."""
        turn = torch.matrix_exp(self.turned - self.turned.T)
        power = (self._power[:, None] * turn**2).sum(0)
        noisy = shares(self.wanted, self.alpha).clamp(max=HIGHEST)
        return self.spread[:, None] * (self._directions @ turn) * torch.sqrt(power * noisy / (1 - noisy))


def shares(wanted: Tensor, alpha: float) -> Tensor:
    """Share of noise of each feature, between 0 and 1, the mean being ``alpha``; what is free is ``wanted``."""
    with torch.no_grad():
        low, high = -30.0, 30.0
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if torch.sigmoid(wanted + middle).mean() < alpha else (low, middle)
        offset = (low + high) / 2
        slope = (torch.sigmoid(wanted + offset) * (1 - torch.sigmoid(wanted + offset))).mean().clamp(min=1e-6)
    # One step of Newton's from there moves nothing, but has the derivative of the offset that keeps the mean.
    return torch.sigmoid(wanted + offset - (torch.sigmoid(wanted + offset).mean() - alpha) / slope)


class _Batches:
    """Activations and targets of all examples, made once: neither half of the network is trained any more."""

    def __init__(self, network: FaceBoxes, chosen: Configuration, examples: Sequence[Example], device: str) -> None:
        network.to(device).eval().requires_grad_(False)
        self.pictures = torch.from_numpy(normalise(dataset.batch(examples))).to(device)
        with torch.no_grad():
            self.activations = torch.cat([network.head(part) for part in self.pictures.split(64)])
        self.features = Features.of(self.activations.cpu().numpy())
        pairs = [targets(chosen, boxes) for boxes in dataset.truth(examples)]
        self.offsets = torch.from_numpy(np.stack([offsets for offsets, _ in pairs])).to(device)
        self.faces = torch.from_numpy(np.stack([faces for _, faces in pairs])).to(device)

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        places: Any = torch.from_numpy(rng.integers(0, len(self.pictures), BATCH)).to(self.pictures.device)
        return self.activations[places], self.pictures[places], self.offsets[places], self.faces[places]
