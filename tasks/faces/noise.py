"""What is done between head and tail so that the picture cannot be made out again, and how it is fitted.

The activation has as many features as it has channels: directions that vary independently of each other. ALPHA, from 0
to below 1, is how much is done to them: the mean, over the features, of the share of noise in what is sent of each. At
0 nothing is done; at 0.8 a feature is four parts noise to one part picture, on average. Three ways, so that the first
can be judged:

- *learned*: each feature has a normal distribution of its own. Features and shares are fitted, after the training of
  the detector, so that detection keeps its accuracy while the faces of a decoder, which is trained against it at the
  same time, are unlike the true ones; the mean of the shares stays ALPHA. The detector is adapted with it: its head
  learns to leave out what only the decoder needs, its tail to hear what is left.
- *gaussian*: the same noise everywhere, as strong as makes that mean. The learned one begins with it. The detector has
  heard it in its training, and may be adapted to it for as many steps as to the learned one.
- *blur*: no noise; the picture itself is blurred before the head, and the detector stays as it is.
"""

from __future__ import annotations

import copy
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, mse_loss

from tasks.common.program import BadInput
from tasks.common.progress import Progress
from tasks.faces import dataset
from tasks.faces.anchors import Boxes
from tasks.faces.attack import Decoder
from tasks.faces.configs import Configuration
from tasks.faces.dataset import Example
from tasks.faces.model import FaceBoxes
from tasks.faces.preprocessing import Pixels, normalise
from tasks.faces.privacy import SMALLEST
from tasks.faces.training import loss, varied

LEARNED, GAUSSIAN, BLUR = "learned", "gaussian", "blur"
KINDS = (LEARNED, GAUSSIAN, BLUR)
NOISE = "noise.npz"
STEPS, BATCH = 400, 24
RATE, TURNING_RATE, SPREADING_RATE, DECODER_RATE = 0.1, 0.01, 0.02, 3e-3
_AROUND = [(down, across) for down in range(3) for across in range(3)]
GENTLY = 1 / 8  # of the training's learning rate: the network is only adapted
FOLLOWING = 0.05  # weight of a batch's covariance against those before
ALONE = 50  # steps that the decoder learns before anything hides from it
LEARNS = 2  # steps of the decoder for one of the noise: one that falls behind is no measure of what an attacker sees
AGAINST = 3.0  # weight of the decoder's likeness beside the detector's loss
_C1, _C2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2  # of SSIM, for values over a range of 2
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
        return white(self.power, alpha)


def white(power: Activation, alpha: float) -> float:
    """Power of a noise that is the same in all directions and makes the mean share ``alpha``, by their ``power``."""
    low, high = 1e-12, 1e12
    for _ in range(100):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if float((middle / (middle + power)).mean()) < alpha else (low, middle)
    return math.sqrt(low * high)


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
    kind: str = LEARNED,
    steps: int = STEPS,
    against: float = AGAINST,
    device: str = "cpu",
) -> tuple[Noise, FaceBoxes]:
    """Return noise, and a copy of the network that was trained further with it, on ``examples``.

    :param kind: learned, or gaussian, which stays plain and has no decoder to hide from.
    :param against: weight of the decoder's failure beside the detector's loss.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    fitted = _Fitted(kind, checked(alpha), activations(network, dataset.batch(examples), device), device)
    if alpha == 0:
        return plain(kind, 0.0, chosen, fitted.features), network
    network = copy.deepcopy(network).to(device).eval().requires_grad_(True)
    decoder = Decoder(chosen).to(device)
    trainer = torch.optim.AdamW(
        network.parameters(), lr=chosen.learning_rate * GENTLY, weight_decay=chosen.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(trainer, chosen.learning_rate * GENTLY, total_steps=max(steps, 2))
    fitter, attacker = fitted.optimizer(), torch.optim.Adam(decoder.parameters(), lr=DECODER_RATE)
    with Progress(steps, "steps", f"Fitting {kind} noise and the network at ALPHA {alpha:g}") as progress:
        for step in range(steps):
            group = [examples[place] for place in rng.integers(0, len(examples), BATCH)]
            pixels, boxes = varied(rng, dataset.batch(group), dataset.truth(group))
            pictures = torch.from_numpy(normalise(pixels)).to(device)
            clean = network.head(pictures)
            fitted.follow(clean.detach(), FOLLOWING)
            sent, heard = fitted.send(clean)
            wrong = loss(chosen, network.tail(sent), boxes)
            if kind == LEARNED:
                for _ in range(LEARNS):
                    with torch.no_grad():
                        _, again = fitted.send(clean)
                    attacker.zero_grad()
                    mse_loss(decoder(again), pictures).backward()  # type: ignore[no-untyped-call]
                    attacker.step()
                if step >= ALONE:
                    wrong = wrong + against * likeness(decoder(heard), pictures, boxes)
            trainer.zero_grad()
            fitter.zero_grad()
            wrong.backward()  # type: ignore[no-untyped-call]
            trainer.step()
            fitter.step()
            schedule.step()
            progress.advance()
    network.eval().requires_grad_(False)
    fitted.follow(torch.from_numpy(activations(network, dataset.batch(examples), device)).to(device), 1.0)
    with torch.no_grad():
        mixing, kernels = (each.cpu().numpy() for each in (fitted.mixing(), fitted.kernels()))
    return Noise(kind, alpha, mixing, kernels), network


def activations(network: FaceBoxes, pixels: Pixels, device: str = "cpu") -> Activation:
    """[N, channels, height, width] of pictures [N, colours, side, side]."""
    network.to(device).eval()
    with torch.no_grad():
        parts = torch.from_numpy(normalise(pixels)).split(64)
        found: Activation = torch.cat([network.head(part.to(device)).cpu() for part in parts]).numpy()
    return found


def likeness(drawn: Tensor, pictures: Tensor, boxes: Sequence[Boxes]) -> Tensor:
    """Mean SSIM [] of pictures [N, colours, side, side], grey values from -1 to 1, where the faces are."""
    side = pictures.shape[-1]
    faces = torch.zeros_like(pictures[:, :1])
    for place, found in enumerate(boxes):
        for left, top, right, bottom in found * side:
            faces[place, :, int(top) : math.ceil(bottom), int(left) : math.ceil(right)] = 1

    def mean(values: Tensor) -> Tensor:
        return avg_pool2d(values, SMALLEST, 1, SMALLEST // 2, count_include_pad=False)

    drawn, pictures = drawn + 1, pictures + 1  # SSIM's brightness counts from black
    one, other = mean(drawn), mean(pictures)
    spread = mean(drawn**2) - one**2 + mean(pictures**2) - other**2
    alike = (2 * one * other + _C1) * (2 * (mean(drawn * pictures) - one * other) + _C2)
    ssim = alike / ((one**2 + other**2 + _C1) * (spread + _C2))
    return (ssim.mean(1, keepdim=True) * faces).sum() / faces.sum().clamp(min=1)


class _Fitted:
    """The noise while it is fitted: how the directions are ``turned``, how much noise each ``wanted``, as a logit, and
    how it is spread ``around``. The ``covariance`` [channels, channels] of the activations follows the head's changes.
    """

    def __init__(self, kind: str, alpha: float, clean: Activation, device: str) -> None:
        self.kind, self.alpha = kind, alpha
        self.features = Features.of(clean)
        self.covariance = torch.zeros(len(self.features.spread), len(self.features.spread), device=device)
        self.follow(torch.from_numpy(clean).to(device), 1.0)
        self._directions = torch.from_numpy(self.features.directions).to(device)
        # As plain noise has it: log(share / (1 - share)).
        white = np.float32(self.features.white(alpha)) if alpha else np.float32(1)
        self.wanted = torch.from_numpy(np.log(white / self.features.power)).to(device).requires_grad_()
        self.turned = torch.zeros_like(self._directions).requires_grad_()
        self.around = torch.from_numpy(alone(len(self.features.spread))).to(device).requires_grad_()

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            [
                {"params": [self.wanted], "lr": RATE},
                {"params": [self.turned], "lr": TURNING_RATE},
                {"params": [self.around], "lr": SPREADING_RATE},
            ]
        )

    def follow(self, clean: Tensor, weight: float) -> None:
        """Take activations [N, channels, height, width] into account, with so much weight against those before."""
        self.covariance = torch.lerp(self.covariance, torch.cov(clean.transpose(0, 1).flatten(1)), weight)
        each = self.covariance.diagonal().sqrt()
        self.spread = torch.maximum(each, LOWEST * each.mean())

    def send(self, clean: Tensor) -> tuple[Tensor, Tensor]:
        """What is sent, and the same in units of its spread, as an attacker hears it."""
        mixing = self.mixing()
        sent = clean + torch.einsum("cd,ndhw->nchw", mixing, self.drawn(clean))
        return sent, sent / torch.sqrt(self.spread**2 + (mixing**2).sum(1))[:, None, None]

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
        alike = self.covariance / torch.outer(self.spread, self.spread)
        if self.kind == GAUSSIAN:
            power = torch.linalg.eigvalsh(alike).clamp(min=LOWEST**2).cpu().numpy()
            return torch.diag(self.spread * math.sqrt(white(power, self.alpha)))
        basis = self._directions @ torch.matrix_exp(self.turned - self.turned.T)
        power = ((alike @ basis) * basis).sum(0).clamp(min=LOWEST**2)
        noisy = shares(self.wanted, self.alpha).clamp(max=HIGHEST)
        return self.spread[:, None] * basis * torch.sqrt(power * noisy / (1 - noisy))


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
