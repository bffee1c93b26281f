"""How long the retail assistant's model takes to answer, with 20 conversations at once.

    python -m scripts.bench dialog

A model of the default size, trained for one epoch (how long it takes does not depend on what it has learnt), is served
by Triton and asked by the dialog service's own client: words to tokens, HTTP, the network, labels. Beside it stands
plain ONNX Runtime: the same model, words and reading, in one process with a thread for each conversation, as many
threads of arithmetic as there are cores. Rounds of both take turns, each conversation says its next message when it has
the answer to the one before, and the ratio is of the same round.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np

HOUSE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(HOUSE), str(HOUSE / "plugins")]

from services.dialog.model import ServedModel  # noqa: E402
from tasks.common.onnx_model import OnnxModel  # noqa: E402
from tasks.common.tokens import Tokens  # noqa: E402
from tasks.retail.dialog.flow_check import FLOWS, load  # noqa: E402
from tasks.retail.dialog.meaning import meaning  # noqa: E402
from tasks.retail.generate import plan  # noqa: E402
from tasks.retail.labels import OUTSIDE  # noqa: E402
from tasks.retail.reading import answers  # noqa: E402
from tests.bench.measured import stamp  # noqa: E402
from tests.serving import triton_over  # noqa: E402

NAME = "retail_assistant"
CONVERSATIONS, MESSAGES, ROUNDS = 20, 15, 5
GOAL_MS = 100
LABELS = load(FLOWS).vocabulary.intent_of_label()


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        house = Path(folder)
        model = trained(house)
        said = [question.text for question, _ in plan(1, CONVERSATIONS * MESSAGES, seed=9)]
        talks = [said[start::CONVERSATIONS] for start in range(CONVERSATIONS)]
        with triton_over(house) as triton:
            repository = f"--repository={house / 'triton'}"
            place = ["place", repository, f"--name={NAME}", "--version=1", f"--source={model}", "--alone"]
            program("tasks.models.repository", *place, "--fact=folder=run")
            triton.start()
            rounds = asyncio.run(in_turns(triton.url, house, Plain(model), talks))
    told = {name: round(float(np.median([each[name] for each in rounds])), 2) for name in rounds[0]}
    report = {
        "unit": "ms",
        "conversations": CONVERSATIONS,
        "messages": CONVERSATIONS * MESSAGES,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "goal_p99_ms": GOAL_MS,
        "median_of_rounds": told,
        "rounds": rounds,
    }
    (HOUSE / "bench" / "dialog.json").write_text(json.dumps(stamp() | report, indent=2) + "\n")
    for name, value in told.items():
        print(f"{name:<18} {value:>9}")
    return 0


def trained(house: Path) -> Path:
    """The folder of a model that has the size of a real one."""
    program("tasks.retail.generate", f"--output={house / 'questions'}", "--count=80")
    where = [f"--data={house / 'questions'}", f"--output={house / 'run'}"]
    program("tasks.retail.train", *where, "--epochs=1")
    return house / "run"


def program(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=HOUSE, check=True, capture_output=True)


async def in_turns(url: str, models: Path, plain: Plain, talks: Sequence[Sequence[str]]) -> list[dict[str, float]]:
    """The figures of each round, after one of both that warms them."""
    async with httpx.AsyncClient(trust_env=False) as client:
        model = ServedModel(url, NAME, models, LABELS, client, time_limit_s=60)
        rounds = []
        for _ in range(ROUNDS + 1):
            ours = await served(model, talks)
            rounds.append(row(ours, plain.round(talks)))
        return rounds[1:]


async def served(model: ServedModel, talks: Sequence[Sequence[str]]) -> list[float]:
    """Seconds of each answer, all conversations at once."""
    found: list[float] = []

    async def talk(messages: Sequence[str]) -> None:
        for text in messages:
            began = time.perf_counter()
            await model.understand(text)
            found.append(time.perf_counter() - began)

    await asyncio.gather(*map(talk, talks))
    return found


class Plain:
    """The same model in this process."""

    def __init__(self, folder: Path) -> None:
        told: dict[str, Any] = json.loads((folder / "model.json").read_text())
        self.intents, self.slots = told["intents"], told["slots"]
        self.tokens = Tokens.of(folder)
        self.network = OnnxModel.load(
            folder / "model.onnx", inputs="tokens", outputs="logits", threads=os.cpu_count() or 1
        )

    def understand(self, text: str) -> None:
        words = text.split()
        numbers, first = self.tokens.numbers([words])
        (answer,) = answers(self.network(numbers), first, len(self.slots), self.slots.index(OUTSIDE))
        meaning(words, answer, self.intents, self.slots, LABELS)

    def round(self, talks: Sequence[Sequence[str]]) -> list[float]:
        found: list[float] = []

        def talk(messages: Sequence[str]) -> None:
            for text in messages:
                began = time.perf_counter()
                self.understand(text)
                found.append(time.perf_counter() - began)

        threads = [threading.Thread(target=talk, args=(messages,)) for messages in talks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found


def row(ours: Sequence[float], plain: Sequence[float]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, seconds in (("served", ours), ("plain", plain)):
        median, most = np.percentile(np.asarray(seconds) * 1000, [50, 99])
        figures |= {f"{name}_p50_ms": round(float(median), 2), f"{name}_p99_ms": round(float(most), 2)}
    return {**figures, "p99_ratio": round(figures["served_p99_ms"] / figures["plain_p99_ms"], 3)}


if __name__ == "__main__":
    sys.exit(main())
