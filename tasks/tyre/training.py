"""The training loop and its state.

The same data, configuration, seed and threads give the same weights, bit for bit, also when stopped and resumed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tasks.common import training
from tasks.common.metrics import judge, softmax
from tasks.common.program import stop_deferred
from tasks.common.progress import Progress
from tasks.common.training import Checkpoint, OnEpoch, go_on, one_cycle, order
from tasks.tyre.configs import Configuration
from tasks.tyre.dataset import Example, Images, batches
from tasks.tyre.model import build

WARM_UP = 0.25  # share of the steps in which a one-cycle schedule rises
LOWEST_RATE = 0.01  # of the highest, at its end
JUDGING_BATCH = 64


@dataclass
class State(training.State):
    correct: int = 0
    """Images of the epoch so far that the network was right about."""

    def end_epoch(self, figures: Mapping[str, float]) -> None:
        super().end_epoch(figures)
        self.correct = 0


@dataclass(frozen=True)
class Training:
    """One training run. ``identity`` says which; a checkpoint of another one is refused."""

    images: Images
    configuration: Configuration
    seed: int
    identity: str
    checkpoint: Path
    device: str = "cpu"

    def run(self, on_epoch: OnEpoch) -> State:
        """Train to the last epoch, from the checkpoint if there is one (see ``go_on``).

        After SIGTERM a checkpoint of where it was is left and Stopped raised.
        """
        state = self._begin()
        go_on(state, self.configuration.epochs, lambda: self._epoch(state), self._kept, on_epoch)
        return state

    @property
    def _kept(self) -> Checkpoint:
        return Checkpoint(self.checkpoint, self.identity)

    def _begin(self) -> State:
        torch.manual_seed(self.seed)
        network = build(self.configuration.network).to(self.device)
        # Channels last, as the decoded images are: two thirds of the CPU time.
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # Decay pulls at the learned filters, which is what Adam's decoupled form does; 0 makes it plain Adam.
        rate, decay = self.configuration.learning_rate, self.configuration.weight_decay
        state = State(network, torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay))
        self._kept.load(state, self.device)
        return state

    def _epoch(self, state: State) -> None:
        begun, examples, size = time.monotonic(), self.images.training, self.configuration.batch_size
        left = [examples[i] for i in order(self.seed, state.epoch, len(examples))[state.step * size :]]
        what = f"Epoch {state.epoch + 1} of {self.configuration.epochs}"
        with Progress(len(left), "images", what) as progress:
            for pixels, labels in batches(self.images.store, left, size):
                with stop_deferred():
                    self._step(state, torch.from_numpy(pixels), torch.from_numpy(labels))
                progress.advance(len(labels), f"loss {state.loss / self._seen(state):.3f}")
        with stop_deferred():
            self._finish_epoch(state, len(left) / (time.monotonic() - begun))
            self._kept.save(state)

    def _step(self, state: State, pixels: Tensor, labels: Tensor) -> None:
        for group in state.optimizer.param_groups:
            group["lr"] = self._rate(state)
        if self.configuration.turns:
            pixels = _turned(pixels, int(np.random.default_rng([self.seed, state.epoch, state.step]).integers(8)))
        state.network.train()
        state.optimizer.zero_grad()
        for part, truth in zip(
            pixels.split(self.configuration.micro_batch), labels.split(self.configuration.micro_batch), strict=True
        ):
            logits = state.network(part.to(self.device, memory_format=torch.channels_last))
            loss = cross_entropy(logits, truth.to(self.device), reduction="sum")
            (loss / len(labels)).backward()
            state.loss += loss.item()
            state.correct += int((logits.argmax(1).cpu() == truth).sum())
        state.optimizer.step()
        state.step += 1

    def _rate(self, state: State) -> float:
        highest = self.configuration.learning_rate
        if self.configuration.schedule == "constant":
            return highest
        steps_per_epoch = math.ceil(len(self.images.training) / self.configuration.batch_size)
        done = (state.epoch * steps_per_epoch + state.step) / (self.configuration.epochs * steps_per_epoch)
        return highest * one_cycle(done, WARM_UP, LOWEST_RATE)

    def _finish_epoch(self, state: State, images_per_s: float) -> None:
        seen = self._seen(state)
        held_out = judge(*predict(state.network, self.images, self.images.held_out, self.device))
        figures = {
            "train_loss": state.loss / seen,
            "train_accuracy": state.correct / seen,
            "held_out_loss": held_out.log_loss,
            "held_out_accuracy": held_out.accuracy,
            "held_out_roc_auc": held_out.roc_auc,
            "images_per_second": images_per_s,
        }
        state.end_epoch(figures)

    def _seen(self, state: State) -> int:
        return min(state.step * self.configuration.batch_size, len(self.images.training))


def predict(
    network: nn.Module, images: Images, examples: list[Example], device: str = "cpu"
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], np.ndarray[Any, np.dtype[np.bool_]]]:
    """Chances [N] that ``examples``, in their order, are of the positive class, and which are."""
    network.eval()
    logits, labels = [], []
    with torch.no_grad():
        for pixels, truth in batches(images.store, examples, JUDGING_BATCH):
            parts = torch.from_numpy(pixels).split(8)  # for memory: the walkthrough's network takes 25 MB an image
            logits += [network(part.to(device, memory_format=torch.channels_last)).cpu().numpy() for part in parts]
            labels.append(truth)
    return softmax(np.concatenate(logits))[:, images.positive], np.concatenate(labels) == images.positive


def _turned(pixels: Tensor, how: int) -> Tensor:
    """One of the eight ways to lay a square down: bit 0 mirrors rows, bit 1 columns, bit 2 swaps them."""
    if how & 1:
        pixels = pixels.flip(2)
    if how & 2:
        pixels = pixels.flip(3)
    return pixels.transpose(2, 3) if how & 4 else pixels
