"""The training loop and its state.

The same data, configuration, seed and threads give the same weights, bit for bit, also when stopped and resumed.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tasks.common.metrics import judge, softmax
from tasks.common.program import BadInput, Stopped, stop_deferred
from tasks.common.progress import Progress, say
from tasks.common.result import write_whole
from tasks.tyre.configs import Configuration
from tasks.tyre.dataset import Example, Images, batches
from tasks.tyre.model import build

WARM_UP = 0.25  # share of the steps in which a one-cycle schedule rises
LOWEST_RATE = 0.01  # of the highest, at its end
JUDGING_BATCH = 64


@dataclass
class State:
    """Between two steps of a training: all that the rest of it depends on."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    epoch: int = 0
    step: int = 0
    """Batches done of the epoch."""
    loss: float = 0.0
    """Summed over the images of the epoch so far."""
    correct: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    """One entry per finished epoch, ``time_ms`` among them."""


@dataclass(frozen=True)
class Training:
    """One training run. ``identity`` says which; a checkpoint of another one is refused."""

    images: Images
    configuration: Configuration
    seed: int
    identity: str
    checkpoint: Path
    device: str = "cpu"

    def run(self, on_epoch: Callable[[int, dict[str, float]], None]) -> State:
        """Train to the last epoch, from the checkpoint if there is one.

        ``on_epoch`` gets the number, from 1, and figures of every epoch, those before the checkpoint too. After SIGTERM
        a checkpoint of where it was is left and Stopped raised.
        """
        state = self._begin()
        for number, figures in enumerate(state.history, 1):
            on_epoch(number, figures)
        if state.epoch or state.step:
            inside = f", within epoch {state.epoch + 1}" if state.step else ""
            say(f"Going on after epoch {state.epoch}{inside}, from the checkpoint of an earlier try")
        try:
            while state.epoch < self.configuration.epochs:
                self._epoch(state)
                on_epoch(state.epoch, state.history[-1])
        except Stopped:
            with stop_deferred():
                self._save(state)
            raise
        return state

    def _begin(self) -> State:
        torch.manual_seed(self.seed)
        network = build(self.configuration.network).to(self.device)
        # Channels last, as the decoded images are: two thirds of the CPU time.
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # Decay pulls at the learned filters, which is what Adam's decoupled form does; 0 makes it plain Adam.
        rate, decay = self.configuration.learning_rate, self.configuration.weight_decay
        state = State(network, torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay))
        if self.checkpoint.exists():
            self._load(state)
        return state

    def _epoch(self, state: State) -> None:
        begun = time.monotonic()
        examples = self.images.training
        order = np.random.default_rng([self.seed, state.epoch]).permutation(len(examples))
        left = [examples[i] for i in order[state.step * self.configuration.batch_size :]]
        what = f"Epoch {state.epoch + 1} of {self.configuration.epochs}"
        with Progress(len(left), "images", what) as progress:
            for pixels, labels in batches(self.images.store, left, self.configuration.batch_size):
                with stop_deferred():
                    self._step(state, torch.from_numpy(pixels), torch.from_numpy(labels))
                progress.advance(len(labels), f"loss {state.loss / self._seen(state):.3f}")
        with stop_deferred():
            self._finish_epoch(state, len(left) / (time.monotonic() - begun))
            self._save(state)

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
        falling = (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2
        return highest * max(LOWEST_RATE, done / WARM_UP if done < WARM_UP else falling)

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
            "time_ms": int(time.time() * 1000),
        }
        state.history.append(figures)
        state.epoch, state.step, state.loss, state.correct = state.epoch + 1, 0, 0.0, 0

    def _seen(self, state: State) -> int:
        return min(state.step * self.configuration.batch_size, len(self.images.training))

    def _save(self, state: State) -> None:
        content = {
            **{name: value for name, value in vars(state).items() if name not in ("network", "optimizer")},
            "network": state.network.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "identity": self.identity,
            "configuration": asdict(self.configuration),
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
        torch.set_rng_state(content["random"].cpu())
        for name in ("epoch", "step", "loss", "correct", "history"):
            setattr(state, name, content[name])


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
