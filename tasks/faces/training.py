"""The training loop and its state.

The same data, configuration, seed and threads give the same weights, bit for bit, also when stopped and resumed.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from tasks.common.program import BadInput, stop_deferred
from tasks.common.progress import Progress, say
from tasks.common.result import write_whole
from tasks.faces import dataset
from tasks.faces.anchors import Boxes, targets
from tasks.faces.configs import Configuration
from tasks.faces.dataset import Example
from tasks.faces.model import FaceBoxes
from tasks.faces.preprocessing import Pixels, normalise

NEGATIVES = 7  # anchors without a face that count, the worst ones, for each that has one
BOXES = 2.0  # weight of the boxes' loss beside that of the chances
WARM_UP = 0.2  # share of the steps in which the learning rate rises
_TURNED, _MOVED = np.array([-1, 1, -1, 1], np.float32), np.array([1, 0, 1, 0], np.float32)  # of a mirrored box
SHIFT = 0.06  # of the side, by which a picture is moved at random to each side


@dataclass
class State:
    """Between two epochs of a training: all that the rest of it depends on."""

    network: FaceBoxes
    optimizer: torch.optim.Optimizer
    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    """One entry per finished epoch, ``time_ms`` among them."""


@dataclass(frozen=True)
class Training:
    """One training run on ``examples``. ``identity`` says which; a checkpoint of another one is refused."""

    examples: Sequence[Example]
    chosen: Configuration
    seed: int
    identity: str
    checkpoint: Path
    device: str = "cpu"

    def run(self, on_epoch: Callable[[int, dict[str, float]], None]) -> State:
        """Train to the last epoch, from the checkpoint if there is one.

        ``on_epoch`` gets the number, from 1, and figures of every epoch, those before the checkpoint too. After SIGTERM
        the checkpoint of the last whole epoch is there and Stopped raised.
        """
        torch.manual_seed(self.seed)
        network = FaceBoxes(self.chosen).to(self.device)
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=self.chosen.learning_rate, weight_decay=self.chosen.weight_decay
        )
        state = State(network, optimizer)
        if self.checkpoint.exists():
            self._load(state)
            say(f"Going on after epoch {state.epoch}, from the checkpoint of an earlier try")
        for number, figures in enumerate(state.history, 1):
            on_epoch(number, figures)
        with Progress(self.chosen.epochs - state.epoch, "epochs", "Training") as progress:
            while state.epoch < self.chosen.epochs:
                self._epoch(state)
                with stop_deferred():
                    self._save(state)
                progress.advance(1, f"loss {state.history[-1]['train_loss']:.3f}")
                on_epoch(state.epoch, state.history[-1])
        return state

    def _epoch(self, state: State) -> None:
        begun, size = time.monotonic(), self.chosen.batch_size
        rng = np.random.default_rng([self.seed, state.epoch])
        torch.manual_seed(int(rng.integers(2**31)))  # of the noise: an epoch that is begun again hears the same
        order = rng.permutation(len(self.examples))
        state.network.train()
        total = 0.0
        for start in range(0, len(order), size):
            group = [self.examples[place] for place in order[start : start + size]]
            pixels, boxes = varied(rng, dataset.batch(group), dataset.truth(group))
            self._set_rate(state, start)
            state.optimizer.zero_grad()
            answers = self._answers(state, torch.from_numpy(normalise(pixels)).to(self.device))
            found = loss(self.chosen, answers, boxes)
            found.backward()  # type: ignore[no-untyped-call]
            state.optimizer.step()
            total += found.item() * len(group)
        state.epoch += 1
        figures = {
            "train_loss": total / len(order),
            "pictures_per_second": len(order) / (time.monotonic() - begun),
            "time_ms": int(time.time() * 1000),
        }
        state.history.append(figures)

    def _answers(self, state: State, pictures: Tensor) -> Tensor:
        """With noise of any strength between the halves, so that the tail has heard some before any is fitted."""
        clean: Tensor = state.network.head(pictures)
        alphas = torch.rand(len(clean), 1, 1, 1, device=self.device) * self.chosen.noisy
        varies = clean.detach().std(dim=(0, 2, 3), keepdim=True)
        noise = varies * torch.sqrt(alphas / (1 - alphas)) * torch.randn_like(clean)
        found: Tensor = state.network.tail(clean + noise)
        return found

    def _set_rate(self, state: State, seen: int) -> None:
        done = (state.epoch + seen / len(self.examples)) / self.chosen.epochs
        falling = (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2
        for group in state.optimizer.param_groups:
            group["lr"] = self.chosen.learning_rate * max(0.02, done / WARM_UP if done < WARM_UP else falling)

    def _save(self, state: State) -> None:
        content = {
            "epoch": state.epoch,
            "history": state.history,
            "network": state.network.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "identity": self.identity,
            "configuration": asdict(self.chosen),
        }
        file = io.BytesIO()
        torch.save(content, file)
        write_whole(self.checkpoint, file.getvalue())

    def _load(self, state: State) -> None:
        content = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        if content["identity"] != self.identity:
            raise BadInput(
                f"{self.checkpoint} is of another training (other data, configuration, seed or threads): name another "
                "--output, or remove that folder to begin anew."
            )
        state.network.load_state_dict(content["network"])
        state.optimizer.load_state_dict(content["optimizer"])
        state.epoch, state.history = content["epoch"], content["history"]


def varied(rng: np.random.Generator, pixels: Pixels, boxes: list[Boxes]) -> tuple[Pixels, list[Boxes]]:
    """Mirror half of a batch, and move all of it a little; boxes that leave the picture are cut off at its edge."""
    side = pixels.shape[-1]
    pixels, boxes = pixels.copy(), [each.copy() for each in boxes]
    for place in np.flatnonzero(rng.random(len(pixels)) < 0.5):
        pixels[place] = pixels[place, :, :, ::-1]
        boxes[place] = boxes[place][:, [2, 1, 0, 3]] * _TURNED + _MOVED
    down, right = rng.integers(-int(SHIFT * side), int(SHIFT * side) + 1, size=2)
    padded = np.pad(pixels, [(0, 0), (0, 0), (abs(down), abs(down)), (abs(right), abs(right))], mode="edge")
    top, left = abs(down) - down, abs(right) - right
    moved = padded[:, :, top : top + side, left : left + side]
    offset = np.array([right, down, right, down], np.float32) / side
    return np.ascontiguousarray(moved), [np.clip(each + offset, 0, 1).astype(np.float32) for each in boxes]


def loss(chosen: Configuration, answers: Tensor, boxes: Sequence[Boxes]) -> Tensor:
    """How wrong the answers [N, anchors, 5] are about faces with these boxes, for each anchor that is a face's."""
    pairs = [targets(chosen, each) for each in boxes]
    offsets = torch.from_numpy(np.stack([each for each, _ in pairs])).to(answers.device)
    faces = torch.from_numpy(np.stack([each for _, each in pairs])).to(answers.device)
    return loss_of(answers, offsets, faces)


def loss_of(answers: Tensor, offsets: Tensor, faces: Tensor) -> Tensor:
    """The same, of targets [N, anchors, 4] and [N, anchors]."""
    count = faces.sum().clamp(min=1)
    every = binary_cross_entropy_with_logits(answers[..., 4], faces.float(), reduction="none")
    most = (NEGATIVES * faces.sum(1)).clamp(min=NEGATIVES, max=faces.shape[1])
    ranks = every.detach().masked_fill(faces, -1).argsort(1, descending=True).argsort(1)
    counted = faces | (ranks < most[:, None])
    chances = every[counted].sum() / count
    return chances + BOXES * smooth_l1_loss(answers[..., :4][faces], offsets[faces], reduction="sum") / count


def answers_of(network: nn.Module, pixels: Pixels, device: str = "cpu", size: int = 32) -> npt.NDArray[np.float32]:
    """[N, anchors, 5] for pictures [N, colours, side, side]."""
    network.eval()
    with torch.no_grad():
        found = [
            network(torch.from_numpy(normalise(pixels[start : start + size])).to(device)).cpu().numpy()
            for start in range(0, len(pixels), size)
        ]
    return np.concatenate(found)
