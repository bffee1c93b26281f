"""Recorded and labelled calls: a folder that people can fill by hand, or that ``tasks.calls.generate`` makes.

| File | Holds |
| --- | --- |
| ``calls.csv`` | a call a line: ``call``, ``file``, ``agent``, ``began`` (ISO 8601 with a zone) |
| the recordings | at the paths that ``file`` names in this folder; no file: of the call only the text is left |
| ``sentences.csv`` | labelled sentences: ``call``, ``side``, ``start``, ``end`` (seconds), ``text``, ``sentiment`` |
| ``corrections.jsonl`` | what people corrected on the pages of the calls, as ``tasks.calls.corrections`` brings it |

Without ``sentences.csv`` there are calls to score and nothing to train on. Calls are held out whole, by the hash of
their ids: a call is on the same side in every version. What was said in a call that is held out, word for word, trains
nothing.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tasks.calls.sentiment import LABELS, MOST_CHARACTERS
from tasks.common import manifest
from tasks.common.audio import SIDES
from tasks.common.data import Store
from tasks.common.lineage import Dataset, dataset, tensor_schema
from tasks.common.listing import only_data
from tasks.common.model_folder import Tensor
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.common.run_file import RunFile
from tasks.common.split import is_held_out

CALLS, SENTENCES, CORRECTIONS = "calls.csv", "sentences.csv", "corrections.jsonl"
CALL_COLUMNS = ("call", "file", "agent", "began")
SENTENCE_COLUMNS = ("call", "side", "start", "end", "text", "sentiment")
CALL_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
HELD_OUT_SHARE = 0.3


@dataclass(frozen=True)
class Call:
    """One call. ``file`` is the key of its recording, or "" where only its text is left."""

    id: str
    file: str
    agent: str
    began: str

    def held_out(self, share: float) -> bool:
        return held_out(self.id, share)


@dataclass(frozen=True)
class Sentence:
    """One labelled sentence; ``start`` and ``end`` in seconds of the recording, ``sentiment`` a number of LABELS."""

    call: str
    side: str
    start: float
    end: float
    text: str
    sentiment: int

    @property
    def digest(self) -> str:
        """Of what is said, however it is written: the same sentence twice is one."""
        return digest_of(self.text)


@dataclass(frozen=True)
class Said:
    """Calls by id, the ``labelled`` sentences as people corrected them, and those ``added`` that people corrected where
    nothing was labelled; ``corrected`` counts both."""

    calls: Mapping[str, Call]
    labelled: list[Sentence]
    added: list[Sentence]
    corrected: int


@dataclass(frozen=True)
class Labelled:
    """What there is to train on and to judge by."""

    store: Store
    calls: Mapping[str, Call]
    training: list[Sentence]
    held_out: list[Sentence]
    corrected: int
    """Of the sentences, those that people have corrected."""
    digest: str
    split: str


def held_out(call: str, share: float) -> bool:
    """Tell whether a call judges, by its id."""
    return is_held_out(hashlib.sha256(call.encode()).hexdigest(), share)


def calls(store: Store) -> list[Call]:
    """Return all calls, by id. Raises BadInput with file and line for the first that cannot be meant."""
    keys = {entry.key for entry in only_data(store.entries(), store.url)}
    found: dict[str, Call] = {}
    for where, row in _rows(store, CALLS, CALL_COLUMNS, keys):
        call = Call(*(row[name].strip() for name in CALL_COLUMNS))
        if not CALL_ID.fullmatch(call.id):
            raise BadInput(f"{where}: the call {call.id!r} is not of 1 to 64 letters, digits, dots, dashes.")
        if call.id in found:
            raise BadInput(f"{where}: the call {call.id} stands there twice.")
        if call.file and call.file not in keys:
            raise BadInput(f"{where}: {store.url} has no file {call.file!r}; bring it, or take the call out.")
        if not call.agent:
            raise BadInput(f"{where}: the call {call.id} names no agent.")
        _check_time(call.began, where)
        found[call.id] = call
    if not found:
        raise BadInput(f"{store.url}/{CALLS} lists no call.")
    return [found[name] for name in sorted(found)]


def said(store: Store) -> Said:
    """Read all sentences. Raises BadInput with file and line for the first that cannot be meant."""
    known = {call.id: call for call in calls(store)}
    keys = {entry.key for entry in store.entries()}
    if SENTENCES not in keys:
        raise BadInput(f"{store.url} has no {SENTENCES}; there is nothing to train on until sentences are labelled.")
    sentences = list(_sentences(store, keys, known))
    if CORRECTIONS not in keys:
        return Said(known, sentences, [], 0)
    found, corrected = _with_corrections(sentences, _corrections(store, known))
    return Said(known, found[: len(sentences)], found[len(sentences) :], len(corrected))


def load(store: Store, held_out_share: float = HELD_OUT_SHARE) -> Labelled:
    """Read all labelled sentences. Raises BadInput with file and line for the first that cannot be meant."""
    if not 0 < held_out_share < 1:
        raise BadInput(f"--held-out-share is {held_out_share}; it must be between 0 and 1.")
    told = said(store)
    sentences = told.labelled + told.added
    judging = {call.id for call in told.calls.values() if call.held_out(held_out_share)}
    held_out = [sentence for sentence in sentences if sentence.call in judging]
    judged = {sentence.digest for sentence in held_out}
    training = [s for s in sentences if s.call not in judging and s.digest not in judged]
    for part, what in ((training, "to train on"), (held_out, "held out to judge by")):
        if not part:
            raise BadInput(f"{store.url} has no labelled sentence {what}; label more calls.")
    left = sum(sentence.call not in judging for sentence in sentences) - len(training)
    if left:
        say(f"{left} sentences are said in held-out calls too, and train nothing.")
    listed = manifest.of(store.url)
    keys = {entry.key for entry in store.entries()} & {CALLS, SENTENCES, CORRECTIONS}
    digest = listed.digest or _digest(store, sorted(keys))
    split = f"by call, {held_out_share:g} held out"
    return Labelled(store, told.calls, training, held_out, told.corrected, digest, split)


def lineage(run: RunFile | None, labelled: Labelled) -> Dataset:
    """The sentences as MLflow's Dataset tab shows them."""
    counts = {"training": len(labelled.training), "held_out": len(labelled.held_out), "corrected": labelled.corrected}
    schema = tensor_schema(Tensor("text", "str", (-1,)))
    return dataset(run, labelled.store.url, labelled.digest, profile=counts, schema=schema)


def digest_of(text: str) -> str:
    """SHA-256 of the words of a text, without capitals and signs."""
    return hashlib.sha256(" ".join(words(text)).encode()).hexdigest()


def words(text: str) -> list[str]:
    """The words of a text as they are compared: lower case, without signs."""
    return re.findall(r"[a-z0-9']+", text.lower())


def written(calls: Iterable[Call], sentences: Iterable[Sentence]) -> dict[str, bytes]:
    """Return the two tables, by their names."""
    told = ((call.id, call.file, call.agent, call.began) for call in calls)
    said = ((s.call, s.side, f"{s.start:.2f}", f"{s.end:.2f}", s.text, LABELS[s.sentiment]) for s in sentences)
    return {CALLS: _table(CALL_COLUMNS, told), SENTENCES: _table(SENTENCE_COLUMNS, said)}


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return file.getvalue().encode()


def _rows(
    store: Store, key: str, columns: Sequence[str], keys: Collection[str]
) -> Iterator[tuple[str, Mapping[str, str]]]:
    if key not in keys:
        raise BadInput(f"{store.url} has no {key}; calls are {CALLS}, their recordings and {SENTENCES}.")
    reader = csv.DictReader(io.StringIO(_text(store, key)), restkey="")
    missing = [column for column in columns if column not in (reader.fieldnames or ())]
    if missing:
        raise BadInput(f"{store.url}/{key}, line 1: there is no column {missing[0]}; it has {', '.join(columns)}.")
    for row in reader:
        where = f"{store.url}/{key}, line {reader.line_num}"
        if any(row[column] is None for column in columns) or "" in row:
            raise BadInput(f"{where}: there are more or fewer than {len(columns)} values.")
        yield where, row


def _text(store: Store, key: str) -> str:
    try:
        return store.read(key).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{store.url}/{key} is no text in UTF-8 ({error.reason} at byte {error.start}).") from error


def _sentences(store: Store, keys: Collection[str], known: Mapping[str, Call]) -> Iterator[Sentence]:
    for where, row in _rows(store, SENTENCES, SENTENCE_COLUMNS, keys):
        yield _sentence(row, known, where)


def _sentence(row: Mapping[str, Any], known: Mapping[str, Call], where: str) -> Sentence:
    call, side, text, label = (str(row[name]).strip() for name in ("call", "side", "text", "sentiment"))
    if call not in known:
        raise BadInput(f"{where}: {CALLS} lists no call {call!r}.")
    if side not in SIDES:
        raise BadInput(f"{where}: the side is {side!r}; it is one of {', '.join(SIDES)}.")
    if label not in LABELS:
        raise BadInput(f"{where}: the sentiment is {label!r}; it is one of {', '.join(LABELS)}.")
    if not words(text):
        raise BadInput(f"{where}: the text {text!r} holds no word.")
    if len(text) > MOST_CHARACTERS:
        raise BadInput(f"{where}: a sentence has up to {MOST_CHARACTERS} characters, this one {len(text)}.")
    try:
        start, end = float(row["start"]), float(row["end"])
    except ValueError:
        raise BadInput(f"{where}: start and end are {row['start']!r} and {row['end']!r}, not seconds.") from None
    if not 0 <= start < end < float("inf"):
        raise BadInput(f"{where}: the sentence is from {start:g} s to {end:g} s, which is no time of a call.")
    return Sentence(call, side, start, end, text, LABELS.index(label))


def _corrections(store: Store, known: Mapping[str, Call]) -> Iterator[Sentence]:
    """Those of calls of this dataset; the same page may show others."""
    elsewhere = 0
    for number, line in enumerate(_text(store, CORRECTIONS).splitlines(), 1):
        where = f"{store.url}/{CORRECTIONS}, line {number}"
        try:
            told = json.loads(line)
            row = {name: told[name] for name in SENTENCE_COLUMNS}
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{where}: this is no correction ({error!r}); bring the corrections again.") from error
        if row["call"] not in known:
            elsewhere += 1
        elif words(str(row["text"])):  # else a person says that there was no word
            yield _sentence(row, known, where)
    if elsewhere:
        say(f"{elsewhere} corrections are of calls that {store.url} does not hold, and are passed over.")


def _with_corrections(
    sentences: Sequence[Sentence], corrections: Iterable[Sentence]
) -> tuple[list[Sentence], list[Sentence]]:
    """Return all sentences, and those that people corrected: a labelled one that a correction overlaps most, or a new.

    A person's word replaces text and sentiment; the times stay those of the label.
    """
    found, corrected = list(sentences), []
    for correction in corrections:
        beside = [(_overlap(s, correction), n) for n, s in enumerate(found) if _of_same_side(s, correction)]
        most, place = max(beside, default=(0.0, -1))
        if most > (correction.end - correction.start) / 2:
            made = replace(found[place], text=correction.text, sentiment=correction.sentiment)
            found[place] = made
        else:
            made = correction
            found.append(made)
        corrected.append(made)
    return found, corrected


def _of_same_side(one: Sentence, other: Sentence) -> bool:
    return (one.call, one.side) == (other.call, other.side)


def _overlap(one: Sentence, other: Sentence) -> float:
    return min(one.end, other.end) - max(one.start, other.start)


def _check_time(text: str, where: str) -> None:
    try:
        zone = datetime.fromisoformat(text).tzinfo
    except ValueError:
        raise BadInput(f"{where}: {text!r} is no time such as 2026-11-27T09:30:00+00:00.") from None
    if zone is None:
        raise BadInput(f"{where}: the time {text} has no zone; write it like 2026-11-27T09:30:00+00:00.")


def _digest(store: Store, keys: Sequence[str]) -> str:
    whole = hashlib.sha256()
    for key in keys:
        whole.update(f"{key}\0{hashlib.sha256(store.read(key)).hexdigest()}\n".encode())
    return whole.hexdigest()
