"""A random forest grown level by level from sums over rows, all trees at once.

The rows may lie in any number of blocks anywhere. For each level, every block is told the splits of the level before
(``Level``), sends its rows down one step, and answers with how often each bin of the columns considered occurs with and
without a click in each open node. Those counts add up exactly, so the forest is the same however the blocks are summed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.ctr.binning import Codes, largest_of
from tasks.ctr.compiled import compiled
from tasks.ctr.forest import Forest, Tree

LARGEST_DEPTH = 16
_DEPTH_OF_16_BITS = 13  # up to which a state, a node of a level times 16 and a weight, has room in them
FEATURES = 3  # columns considered for a split: the square root of 13, as scikit-learn and cuML take by default
_POISSON = np.searchsorted(
    np.cumsum([np.exp(-1.0) / f for f in (1, 1, 2, 6, 24, 120, 720, 5040)]), (np.arange(1 << 16) + 0.5) / (1 << 16)
).astype(np.uint8)

States = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Settings:
    trees: int = 10
    depth: int = 10
    bins: int = 16
    seed: int = 1


@dataclass(frozen=True)
class Level:
    """One level's open nodes, [trees, nodes]: the columns considered for each [.., features], -1 for none; and how the
    rows of the level above came here: split column, last bin that goes left, and the place of both children here, -1
    for a child that is a leaf.
    """

    subsets: npt.NDArray[np.int8]
    split: npt.NDArray[np.int8]
    cut: npt.NDArray[np.uint8]
    children: npt.NDArray[np.int16]


@dataclass
class Growth:
    """The forest as far as it is grown.

    Per tree, ``nodes`` has the arrays that become a Tree, ``open`` the numbers of the current level's nodes, and
    ``ranges`` the bins [open, columns, 2] that their rows can have.
    """

    settings: Settings
    cuts: list[Codes]
    levels: list[Level] = field(default_factory=list)
    nodes: list[dict[str, npt.NDArray[Any]]] = field(default_factory=list)
    open: list[npt.NDArray[np.int64]] = field(default_factory=list)
    ranges: list[npt.NDArray[np.int16]] = field(default_factory=list)

    @classmethod
    def start(cls, settings: Settings, cuts: list[Codes]) -> Growth:
        whole = np.array([[[0, len(column)] for column in cuts]], np.int16)
        growth = cls(settings, cuts)
        for _ in range(settings.trees):
            growth.nodes.append(_leaves(np.zeros(1)))
            growth.open.append(np.zeros(1, np.int64))
            growth.ranges.append(whole.copy())
        growth._add_level(*_no_splits(settings.trees, 1))
        return growth

    @property
    def depth(self) -> int:
        """Levels finished."""
        return len(self.levels) - 1

    @property
    def finished(self) -> bool:
        return self.depth >= self.settings.depth or not any(map(len, self.open))

    def _add_level(self, split: Any, cut: Any, children: Any) -> None:
        self.levels.append(Level(self._subsets(), split, cut, children))

    def _subsets(self) -> npt.NDArray[np.int8]:
        """Columns drawn by seed, tree and level, among those in which a node's rows can still differ."""
        widest = max(1, *(len(numbers) for numbers in self.open))
        subsets = np.full((self.settings.trees, widest, FEATURES), -1, np.int8)
        for tree, ranges in enumerate(self.ranges):
            if not len(ranges):
                continue
            random = np.random.Generator(np.random.PCG64([self.settings.seed, tree, len(self.levels)]))
            keys = random.random(ranges.shape[:2])
            keys[ranges[:, :, 0] == ranges[:, :, 1]] = 2
            chosen = np.argsort(keys, axis=1)[:, :FEATURES]
            drawn = np.where(np.take_along_axis(keys, chosen, 1) < 2, chosen, -1)
            subsets[tree, : len(drawn), : drawn.shape[1]] = drawn
        return subsets

    def split(self, counts: npt.NDArray[np.int64]) -> None:
        """Finish the current level, from ``counts`` [trees, nodes, features, bins, 2]."""
        split, cut, children = _no_splits(self.settings.trees, counts.shape[1])
        for tree in range(self.settings.trees):
            self._split_tree(tree, counts[tree], split[tree], cut[tree], children[tree])
        self._add_level(split, cut, children)

    def _split_tree(self, tree: int, counts: Any, split: Any, cut: Any, children: Any) -> None:
        numbers, ranges = self.open[tree], self.ranges[tree]
        if not len(numbers):
            return
        subsets = self.levels[-1].subsets[tree, : len(numbers)]
        place, last_left, left, total = best_splits(counts[: len(numbers)], subsets)
        if numbers[0] == 0 and total[0].any():  # the root, whose parent's counts told nobody its value
            self.nodes[tree]["value"][0] = total[0, 1] / total[0].sum()
        parents = np.flatnonzero(place >= 0)
        column, last = subsets[parents, place[parents]], last_left[parents]
        split[parents], cut[parents] = column, last
        sums = np.stack([left, total - left], axis=1)[parents]  # [parents, sides, 2]
        pairs = self._add_children(tree, numbers[parents], column, last, sums)
        # A child is a leaf where the tree is deep enough, or all rows are alike.
        opened = sums.all(axis=2) & (self.depth + 1 < self.settings.depth)
        children[parents] = np.where(opened, (np.cumsum(opened) - 1).reshape(opened.shape), -1)
        narrowed = np.repeat(ranges[parents][:, None], 2, axis=1)
        each = np.arange(len(parents))
        narrowed[each, 0, column, 1], narrowed[each, 1, column, 0] = last, last + 1
        self.open[tree], self.ranges[tree] = pairs[opened], narrowed[opened]

    def _add_children(self, tree: int, parents: Any, column: Any, last: Any, sums: Any) -> npt.NDArray[np.int64]:
        """Numbers [parents, sides] of the new nodes."""
        nodes = self.nodes[tree]
        pairs = len(nodes["feature"]) + np.arange(2 * len(parents)).reshape(-1, 2)
        nodes["feature"][parents] = column
        thresholds = [largest_of(codes) for codes in self.cuts]
        nodes["threshold"][parents] = [thresholds[c][at] for c, at in zip(column, last, strict=True)]
        nodes["left"][parents], nodes["right"][parents] = pairs[:, 0], pairs[:, 1]
        new = _leaves(sums[:, :, 1] / sums.sum(axis=2))
        self.nodes[tree] = {name: np.concatenate([nodes[name], new[name]]) for name in nodes}
        return pairs

    def forest(self) -> Forest:
        return Forest([Tree(**nodes) for nodes in self.nodes])

    def to_bytes(self) -> bytes:
        """All that going on needs, in NumPy's archive format, which is read without running any code in it."""
        arrays: dict[str, Any] = {
            "depth": np.array(len(self.levels)),
            "settings": np.array(list(vars(self.settings).values())),
        }
        arrays |= {f"cuts{column}": codes for column, codes in enumerate(self.cuts)}
        for number, level in enumerate(self.levels):
            arrays |= {f"level{number}.{name}": array for name, array in vars(level).items()}
        for tree, nodes in enumerate(self.nodes):
            arrays |= {f"tree{tree}.{name}": values for name, values in nodes.items()}
            arrays |= {f"tree{tree}.open": self.open[tree], f"tree{tree}.ranges": self.ranges[tree]}
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Growth:
        with np.load(io.BytesIO(content), allow_pickle=False) as held:
            settings = Settings(*(int(value) for value in held["settings"]))
            names = [name for name in held.files if name.startswith("cuts")]
            growth = cls(settings, [held[f"cuts{column}"] for column in range(len(names))])
            fields = Level.__dataclass_fields__
            growth.levels = [Level(*(held[f"level{n}.{f}"] for f in fields)) for n in range(int(held["depth"]))]
            for tree in range(settings.trees):
                growth.nodes.append({name: held[f"tree{tree}.{name}"] for name in Tree.__dataclass_fields__})
                growth.open.append(held[f"tree{tree}.open"])
                growth.ranges.append(held[f"tree{tree}.ranges"])
        return growth


def _no_splits(trees: int, nodes: int) -> tuple[Any, Any, Any]:
    """Split columns, cuts and children of a level where nothing is split."""
    split, children = np.full((trees, nodes), -1, np.int8), np.full((trees, nodes, 2), -1, np.int16)
    return split, np.zeros((trees, nodes), np.uint8), children


def _leaves(values: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Nodes as the arrays of a Tree, all of them leaves."""
    count = values.size
    return {
        "feature": np.full(count, -1, np.int16),
        "threshold": np.zeros(count, np.float32),
        "left": np.zeros(count, np.int32),
        "right": np.zeros(count, np.int32),
        "value": values.reshape(-1).astype(np.float64),
    }


def best_splits(counts: npt.NDArray[np.int64], subsets: npt.NDArray[np.int8]) -> tuple[Any, Any, Any, Any]:
    """For each node: which of its columns to split, -1 for a leaf; the last bin that goes left; and the sums [2] of
    those rows and of all its rows. By Gini's impurity, as scikit-learn's default."""
    left = counts.cumsum(axis=2)
    total = left[:, :, -1].max(axis=1)  # equal for all columns of a node but those not drawn
    right = total[:, None, None] - left
    left_rows, right_rows = left.sum(axis=3), right.sum(axis=3)
    with np.errstate(divide="ignore", invalid="ignore"):
        purity = (left**2.0).sum(axis=3) / left_rows + (right**2.0).sum(axis=3) / right_rows
    possible = (left_rows > 0) & (right_rows > 0) & (subsets >= 0)[:, :, None]
    score = np.where(possible, purity, -1.0)[:, :, :-1]
    nodes, columns, bins = score.shape
    best = score.reshape(nodes, columns * bins).argmax(axis=1)
    place, last = best // bins, best % bins
    found = score.reshape(nodes, -1)[np.arange(nodes), best] > 0
    return np.where(found, place, -1), last, left[np.arange(nodes), place, last], total


def start_rows(rows: int, settings: Settings, block: int) -> States:
    """States [trees, rows] of a block at the root: how often each tree's bootstrap sample has each row, drawn from
    Poisson's distribution of mean 1 by seed, tree, ``block`` and row."""
    kind = np.uint16 if settings.depth <= _DEPTH_OF_16_BITS else np.uint32
    states = np.empty((settings.trees, rows), kind)
    for tree in range(settings.trees):
        seeds = np.random.SeedSequence([settings.seed, tree, block]).generate_state(1, np.uint64)
        _draw_weights(states[tree], seeds[0], _POISSON)
    return states


@compiled
def _draw_weights(states: Any, seed: Any, poisson: Any) -> None:
    for row in range(len(states)):
        value = seed + np.uint64(row) * np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        states[row] = poisson[value >> np.uint64(48)]


def step(bins: npt.NDArray[np.uint8], states: States, level: Level) -> States:
    """States of the rows one level down."""
    new = np.empty_like(states)
    for tree in range(len(states)):
        _step(bins, states[tree], level.split[tree], level.cut[tree], level.children[tree], new[tree])
    return new


@compiled
def _step(bins: Any, states: Any, split: Any, cut: Any, children: Any, new: Any) -> None:
    """Move every row to a child of its node. A state is node * 16 + weight.

    Rows that are in a leaf get weight 0, and rows of weight 0 go anywhere: a branch for them, taken at random, would
    cost more than the work it saves.
    """
    for row in range(len(states)):
        state = np.uint32(states[row])
        node = state >> np.uint32(4)
        column = max(split[node], 0)
        side = np.uint32(bins[row, column] > cut[node])
        child = children[node, side]
        below = np.uint32((child << 4) | (state & np.uint32(15)))
        new[row] = below if child >= 0 else np.uint32(0)


def tally(
    bins: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint8],
    states: States,
    level: Level,
    most_bins: int,
) -> npt.NDArray[np.int32]:
    """Return counts [trees, nodes, features, bins, 2] over a block's rows."""
    trees, nodes, features = level.subsets.shape
    counts = np.zeros((trees, nodes, features, most_bins, 2), np.int32)
    for tree in range(trees):
        flat = counts[tree].reshape(-1)
        _tally(bins, labels, states[tree], level.subsets[tree], np.uint32(most_bins), flat)
    return counts


@compiled
def _tally(bins: Any, labels: Any, states: Any, subsets: Any, most_bins: Any, counts: Any) -> None:
    width = most_bins * np.uint32(2)
    for row in range(len(states)):
        state = np.uint32(states[row])
        weight = np.int32(state & np.uint32(15))
        node = state >> np.uint32(4)
        at = node * np.uint32(FEATURES) * width + np.uint32(labels[row])
        for place in range(FEATURES):
            column = max(subsets[node, place], 0)
            counts[at + (np.uint32(bins[row, column]) << np.uint32(1))] += weight
            at += width
