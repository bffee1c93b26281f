"""How quickly documents are embedded, against plain sentence-transformers, and what a refresh after 1 % change costs.

    python -m scripts.bench documents

Both embed the same passages of made documents with the same encoder, on as many threads, in turns. Then an index of all
is built, 1 % of the documents change, and it is brought to that: the whole program `build` each time, from what the
scan has left to the finished index.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

HOUSE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(HOUSE), str(HOUSE / "plugins")]

from tasks.common import encoder  # noqa: E402
from tasks.documents import layout, scanned  # noqa: E402
from tasks.documents.build import build, said  # noqa: E402
from tasks.documents.convert import Document, Section  # noqa: E402
from tasks.documents.corpus import documents  # noqa: E402
from tasks.documents.embedding import Embedding  # noqa: E402
from tasks.documents.scanned import IN, Scanned  # noqa: E402
from tasks.documents.split import passages  # noqa: E402
from tests.bench.measured import stamp  # noqa: E402

PRODUCTS, ROUNDS, CHANGED = 400, 3, 0.01
MADE_WITH = "bench"
GOAL = 0.02


def main() -> int:
    made = [(each.path, document_of(each.parts, each.title)) for each in documents(1, PRODUCTS)]
    embedding = Embedding()
    texts = [said(passage) for path, one in made for passage in passages(one, path, "d", one.title)][:200]
    rounds = in_turns(embedding, texts)
    rates = {name: round(len(texts) / float(np.median(seconds)), 1) for name, seconds in rounds.items()}
    ratios = [theirs / ours for ours, theirs in zip(rounds["ours"], rounds["sentence_transformers"], strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        full, refresh = built(Path(folder), made, embedding)
    report = {
        "passages_per_s": rates,
        "times_as_fast": round(float(np.median(ratios)), 2),
        "documents": len(made),
        "passages": sum(len(passages(one, path, "d", one.title)) for path, one in made),
        "full_build_s": round(full, 2),
        "refresh_s": round(refresh, 2),
        "refresh_share": round(refresh / full, 4),
        "goal_share": GOAL,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }
    (HOUSE / "bench" / "documents.json").write_text(json.dumps(stamp() | report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    return 0


def document_of(parts: tuple[tuple[str, tuple[str, ...]], ...], title: str) -> Document:
    sections = tuple(Section(f"heading {heading}", "\n\n".join(paragraphs)) for heading, paragraphs in parts)
    return Document("md", title, sections)


def in_turns(embedding: Embedding, texts: list[str]) -> dict[str, list[float]]:
    """Seconds of each round, by who embeds."""
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(encoder.pretrained()), device="cpu")
    ways: dict[str, Callable[[], np.ndarray]] = {
        "ours": lambda: embedding.of(texts),
        "sentence_transformers": lambda: plain.encode(texts, normalize_embeddings=True),
    }
    first = {name: way() for name, way in ways.items()}
    assert np.allclose(first["ours"], first["sentence_transformers"], atol=1e-3), "the same encoder, the same vectors"
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - begun)
    return seconds


def built(folder: Path, made: list[tuple[str, Document]], embedding: Embedding) -> tuple[float, float]:
    """Seconds of the first build, and of the one after 1 % of the documents have changed."""
    leave(folder, made, {path: "1" for path, _ in made}, {path for path, _ in made})
    full = seconds_of(lambda: build(folder, MADE_WITH, embedding, {}))
    changed = {path for path, _ in made[:: round(1 / CHANGED)]}
    digests = {path: "2" if path in changed else "1" for path, _ in made}
    leave(folder, [(path, spoken(one) if path in changed else one) for path, one in made], digests, changed)
    return full, seconds_of(lambda: build(folder, MADE_WITH, embedding, {}))


def leave(folder: Path, made: list[tuple[str, Document]], digests: dict[str, str], fresh: set[str]) -> None:
    """What a scan leaves."""
    told = {path: Scanned(path, digests[path], MADE_WITH, IN) for path, _ in made}
    scanned.keep(folder / layout.SCANNED, list(told.values()))
    lines = [{"scanned": told[path].as_json(), "document": asdict(one)} for path, one in made if path in fresh]
    layout.texts_of(folder, "").write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def spoken(one: Document) -> Document:
    return replace(one, sections=(*one.sections, Section("heading New", "Since this week it says something else.")))


def seconds_of(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
