"""Three ways of answering a question with passages, each over an encoder: by meaning, by words too, or by heart.

Each is prepared, asked, and brought to documents of which some have changed; whoever measures holds the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tasks.common.metrics import Floats
from tasks.common.training import order
from tasks.documents.build import said
from tasks.documents.comparison.material import Example, Material
from tasks.documents.embedding import Embedding
from tasks.documents.index import Building, Index, Passage

FOUND = 10
"""Passages that a way names for a question."""
MADE_WITH = "comparison"
ROUNDS, BATCH, RATE = 30, 256, 0.02  # of learning by heart
NEW_SENTENCE = "Since this week it says something else."


class Way(Protocol):
    def find(self, question: str) -> list[Passage]:
        """Return up to FOUND passages, the best first."""

    def change(self, changed: Sequence[Passage]) -> None:
        """Take up passages in place of those at the same places of the same files."""

    def bytes(self) -> int:
        """Return what has to be kept beside the encoder."""


class ByMeaning:
    """The passages whose vectors are nearest to the question's, all compared."""

    def __init__(self, embedding: Embedding, passages: Sequence[Passage], vectors: Floats) -> None:
        self._embedding, self._passages, self._vectors = embedding, list(passages), vectors.copy()

    def find(self, question: str) -> list[Passage]:
        near = self._vectors @ self._embedding.of([question])[0]
        return [self._passages[place] for place in np.argsort(-near)[:FOUND]]

    def change(self, changed: Sequence[Passage]) -> None:
        places = {(each.file, each.position): place for place, each in enumerate(self._passages)}
        vectors = self._embedding.of([said(each) for each in changed])
        for each, vector in zip(changed, vectors, strict=True):
            place = places[each.file, each.position]
            self._passages[place], self._vectors[place] = each, vector

    def bytes(self) -> int:
        return int(self._vectors.nbytes) + _bytes_of(self._passages)


class ByWordsToo:
    """The index that serves: words and meaning, by the ranks of both."""

    def __init__(self, embedding: Embedding, passages: Sequence[Passage], vectors: Floats, folder: Path) -> None:
        self._embedding, self._folder = embedding, folder
        building = Building(folder, MADE_WITH)
        building.replace(passages, vectors)
        building.finish({})
        self._index = Index(folder)

    def find(self, question: str) -> list[Passage]:
        found = self._index.search(question, self._embedding.of([question])[0], limit=FOUND)
        return [hit.passage for hit in found]

    def change(self, changed: Sequence[Passage]) -> None:
        building = Building(self._folder, MADE_WITH)
        building.replace(changed, self._embedding.of([said(each) for each in changed]))
        building.finish({})
        self._index = Index(self._folder)

    def bytes(self) -> int:
        return sum(file.stat().st_size for file in self._folder.rglob("*") if file.is_file())


class ByHeart:
    """A layer on the encoder that has learned which passage answers which question; it has no index to look into.

    It can name only passages that it has learned. When documents change, it learns anew; the encoder stays as it is.
    """

    def __init__(self, embedding: Embedding, material: Material, seed: int) -> None:
        self._embedding, self._material, self._seed = embedding, material, seed
        self._learn(material.passages, material.examples)

    def _learn(self, passages: Sequence[Passage], examples: Sequence[Example]) -> None:
        numbers: dict[str, int] = {}
        labels = torch.tensor([numbers.setdefault(passages[place].text, len(numbers)) for _, place in examples])
        first = {each.text: each for each in reversed(passages)}
        self._known = [first[text] for text in numbers]
        vectors = torch.from_numpy(self._embedding.of([text for text, _ in examples]))
        self._head = learned(vectors, labels, len(numbers), self._seed)

    def find(self, question: str) -> list[Passage]:
        with torch.inference_mode():
            chances = self._head(torch.from_numpy(self._embedding.of([question])))[0]
        best = torch.topk(chances, min(FOUND, len(self._known))).indices
        return [self._known[number] for number in best.tolist()]

    def change(self, changed: Sequence[Passage]) -> None:
        now = {(each.file, each.position): each for each in changed}
        passages = [now.get((each.file, each.position), each) for each in self._material.passages]
        self._learn(passages, self._material.examples)

    def bytes(self) -> int:
        return sum(weights.nbytes for weights in self._head.parameters()) + _bytes_of(self._known)


def learned(vectors: torch.Tensor, labels: torch.Tensor, count: int, seed: int) -> nn.Linear:
    """Return a layer that tells from a vector [N, width] of a question which of ``count`` passages answers it."""
    torch.manual_seed(seed)
    head = nn.Linear(vectors.shape[1], count)
    optimizer = torch.optim.Adam(head.parameters(), lr=RATE)
    for number in range(ROUNDS):
        for places in torch.from_numpy(order(seed, number, len(vectors))).split(BATCH):
            optimizer.zero_grad()
            cross_entropy(head(vectors[places]), labels[places]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return head


def changed(passages: Sequence[Passage], files: frozenset[str]) -> list[Passage]:
    """Return the passages of some files as they are after a change: every passage says one sentence more."""
    return [
        replace(each, digest=f"changed {each.digest}"[:64], text=f"{each.text} {NEW_SENTENCE}")
        for each in passages
        if each.file in files
    ]


def _bytes_of(passages: Sequence[Passage]) -> int:
    return sum(len(each.text.encode()) for each in passages)
