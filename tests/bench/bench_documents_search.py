"""How long it takes from a question to the passages that a person may read, among 100,000.

    python -m scripts.bench documents_search

Passages are made words, as frequent as words are, and made vectors that lie in groups, as meanings do: embedding as
many texts takes half an hour and changes no step of a search. The question goes through the real encoder. Asked one
after another, for everything and for somebody who may read a third of the files; ``found`` is the share of the nearest
vectors, as comparing all of them finds them, that the search by partitions finds too.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HOUSE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(HOUSE), str(HOUSE / "plugins")]

from tasks.common.metrics import Floats  # noqa: E402
from tasks.documents.embedding import Embedding  # noqa: E402
from tasks.documents.index import Building, Index, Passage  # noqa: E402
from tests.bench.measured import stamp  # noqa: E402

PASSAGES, FILES, GROUPS, WIDTH, AT_ONCE = 100_000, 5_000, 400, 384, 10_000
QUESTIONS, NEAREST = 200, 8
GOAL_P95_MS = 50


def main() -> int:
    rng = np.random.default_rng(5)
    vectors = made_vectors(rng)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        texts = built(Path(folder), vectors, rng)
        built_s = time.perf_counter() - began
        index, embedding = Index(Path(folder)), Embedding()
        chosen = rng.choice(PASSAGES, QUESTIONS, replace=False)
        questions = [(" ".join(texts[number].split()[5:13]), near(vectors[number], rng)) for number in chosen]
        allowed = {f"{number}.md" for number in range(0, FILES, 3)}
        measure(index, embedding, questions[:20], None)
        rounds = {"all": measure(index, embedding, questions, None)}
        rounds["a_third"] = measure(index, embedding, questions, allowed)
        found = share_found(index, vectors, questions)
    told = {
        name: {f"p{share}_ms": round(float(np.percentile(ms, share)), 1) for share in (50, 95)}
        for name, ms in rounds.items()
    }
    report = {
        "passages": PASSAGES,
        "files": FILES,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "goal_p95_ms": GOAL_P95_MS,
        "built_s": round(built_s, 1),
        "found": round(found, 3),
        **told,
    }
    (HOUSE / "bench" / "documents_search.json").write_text(json.dumps(stamp() | report, indent=2) + "\n")
    for name, value in report.items():
        print(f"{name:<14} {value}")
    return 0


def made_vectors(rng: np.random.Generator) -> Floats:
    """Return vectors [PASSAGES, WIDTH] of length 1, in groups of unlike sizes."""
    centres = rng.normal(size=(GROUPS, WIDTH)).astype(np.float32)
    sizes = rng.dirichlet(np.ones(GROUPS))
    vectors = centres[rng.choice(GROUPS, PASSAGES, p=sizes)]
    vectors += rng.normal(scale=0.7, size=vectors.shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def near(vector: Floats, rng: np.random.Generator) -> Floats:
    moved = vector + rng.normal(scale=0.02, size=WIDTH).astype(np.float32)
    return moved / np.linalg.norm(moved)


def built(folder: Path, vectors: Floats, rng: np.random.Generator) -> list[str]:
    """Build the index, and return the texts of its passages."""
    vocabulary = np.array([f"w{number:x}q" for number in range(30_000)])
    ranks = 1 / np.arange(1, len(vocabulary) + 1)
    drawn = vocabulary[rng.choice(len(vocabulary), (PASSAGES, 60), p=ranks / ranks.sum())]
    texts = [" ".join(row) for row in drawn]
    building = Building(folder, "bench")
    for first in range(0, PASSAGES, AT_ONCE):
        part = [
            Passage(f"{number * FILES // PASSAGES}.md", "d", "md", "title", "page", number, texts[number])
            for number in range(first, first + AT_ONCE)
        ]
        building.replace(part, vectors[first : first + AT_ONCE])
    building.finish({})
    return texts


def measure(
    index: Index, embedding: Embedding, questions: list[tuple[str, Floats]], allowed: set[str] | None
) -> list[float]:
    """Return the milliseconds of each question."""
    found = []
    for text, vector in questions:
        began = time.perf_counter()
        embedding.of([text])
        hits = index.search(text, vector, limit=NEAREST, allowed=allowed)
        found.append((time.perf_counter() - began) * 1000)
        assert len(hits) == NEAREST
    return found


def share_found(index: Index, vectors: Floats, questions: list[tuple[str, Floats]]) -> float:
    shares = []
    for _, vector in questions:
        nearest = {int(number) for number in np.argpartition(-(vectors @ vector), NEAREST)[:NEAREST]}
        hits = index.search("", vector, limit=NEAREST)
        shares.append(len(nearest & {hit.passage.position for hit in hits}) / NEAREST)
    return float(np.mean(shares))


if __name__ == "__main__":
    sys.exit(main())
