"""The training loop and its state.

The same data, configuration, seed and threads give the same weights, bit for bit, also when stopped and resumed.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from tasks.chest.configs import Configuration
from tasks.chest.dataset import Example, XRays, batches, truth
from tasks.chest.model import build
from tasks.chest.scoring import mean_auroc
from tasks.common.program import stop_deferred
from tasks.common.progress import Progress
from tasks.common.training import Checkpoint, OnEpoch, State, go_on, one_cycle, order

WARM_UP = 0.25  # share of the steps in which a one-cycle schedule rises
LOWEST_RATE = 0.01  # of the highest, at its end
JUDGING_BATCH = 64


@dataclass(frozen=True)
class Training:
    """One training run. ``identity`` says which; a checkpoint of another one is refused."""

    xrays: XRays
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
        rate, decay = self.configuration.learning_rate, self.configuration.weight_decay
        state = State(network, torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay))
        self._kept.load(state, self.device)
        return state

    def _epoch(self, state: State) -> None:
        begun, examples, size = time.monotonic(), self.xrays.training, self.configuration.batch_size
        left = [examples[i] for i in order(self.seed, state.epoch, len(examples))[state.step * size :]]
        with Progress(len(left), "pictures", f"Epoch {state.epoch + 1} of {self.configuration.epochs}") as progress:
            for pictures, labels in batches(self.xrays, left, size):
                with stop_deferred():
                    self._step(state, torch.from_numpy(pictures), torch.from_numpy(labels))
                progress.advance(len(labels), f"loss {state.loss / self._seen(state):.3f}")
        with stop_deferred():
            self._finish_epoch(state, len(left) / (time.monotonic() - begun))
            self._kept.save(state)

    def _step(self, state: State, pictures: Tensor, labels: Tensor) -> None:
        for group in state.optimizer.param_groups:
            group["lr"] = self._rate(state)
        state.network.train()
        state.optimizer.zero_grad()
        moved, most = self._moved(state, pictures), self.configuration.micro_batch
        for part, shown in zip(moved.split(most), labels.split(most), strict=True):
            logits = state.network(part.to(self.device))
            loss = binary_cross_entropy_with_logits(logits, shown.to(self.device), reduction="sum") / labels.shape[1]
            (loss / len(labels)).backward()  # type: ignore[no-untyped-call]
            state.loss += loss.item()
        state.optimizer.step()
        state.step += 1

    def _moved(self, state: State, pictures: Tensor) -> Tensor:
        most = self.configuration.shift
        if not most:
            return pictures
        down, right = np.random.default_rng([self.seed, state.epoch, state.step]).integers(-most, most + 1, size=2)
        return pictures.roll((int(down), int(right)), (2, 3))

    def _rate(self, state: State) -> float:
        highest = self.configuration.learning_rate
        if self.configuration.schedule == "constant":
            return highest
        steps_per_epoch = math.ceil(len(self.xrays.training) / self.configuration.batch_size)
        done = (state.epoch * steps_per_epoch + state.step) / (self.configuration.epochs * steps_per_epoch)
        return highest * one_cycle(done, WARM_UP, LOWEST_RATE)

    def _finish_epoch(self, state: State, pictures_per_s: float) -> None:
        logits = predict(state.network, self.xrays, self.xrays.held_out, self.device)
        state.end_epoch(
            {
                "train_loss": state.loss / self._seen(state),
                "held_out_mean_auroc": mean_auroc(logits, truth(self.xrays.held_out)),
                "pictures_per_second": pictures_per_s,
            }
        )

    def _seen(self, state: State) -> int:
        return min(state.step * self.configuration.batch_size, len(self.xrays.training))


def predict(network: nn.Module, xrays: XRays, examples: list[Example], device: str = "cpu") -> npt.NDArray[np.float64]:
    """Logits [N, findings] of ``examples``, in their order."""
    network.eval()
    with torch.no_grad():
        found = [
            network(torch.from_numpy(pictures).to(device)).cpu().numpy()
            for pictures, _ in batches(xrays, examples, JUDGING_BATCH)
        ]
    return np.concatenate(found).astype(np.float64)
