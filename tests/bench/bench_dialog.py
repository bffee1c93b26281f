"""How long the retail assistant's model takes to answer, with 20 conversations at once.

    python -m scripts.bench dialog

A model of the default size and training is served by Triton and asked by the dialog service's own client: words to
tokens, HTTP, the network, labels; as it is deployed (`served`), and with weights of 32 bits (`fp32`). Beside them is
plain ONNX Runtime (`plain`): the same model of 32 bits, words and reading, in one process with a thread for each
conversation, as many threads of arithmetic as there are cores. Rounds of all take turns, each conversation says its
next message when it has the answer to the one before, and the ratios are of the same round.
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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

HOUSE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(HOUSE), str(HOUSE / "plugins")]

from services.dialog.model import ServedModel  # noqa: E402
from tasks.common.model_folder import DESCRIPTION  # noqa: E402
from tasks.common.onnx_model import OnnxModel  # noqa: E402
from tasks.common.tokens import Tokens  # noqa: E402
from tasks.retail.dialog.flow_check import FLOWS, load  # noqa: E402
from tasks.retail.dialog.meaning import meaning  # noqa: E402
from tasks.retail.generate import plan  # noqa: E402
from tasks.retail.labels import OUTSIDE  # noqa: E402
from tasks.retail.precision import INT8  # noqa: E402
from tasks.retail.reading import answers  # noqa: E402
from tests.bench.measured import stamp  # noqa: E402
from tests.serving import triton_over  # noqa: E402

NAME, FP32 = "retail_assistant", "retail_assistant_fp32"
CONVERSATIONS, MESSAGES, ROUNDS = 20, 15, 5
GOAL_MS = 100
LABELS = load(FLOWS).vocabulary.intent_of_label()


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        house = Path(folder)
        program("tasks.retail.generate", f"--output={house / 'questions'}", "--count=400")
        models = {NAME: trained(house, "served"), FP32: trained(house, "fp32", "--precision=fp32")}
        said = [question.text for question, _ in plan(1, CONVERSATIONS * MESSAGES, seed=9)]
        talks = [said[start::CONVERSATIONS] for start in range(CONVERSATIONS)]
        with triton_over(house) as triton:
            repository = f"--repository={house / 'triton'}"
            for name, model in models.items():
                place = ["place", repository, f"--name={name}", "--version=1", f"--source={model}", "--alone"]
                program("tasks.models.repository", *place, f"--fact=folder={model.name}")
            triton.start()
            rounds = asyncio.run(in_turns(triton.url, house, Plain(models[FP32]), talks))
        precision = json.loads((models[NAME] / DESCRIPTION).read_text())["precision"]
    told = {name: round(float(np.median([each[name] for each in rounds])), 2) for name in rounds[0]}
    report = {
        "unit": "ms",
        "conversations": CONVERSATIONS,
        "messages": CONVERSATIONS * MESSAGES,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "goal_p99_ms": GOAL_MS,
        "precision": precision,
        "median_of_rounds": told,
        "rounds": rounds,
    }
    (HOUSE / "bench" / "dialog.json").write_text(json.dumps(stamp() | report, indent=2) + "\n")
    if precision["served"] != INT8:
        print(f"INT8 did not pass the gate ({precision}), so both are of 32 bits.")
    for name, value in told.items():
        print(f"{name:<18} {value:>9}")
    return 0


def trained(house: Path, name: str, *flags: str) -> Path:
    """The folder of a model that has the size of a real one."""
    where = [f"--data={house / 'questions'}", f"--output={house / name}"]
    program("tasks.retail.train", *where, "--epochs=30", *flags)
    return house / name


def program(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=HOUSE, check=True, capture_output=True)


async def in_turns(url: str, models: Path, plain: Plain, talks: Sequence[Sequence[str]]) -> list[dict[str, float]]:
    """The figures of each round, after one of all that warms them."""
    async with aiohttp.ClientSession() as client:
        ours, fp32 = (ServedModel(url, name, models, LABELS, client, time_limit_s=60) for name in (NAME, FP32))
        rounds = []
        for _ in range(ROUNDS + 1):
            seconds = {"served": await served(ours, talks), "fp32": await served(fp32, talks)}
            rounds.append(row({**seconds, "plain": plain.round(talks)}))
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


def row(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, each in seconds.items():
        median, most = np.percentile(np.asarray(each) * 1000, [50, 99])
        figures |= {f"{name}_p50_ms": round(float(median), 2), f"{name}_p99_ms": round(float(most), 2)}
    against = {f"p99_of_{name}": figures["served_p99_ms"] / figures[f"{name}_p99_ms"] for name in ("fp32", "plain")}
    return figures | {name: round(ratio, 3) for name, ratio in against.items()}


if __name__ == "__main__":
    sys.exit(main())
