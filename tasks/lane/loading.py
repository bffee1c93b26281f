"""Batches for one of several processes: of each batch of all of them its own share."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tasks.common.data import open_source
from tasks.common.processes import Group
from tasks.common.training import order
from tasks.lane.dataset import Example, Scenes, normalised
from tasks.lane.labels import Label
from tasks.lane.model import DROPPED
from tasks.lane.slots import as_map

_MIRROR, _KEEP = 1, 2  # keep what happens to a picture apart from the order in which they come


@dataclass(frozen=True)
class Batch:
    """One process's share of a batch: ``of`` is the number of pictures of all of them together.

    ``weights`` [n] are 0 for a picture that only fills the place of one which this process did not get.
    """

    pictures: Tensor
    lanes: Tensor
    exists: Tensor
    keep: Tensor
    weights: Tensor
    of: int


class Prepared(Dataset[tuple[Any, ...]]):
    """Pictures as the network takes them with what it is to learn of them, by place and epoch."""

    def __init__(self, scenes: Scenes, examples: Sequence[Example], seed: int, channels: int, shape: tuple[int, int]):
        self._scenes, self._examples, self._seed = scenes, list(examples), seed
        self._channels, self._shape = channels, shape
        self._url, self._owner = scenes.store.url, os.getpid()

    def __getitem__(self, asked: tuple[int, int]) -> tuple[Any, ...]:
        place, epoch = asked
        if os.getpid() != self._owner:  # a connection to S3 does not outlive the start of a process
            self._scenes.store, self._owner = open_source(self._url), os.getpid()
        example = self._examples[place]
        picture = self._scenes.picture(example)
        label, pixels, of = example.label, picture.pixels, int(example.digest[:8], 16)
        if np.random.default_rng([self._seed, epoch, of, _MIRROR]).random() < 0.5:
            label, pixels = mirrored(label, picture.size[0]), pixels[:, ::-1]
        lanes, exists = as_map(label, picture.size, self._shape)
        kept = np.random.default_rng([self._seed, epoch, of, _KEEP]).random(self._channels) >= DROPPED
        return normalised([pixels])[0], lanes, exists, kept.astype(np.float32) / (1 - DROPPED)


def mirrored(label: Label, width: int) -> Label:
    """Return the label of the picture seen in a mirror, as which a road is as good."""
    lanes = np.where(label.lanes >= 0, width - 1 - label.lanes, label.lanes)
    return Label(label.key, lanes, label.heights, label.line, label.scene)


@dataclass
class Loader:
    """Yields this process's shares of the batches of an epoch. ``waited_s`` is the time that was waited for them."""

    prepared: Prepared
    examples: int
    batch_size: int
    """Of one process."""
    seed: int
    group: Group
    workers: int = 0
    waited_s: float = 0.0
    _pool: Any = None

    @property
    def together(self) -> int:
        return self.batch_size * self.group.size

    @property
    def steps(self) -> int:
        return -(-self.examples // self.together)

    def epoch(self, number: int, first_step: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from ``first_step`` on. The order is one of seed and epoch alone."""
        places = order(self.seed, number, self.examples)
        batches = [places[at : at + self.together] for at in range(0, self.examples, self.together)][first_step:]
        mine = [self._mine(batch) for batch in batches]
        loaded = iter(self._loaded([[(int(place), number) for place in share] for share, _ in mine]))
        for batch, (_, weights) in zip(batches, mine, strict=True):
            begun = time.perf_counter()
            pictures, lanes, exists, keep = next(loaded)
            self.waited_s += time.perf_counter() - begun
            yield Batch(pictures, lanes, exists, keep, torch.tensor(weights), len(batch))

    def _mine(self, batch: Any) -> tuple[Any, list[float]]:
        """Every ``size``-th picture from ``rank`` on; one of no weight where there are fewer than processes."""
        share = batch[self.group.rank :: self.group.size]
        return (share, [1.0] * len(share)) if len(share) else (batch[:1], [0.0])

    def _loaded(self, asked: list[list[tuple[int, int]]]) -> Any:
        settings: dict[str, Any] = {}
        if self.workers:  # fresh processes: threads of S3 and of the group must not be copied
            settings = {"num_workers": self.workers, "multiprocessing_context": "spawn", "prefetch_factor": 2}
        return DataLoader(self.prepared, batch_sampler=_Fixed(asked), **settings)


class _Fixed:
    """Batches that are known already, as a DataLoader asks for them."""

    def __init__(self, batches: list[Any]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)
