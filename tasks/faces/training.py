"""The training loop and its state.

The same data, configuration, seed and threads give the same weights, bit for bit, also when stopped and resumed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from tasks.common.program import stop_deferred
from tasks.common.progress import Progress
from tasks.common.training import Checkpoint, OnEpoch, State, go_on, one_cycle, order
from tasks.faces import dataset
from tasks.faces.anchors import Boxes, targets
from tasks.faces.configs import Configuration
from tasks.faces.dataset import Example
from tasks.faces.model import FaceBoxes
from tasks.faces.preprocessing import Pixels, normalise

NEGATIVES = 7  # anchors without a face that count, the worst ones, for each that has one
BOXES = 2.0  # weight of the boxes' loss beside that of the chances
WARM_UP = 0.2  # share of the steps in which the learning rate rises
LOWEST_RATE = 0.02  # of the highest, at the end
_TURNED, _MOVED = np.array([-1, 1, -1, 1], np.float32), np.array([1, 0, 1, 0], np.float32)  # of a mirrored box
SHIFT = 0.06  # of the side, by which a picture is moved at random to each side


@dataclass(frozen=True)
class Training:
    """One training run on ``examples``. ``identity`` says which; a checkpoint of another one is refused."""

    examples: Sequence[Example]
    chosen: Configuration
    seed: int
    identity: str
    checkpoint: Path
    device: str = "cpu"

    def run(self, on_epoch: OnEpoch) -> State:
        """Train to the last epoch, from the checkpoint if there is one (see ``go_on``).

        After SIGTERM a checkpoint of where it was is left and Stopped raised.
        """
        torch.manual_seed(self.seed)
        network = FaceBoxes(self.chosen).to(self.device)
        rate, decay = self.chosen.learning_rate, self.chosen.weight_decay
        state = State(network, torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay))
        kept = Checkpoint(self.checkpoint, self.identity)
        kept.load(state, self.device)
        with Progress(self.chosen.epochs - state.epoch, "epochs", "Training") as progress:
            go_on(state, self.chosen.epochs, lambda: self._epoch(state, kept, progress), kept, on_epoch)
        return state

    def _epoch(self, state: State, kept: Checkpoint, progress: Progress) -> None:
        begun, size = time.monotonic(), self.chosen.batch_size
        left = order(self.seed, state.epoch, len(self.examples))[state.step * size :]
        for start in range(0, len(left), size):
            with stop_deferred():
                self._step(state, [self.examples[place] for place in left[start : start + size]])
        loss = state.loss / len(self.examples)
        with stop_deferred():
            rate = len(left) / (time.monotonic() - begun)
            state.end_epoch({"train_loss": loss, "pictures_per_second": rate})
            kept.save(state)
        progress.advance(1, f"loss {loss:.3f}")

    def _step(self, state: State, group: Sequence[Example]) -> None:
        rng = np.random.default_rng([self.seed, state.epoch, state.step])
        torch.manual_seed(int(rng.integers(2**31)))  # of the noise: a step that is made again hears the same
        pixels, boxes = varied(rng, dataset.batch(group), dataset.truth(group))
        seen = state.step * self.chosen.batch_size / len(self.examples)
        share = one_cycle((state.epoch + seen) / self.chosen.epochs, WARM_UP, LOWEST_RATE)
        for parameters in state.optimizer.param_groups:
            parameters["lr"] = self.chosen.learning_rate * share
        state.network.train()
        state.optimizer.zero_grad()
        answers = self._answers(state.network, torch.from_numpy(normalise(pixels)).to(self.device))
        found = loss(self.chosen, answers, boxes)
        found.backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        state.loss += found.item() * len(group)
        state.step += 1

    def _answers(self, network: nn.Module, pictures: Tensor) -> Tensor:
        """With noise of any strength between the halves, so that the tail has heard some before any is fitted."""
        head, tail = network.get_submodule("head"), network.get_submodule("tail")
        clean: Tensor = head(pictures)
        alphas = torch.rand(len(clean), 1, 1, 1, device=self.device) * self.chosen.noisy
        varies = clean.detach().std(dim=(0, 2, 3), keepdim=True)
        noise = varies * torch.sqrt(alphas / (1 - alphas)) * torch.randn_like(clean)
        found: Tensor = tail(clean + noise)
        return found


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
