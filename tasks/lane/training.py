"""The training loop of one or several processes, and its state.

The same data, configuration, seed, threads and number of processes give the same weights, bit for bit, also when
stopped and resumed; other numbers of processes with the same batch together give the same but for rounding.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from tasks.common.processes import Group
from tasks.common.program import BadInput, Stopped, stop_deferred, stop_requested
from tasks.common.progress import Progress, say
from tasks.common.result import write_whole
from tasks.lane.configs import Configuration
from tasks.lane.dataset import Scenes
from tasks.lane.judging import figures_of, mean_of
from tasks.lane.loading import Batch, Loader, Prepared
from tasks.lane.model import LaneNetwork, build

WARM_UP, LOWEST_RATE = 0.15, 0.02
"""Part of all steps in which the learning rate rises, and the share of the highest rate that is its least."""
STEEPEST = 1.0
"""Norm to which longer gradients are cut, over all weights: messages add up along a picture."""


@dataclass
class State:
    """Between two steps of a training: all that the rest of it depends on. ``step`` counts those of the epoch."""

    network: LaneNetwork
    optimizer: torch.optim.Optimizer
    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    """Summed over the pictures of the epoch so far, of this process."""
    history: list[dict[str, float]] = field(default_factory=list)
    """One entry per finished epoch, ``time_ms`` among them."""


@dataclass(frozen=True)
class Training:
    """One training. ``identity`` says which; a checkpoint of another one is refused."""

    scenes: Scenes
    configuration: Configuration
    seed: int
    identity: str
    checkpoint: Path
    group: Group
    loader_workers: int = 0
    validate: bool = True

    def run(self, on_epoch: Callable[[int, dict[str, float]], None]) -> State:
        """Train to the last epoch, from the checkpoint if there is one.

        ``on_epoch`` gets the number, from 1, and figures of every epoch, those before the checkpoint too. After SIGTERM
        to any of the processes all stop at the same step, a checkpoint is left, and Stopped is raised.
        """
        state = self._begin()
        for number, figures in enumerate(state.history, 1):
            on_epoch(number, figures)
        if state.epoch or state.step:
            inside = f", within epoch {state.epoch + 1}" if state.step else ""
            say(f"Going on after epoch {state.epoch}{inside}, from the checkpoint of an earlier try")
        shared, loader = self.group.share(state.network), self._loader(state.network)
        with stop_deferred():
            while state.epoch < self.configuration.epochs:
                if not self._epoch(state, shared, loader):
                    self._save(state)
                    raise Stopped
                on_epoch(state.epoch, state.history[-1])
        return state

    def _begin(self) -> State:
        torch.manual_seed(self.seed)
        chosen = self.configuration
        network = build(chosen.network, chosen.width, chosen.height).to(self.group.device)
        optimizer = torch.optim.AdamW(network.parameters(), lr=chosen.learning_rate, weight_decay=chosen.weight_decay)
        state = State(network, optimizer)
        if self.checkpoint.exists():
            self._load(state)
        return state

    def _loader(self, network: LaneNetwork) -> Loader:
        shape = (self.configuration.height, self.configuration.width)
        with torch.no_grad():
            rows, columns = network.eval()(torch.zeros(1, 3, *shape, device=self.group.device))[0].shape[2:]
        training = self.scenes.training
        prepared = Prepared(self.scenes, training, self.seed, network.channels, (rows, columns))
        batch = self.configuration.batch_size
        return Loader(prepared, len(training), batch, self.seed, self.group, self.loader_workers)

    def _epoch(self, state: State, shared: nn.Module, loader: Loader) -> bool:
        """Train to the end of the epoch; False where all processes stop before it."""
        begun, sent, seen = time.perf_counter(), self.group.communication_s, 0
        loader.waited_s = 0.0
        what = f"Epoch {state.epoch + 1} of {self.configuration.epochs}"
        with Progress(len(self.scenes.training), "pictures", what) as progress:
            for batch in loader.epoch(state.epoch, state.step):
                if self.group.stops(stop_requested()):
                    return False
                self._step(state, shared, batch, loader.steps)
                seen += batch.of
                progress.advance(batch.of, f"loss {state.loss / state.step / self.configuration.batch_size:.3f}")
        seconds = time.perf_counter() - begun
        times = {
            "epoch_s": seconds,
            "loader_s": loader.waited_s,
            "communication_s": self.group.communication_s - sent,
            "step_s": seconds - loader.waited_s - (self.group.communication_s - sent),
            "pictures_per_s": seen / seconds,
        }
        self._finish_epoch(state, times)
        return True

    def _step(self, state: State, shared: nn.Module, batch: Batch, steps: int) -> None:
        for group in state.optimizer.param_groups:
            group["lr"] = self._rate(state, steps)
        shared.train()
        state.optimizer.zero_grad()
        device = self.group.device
        lanes, exists = shared(batch.pictures.to(device), batch.keep.to(device))
        losses = self._losses(lanes, exists, batch) * batch.weights.to(device)
        # The mean over the pictures of all processes: gradients are averaged over processes, whose shares may differ.
        (losses.sum() * self.group.size / batch.of).backward()
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), STEEPEST)
        state.optimizer.step()
        state.loss += float(losses.detach().sum())
        state.step += 1

    def _losses(self, lanes: Tensor, exists: Tensor, batch: Batch) -> Tensor:
        """Of each picture [n], so that the sum over all processes does not depend on how they share a batch."""
        device, chosen = self.group.device, self.configuration
        truth = batch.lanes.to(device)
        of_points = cross_entropy(lanes, truth, reduction="none")
        weights = torch.where(truth == 0, chosen.background_weight, 1.0)
        on_map = (of_points * weights).sum(dim=(1, 2)) / weights.sum(dim=(1, 2))
        there = binary_cross_entropy_with_logits(exists, batch.exists.to(device), reduction="none").mean(dim=1)
        return on_map + chosen.existence_weight * there

    def _rate(self, state: State, steps: int) -> float:
        done = (state.epoch * steps + state.step) / (self.configuration.epochs * steps)
        falling = (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2
        share = (done + 1 / (self.configuration.epochs * steps)) / WARM_UP if done < WARM_UP else falling
        return self.configuration.learning_rate * max(LOWEST_RATE, min(1.0, share))

    def _finish_epoch(self, state: State, times: dict[str, float]) -> None:
        (loss,) = self.group.total(state.loss)
        figures = {"train_loss": loss / len(self.scenes.training), **times}
        if self.validate:
            figures |= {f"held_out_{name}": value for name, value in self.validation(state.network).items()}
        if self.group.device.startswith("cuda"):
            figures["gpu_memory_gib"] = torch.cuda.max_memory_allocated() / 2**30
        state.history.append({**figures, "time_ms": int(time.time() * 1000)})
        state.epoch, state.step, state.loss = state.epoch + 1, 0, 0.0
        self._save(state)

    def validation(self, network: LaneNetwork) -> dict[str, float]:
        """Judge the held-out pictures, each process its share of them; the figures of all."""
        mine = self.scenes.held_out[self.group.rank :: self.group.size]
        judged = figures_of(network, self.scenes, mine, self.configuration.validation_batch, self.group.device)
        names = sorted(mean_of(judged))
        count, *sums = self.group.total(len(mine), *(sum(getattr(each, name) for each in judged) for name in names))
        return {name: total / count for name, total in zip(names, sums, strict=True)}

    def _save(self, state: State) -> None:
        """By the first process: all have the same weights."""
        if not self.group.is_first:
            return
        content = {
            **{name: value for name, value in vars(state).items() if name not in ("network", "optimizer")},
            "network": state.network.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "identity": self.identity,
        }
        file = io.BytesIO()
        torch.save(content, file)
        write_whole(self.checkpoint, file.getvalue())

    def _load(self, state: State) -> None:
        content: dict[str, Any] = torch.load(self.checkpoint, map_location=self.group.device, weights_only=True)
        if content["identity"] != self.identity:
            raise BadInput(
                f"{self.checkpoint} is of another training (other data, configuration, seed, threads or number of "
                "processes): name another --output, or remove that folder to begin anew."
            )
        state.network.load_state_dict(content["network"])
        state.optimizer.load_state_dict(content["optimizer"])
        for name in ("epoch", "step", "history"):
            setattr(state, name, content[name])
        state.loss = content["loss"] if self.group.is_first else 0.0
