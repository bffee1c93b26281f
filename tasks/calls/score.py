"""Transcribe and score recorded calls: cut into utterances, recognised, sentiment and topics told, both sides kept.

    CALLS_URL=http://127.0.0.1:8601 CALLS_TOKEN=... \
        python -m tasks.calls.score --data /data/calls --model /models/r1 --part 0/3
    python -m tasks.calls.score --data /data/calls --model /models/r1 --folder /results

Each call is brought whole, and a call that is finished there is passed over: stopped or killed, the program goes on
with the next when run again. A recording that cannot be understood is named with its reason, and stops no other.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.calls.dataset import Call, words
from tasks.calls.mentions import about
from tasks.calls.sentiment import INPUT, OUTPUT, numbers, scores
from tasks.calls.work import Work, add_work
from tasks.common import program
from tasks.common.audio import RATE_HZ, SIDES, Recording, decoded
from tasks.common.cli import Flags
from tasks.common.judging import Model
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.common.progress import Progress, say, warn
from tasks.common.recogniser import Recogniser
from tasks.common.tokens import Tokens
from tasks.common.utterances import utterances

BATCH = 32
MOST_REFUSED = 5
"""That the result names; all are in the log."""


@dataclass(frozen=True)
class Understood:
    """One utterance with its words, before its sentiment is known."""

    side: str
    index: int
    start: float
    end: float
    text: str


class Listener:
    """A model folder's sentiment and, with its hints, the recogniser."""

    def __init__(
        self, folder: Path, recogniser: str | None, threads: int, *, allow_personal_data: bool = False
    ) -> None:
        model = Model.parse(f"model={folder}")
        told = model.description.get("recogniser")
        self.recogniser = Recogniser(recogniser, model.description.get("hints", ()), threads=threads)
        if not isinstance(told, dict) or told.get("sha256") != self.recogniser.digest:
            raise BadInput(
                f"The model in {folder} was trained with the recogniser {(told or {}).get('name')}, and this is "
                f"{self.recogniser.identity}; name its folder with --recogniser."
            )
        self._network = OnnxModel.load(model.onnx, inputs=INPUT, outputs=OUTPUT, threads=threads)
        self._tokens = Tokens.of(folder)
        self.model = folder.resolve().name
        self.empty = 0
        self._allow_personal_data = allow_personal_data

    def understood(self, recording: Recording) -> list[dict[str, Any]]:
        """Return the sentences of a recording in order of time on each side, as the table takes them."""
        said = dict.fromkeys(SIDES, 0)
        found = []
        for utterance in utterances(recording):
            text = self.recogniser.text(utterance.samples).text
            if not words(text):
                self.empty += 1
                continue
            found.append(Understood(utterance.side, said[utterance.side], utterance.start, utterance.end, text))
            said[utterance.side] += 1
        return self._with_sentiment(found)

    def _with_sentiment(self, found: Sequence[Understood]) -> list[dict[str, Any]]:
        rows = []
        for start in range(0, len(found), BATCH):
            part = found[start : start + BATCH]
            texts = [each.text for each in part]
            logits = self._network(numbers(self._tokens, texts))
            mentioned = about(texts, allow_personal_data=self._allow_personal_data)
            for each, score, mentions in zip(part, scores(logits), mentioned, strict=True):
                rows.append(
                    {
                        **vars(each),
                        "sentiment": score.label,
                        "scores": score.to_json(),
                        "recogniser": self.recogniser.identity,
                        "model": self.model,
                        "mentions": [mention._asdict() for mention in mentions],
                    }
                )
        return rows


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    add_work(flags)
    flags.add_argument("--model", type=Path, required=True, help="folder of the model")
    flags.add_argument("--part", default="0/1", help="of the calls, such as 0/3")
    flags.add_argument("--recogniser", help="folder of a Whisper; else the one that an installed package carries")
    flags.add_argument("--threads", type=int, default=2)
    flags.add_argument("--allow-personal-data", action="store_true", default=False, help="name people among the topics")
    options = flags.parse()
    work = Work.of(options)
    new = [call for call in work.part(options.part) if not work.is_done(call)]
    if not new:
        say(f"All calls of part {options.part} are there already")
        return {"calls": 0, "sentences": 0, "empty": 0, "seconds": 0.0, "took_s": 0.0, "refused": 0, "reasons": []}
    allowed = options.allow_personal_data
    listener = Listener(options.model, options.recogniser, options.threads, allow_personal_data=allowed)
    sentences, seconds, refused = 0, 0.0, []
    begun = time.monotonic()
    with Progress(len(new), "calls", "Listening") as progress:
        for call in new:
            try:
                recording, rows = _listened(call, work, listener)
            except BadInput as error:
                refused.append(f"Call {call.id}: {error}")
                warn(refused[-1])
            else:
                sentences, seconds = sentences + len(rows), seconds + recording.seconds
            progress.advance()
    took = time.monotonic() - begun
    if seconds:
        say(f"{seconds:.0f} s of calls in {took:.0f} s, a real-time factor of {took / seconds:.2f}")
    if len(refused) == len(new):
        raise BadInput(f"None of the {len(new)} calls can be understood; the first: {refused[0]}")
    return {
        "calls": len(new) - len(refused),
        "sentences": sentences,
        "empty": listener.empty,
        "seconds": round(seconds, 1),
        "took_s": round(took, 1),
        "refused": len(refused),
        "reasons": [reason[:300] for reason in refused[:MOST_REFUSED]],
    }


def _listened(call: Call, work: Work, listener: Listener) -> tuple[Recording, list[dict[str, Any]]]:
    """Understand one call and bring it to its table. Raises BadInput for a recording that cannot be understood."""
    recording = decoded(io.BytesIO(work.store.read(call.file)))
    rows = listener.understood(recording)
    if not rows:
        say(f"Call {call.id}: nobody says a word in {recording.seconds:.1f} s")
    facts = {
        "agent": call.agent,
        "began": call.began,
        "seconds": round(recording.seconds, 3),
        "rate_hz": recording.rate_hz or RATE_HZ,
        "channels": recording.channels,
        "source": work.source(call),
    }
    work.table.put(call.id, facts, rows)
    return recording, rows


if __name__ == "__main__":
    program.run(main)
