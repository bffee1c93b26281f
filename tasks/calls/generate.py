"""Make calls of two sides, spoken by the voices of flite, with their sentences labelled.

    python -m tasks.calls.generate --output /tmp/calls --calls 20 --texts 60
    python -m tasks.calls.generate --output s3://lake/calls --revision 2       # the next day: more of them

Each call is one file of two channels, the agent's and the caller's, with noise on the line. ``--texts`` more have their
sentences alone. The same seed gives the same calls; a later revision keeps those that are there and adds a fifth. A
quarter of the phrases is said in calls that are held out and in no other: who is good at them has not learned them by
heart.
"""

from __future__ import annotations

import argparse
import itertools
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from tasks.calls.dataset import HELD_OUT_SHARE, Call, Sentence, written
from tasks.calls.phrases import AGENT as AGENTS_SAY
from tasks.calls.phrases import AGENTS, NEGATIVE, NEUTRAL, POSITIVE, VALUES
from tasks.calls.phrases import CALLER as CALLERS
from tasks.common import program
from tasks.common.audio import AGENT, CALLER, RATE_HZ, SIDES, Samples
from tasks.common.data import Store, open_target
from tasks.common.program import BadInput
from tasks.common.progress import Progress
from tasks.common.speech import KINDS, VOICES, encoded, say_it, with_noise

CALLS, TEXTS = 12, 160
ADDED = 0.2  # of the first day's calls, by each later one
FIRST_DAY = datetime(2026, 11, 20, 8, tzinfo=UTC)
BETWEEN = timedelta(minutes=7)
SENTENCES = (3, 4)  # of each side
PAUSE_S = (0.7, 1.1)
DECIBELS = (12.0, 30.0)  # by which the noise is below what is said
AGENT_VOICES = dict(zip(AGENTS, VOICES, strict=True))
SENTIMENTS = (NEGATIVE, NEUTRAL, POSITIVE)
Moods = Mapping[int, tuple[float, ...]]
"""How often each of SENTIMENTS is said, by the mood of a call."""
MOODS: Moods = {NEGATIVE: (0.6, 0.3, 0.1), NEUTRAL: (0.2, 0.6, 0.2), POSITIVE: (0.1, 0.3, 0.6)}
PLACE = re.compile(r"\{(\w+)\}")
RESERVED = 4  # every fourth phrase of a list is for calls that are held out


@dataclass(frozen=True)
class Said:
    """One turn of a call that is yet to be spoken."""

    side: str
    text: str
    sentiment: int


@dataclass(frozen=True)
class Plan:
    """One call before it is spoken; without a ``kind`` of file it is not."""

    id: str
    agent: str
    began: datetime
    kind: str
    turns: tuple[Said, ...]

    @property
    def file(self) -> str:
        return f"audio/{self.id}.{self.kind}" if self.kind else ""


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, help="folder or s3://bucket/prefix")
    parser.add_argument("--calls", type=int, default=CALLS, help="spoken calls of revision 1")
    parser.add_argument("--texts", type=int, default=TEXTS, help="calls of revision 1 of which only the text is left")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--revision", type=int, default=1, help="which day")
    options = parser.parse_args()
    if min(options.calls, options.texts) < 0 or options.revision < 1 or not options.calls + options.texts:
        raise BadInput("--calls and --texts must not be negative, nor both 0, and --revision must be at least 1.")
    planned = list(plan(options.revision, options.calls, options.texts, options.seed))
    sentences = bring(open_target(options.output), planned, options.seed)
    return {"calls": len(planned), "sentences": sentences, "output": options.output}


def plan(revision: int, spoken: int, texts: int, seed: int = 1) -> Iterator[Plan]:
    """Go through the calls of all days up to ``revision``."""
    for day in range(1, revision + 1):
        for letter, count in (("c", spoken), ("t", texts)):
            wanted = count if day == 1 else min(count, max(1, round(count * ADDED)))
            for number, id_ in enumerate(_ids(letter, day, wanted)):
                began = FIRST_DAY + timedelta(days=day - 1) + number * BETWEEN
                kind = list(KINDS)[number % len(KINDS)] if letter == "c" else ""
                yield planned(id_, began, kind, seed)


def bring(store: Store, planned: Sequence[Plan], seed: int = 1) -> int:
    """Write recordings that are not there yet, then the tables. Returns how many sentences there are."""
    there = {entry.key for entry in store.entries()}
    calls, sentences = [], []
    with Progress(len(planned), "calls", "Speaking") as progress:
        for each in planned:
            samples, said = spoken(each, seed)
            if each.kind and each.file not in there:
                store.write(each.file, encoded(samples, each.kind))
            calls.append(Call(each.id, each.file, each.agent, each.began.isoformat()))
            sentences += said
            progress.advance()
    for key, content in written(calls, sentences).items():
        store.write(key, content)
    return len(sentences)


def spoken(planned: Plan, seed: int = 1) -> tuple[Samples, list[Sentence]]:
    """Return samples [2, N] of a call, and its sentences with their times. Where only text is left, none are said."""
    chance = random.Random(f"{seed}-{planned.id}-voices")  # noqa: S311 - calls are no secrets
    noise = np.random.default_rng([seed, *planned.id.encode()])
    voices = {AGENT: AGENT_VOICES[planned.agent]}
    voices[CALLER] = chance.choice([voice for voice in VOICES if voice != voices[AGENT]])
    at, parts, sentences = chance.uniform(*PAUSE_S), [], []
    for turn in planned.turns:
        samples = say_it(turn.text, voices[turn.side]) if planned.kind else np.zeros(RATE_HZ, np.float32)
        end = at + len(samples) / RATE_HZ
        parts.append((turn.side, round(at * RATE_HZ), samples))
        sentences.append(Sentence(planned.id, turn.side, round(at, 2), round(end, 2), turn.text, turn.sentiment))
        at = end + chance.uniform(*PAUSE_S)
    if not planned.kind:
        return np.zeros((2, 0), np.float32), sentences
    whole = np.zeros((2, round(at * RATE_HZ)), np.float32)
    for side, start, samples in parts:
        whole[SIDES.index(side), start : start + len(samples)] += samples[: whole.shape[1] - start]
    return np.stack([with_noise(channel, chance.uniform(*DECIBELS), noise) for channel in whole]), sentences


def _ids(letter: str, day: int, wanted: int) -> Iterator[str]:
    """Ids of calls; every second one that is spoken is held out, so that few recordings are enough to judge by."""
    judges = itertools.cycle((False, True))
    sides = [next(judges) for _ in range(wanted)] if letter == "c" else [None] * wanted
    numbers = itertools.count()
    for side in sides:
        yield next(
            id_
            for id_ in (f"{letter}-{day:02}-{number:04}" for number in numbers)
            if side is None or _judges(id_) == side
        )


def _judges(id_: str) -> bool:
    return Call(id_, "", "", "").held_out(HELD_OUT_SHARE)


def planned(id_: str, began: datetime, kind: str, seed: int, moods: Moods = MOODS) -> Plan:
    """Return a call in one of these moods, by chance; without a ``kind`` of file it is not spoken."""
    chance = random.Random(f"{seed}-{id_}")  # noqa: S311 - calls are no secrets
    agent = chance.choice(AGENTS)
    judges = _judges(id_)
    mood = chance.choice(list(moods))
    turns = []
    for _ in range(chance.randint(*SENTENCES)):
        for side, lists in ((AGENT, AGENTS_SAY), (CALLER, CALLERS)):
            (sentiment,) = chance.choices(SENTIMENTS, moods[mood])
            phrases = [p for n, p in enumerate(lists[sentiment]) if judges or n % RESERVED != RESERVED - 1]
            turns.append(Said(side, filled(chance.choice(phrases), chance), sentiment))
    return Plan(id_, agent, began, kind, tuple(turns))


def filled(phrase: str, chance: random.Random) -> str:
    """Return a phrase with a value in each of its places."""
    text = PLACE.sub(lambda found: chance.choice(VALUES[found[1]]), phrase)
    return re.sub(r"\ba (?=[aeiou])", "an ", text)


if __name__ == "__main__":
    program.run(main)
