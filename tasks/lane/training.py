"""The training loop of one or several processes, and its state.

The same data, configuration, seed, threads and number of processes give the same weights, bit for bit, also when
stopped and resumed; other numbers of processes with the same batch together give the same but for rounding.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from tasks.common import training
from tasks.common.processes import Group
from tasks.common.program import Stopped, stop_deferred, stop_requested
from tasks.common.progress import Progress
from tasks.common.training import Checkpoint, OnEpoch, go_on, one_cycle
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
class State(training.State):
    """``loss`` is of this process."""

    network: LaneNetwork


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

    def run(self, on_epoch: OnEpoch) -> State:
        """Train to the last epoch, from the checkpoint if there is one (see ``go_on``).

        After SIGTERM to any of the processes all stop at the same step, a checkpoint is left, and Stopped is raised.
        """
        state = self._begin()
        shared, loader = self.group.share(state.network), self._loader(state.network)
        with stop_deferred():
            epochs = self.configuration.epochs
            go_on(state, epochs, lambda: self._epoch(state, shared, loader), self._kept, on_epoch)
        return state

    @property
    def _kept(self) -> Checkpoint:
        return Checkpoint(self.checkpoint, self.identity, writes=self.group.is_first)

    def _begin(self) -> State:
        torch.manual_seed(self.seed)
        chosen = self.configuration
        network = build(chosen.network, chosen.width, chosen.height).to(self.group.device)
        optimizer = torch.optim.AdamW(network.parameters(), lr=chosen.learning_rate, weight_decay=chosen.weight_decay)
        state = State(network, optimizer)
        self._kept.load(state, self.group.device)
        if not self.group.is_first:
            state.loss = 0.0  # of all processes so far, which the first one has
        return state

    def _loader(self, network: LaneNetwork) -> Loader:
        shape = (self.configuration.height, self.configuration.width)
        with torch.no_grad():
            rows, columns = network.eval()(torch.zeros(1, 3, *shape, device=self.group.device))[0].shape[2:]
        training = self.scenes.training
        prepared = Prepared(self.scenes, training, self.seed, network.channels, (rows, columns))
        batch = self.configuration.batch_size
        return Loader(prepared, len(training), batch, self.seed, self.group, self.loader_workers)

    def _epoch(self, state: State, shared: nn.Module, loader: Loader) -> None:
        """Train to the end of the epoch; raises Stopped where all processes stop before it."""
        begun, sent, seen = time.perf_counter(), self.group.communication_s, 0
        loader.waited_s = 0.0
        what = f"Epoch {state.epoch + 1} of {self.configuration.epochs}"
        with Progress(len(self.scenes.training), "pictures", what) as progress:
            for batch in loader.epoch(state.epoch, state.step):
                if self.group.stops(stop_requested()):
                    raise Stopped
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
        if done < WARM_UP:  # the first step has a rate already
            rising = (done + 1 / (self.configuration.epochs * steps)) / WARM_UP
            return self.configuration.learning_rate * max(LOWEST_RATE, min(1.0, rising))
        return self.configuration.learning_rate * one_cycle(done, WARM_UP, LOWEST_RATE)

    def _finish_epoch(self, state: State, times: dict[str, float]) -> None:
        (loss,) = self.group.total(state.loss)
        figures = {"train_loss": loss / len(self.scenes.training), **times}
        if self.validate:
            figures |= {f"held_out_{name}": value for name, value in self.validation(state.network).items()}
        if self.group.device.startswith("cuda"):
            figures["gpu_memory_gib"] = torch.cuda.max_memory_allocated() / 2**30
        state.end_epoch(figures)
        self._kept.save(state)

    def validation(self, network: LaneNetwork) -> dict[str, float]:
        """Judge the held-out pictures, each process its share of them; the figures of all."""
        mine = self.scenes.held_out[self.group.rank :: self.group.size]
        judged = figures_of(network, self.scenes, mine, self.configuration.validation_batch, self.group.device)
        names = sorted(mean_of(judged))
        count, *sums = self.group.total(len(mine), *(sum(getattr(each, name) for each in judged) for name in names))
        return {name: total / count for name, total in zip(names, sums, strict=True)}
