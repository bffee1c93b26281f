"""Bring what people said on a day into the training data, masked and labelled: by people, or by the model that serves.

    DIALOG_URL=http://127.0.0.1:8600 DIALOG_TOKEN=... \
        python -m tasks.retail.collect --day 2026-11-27 --days-back 7 --output s3://lake/questions

Each day gets a folder ``days/YYYY-MM-DD`` (see ``dataset``): ``train`` holds the messages that a person has labelled,
with their conversations where a person has labelled all of one, ``suggested`` those that the model is sure of. The
days before are brought again, for what people have labelled since. The same answers make the same files.

Names, places of living, numbers and addresses are masked (see ``masking``) unless ``--allow-personal-data``. The id of
a conversation is not kept: who knows it may speak in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.data import Store, open_target
from tasks.common.program import BadInput, TryAgain
from tasks.common.progress import Progress, say
from tasks.retail.dataset import DAYS, SUGGESTED, TRAIN, Question, written, written_labels
from tasks.retail.labels import BEGIN, INSIDE, INTENTS, OUTSIDE, SLOTS
from tasks.retail.masking import find, mask

DAYS_BACK = 7
LEAST_CONFIDENCE = 0.9
TIMEOUT_S = 60
NUMBER = {label: number for number, label in enumerate(SLOTS)}


@dataclass(frozen=True)
class Dialog:
    """The address of the service, its token, and what Airflow calls the connection."""

    url: str
    token: str = field(repr=False)
    connection: str = "dialog_default"
    authority: str | None = None

    @classmethod
    def of_environment(cls) -> Dialog:
        url = os.environ.get("DIALOG_URL", "").rstrip("/")
        if not url:
            raise BadInput("DIALOG_URL is not set; it is the address of the dialog service.")
        connection = os.environ.get("DIALOG_CONNECTION", "dialog_default")
        authority = os.environ.get("DIALOG_CA_BUNDLE")
        return cls(url, os.environ.get("DIALOG_TOKEN", ""), connection, authority)

    def ask(self, path: str, sent: Any = None, method: str | None = None) -> bytes:
        """Return what the service answers to GET, or to POST of what is ``sent``.

        Raises TryAgain where it gives no answer, BadInput where it refuses.
        """
        body = None if sent is None else json.dumps(sent).encode()
        headers = {"Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(f"{self.url}{path}", body, headers, method=method)  # noqa: S310
        context = ssl.create_default_context(cafile=self.authority) if self.authority else None
        who = f"The dialog service at {self.url} (connection {self.connection})"
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as answer:  # noqa: S310
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:200]
            if error.code == 401:
                raise BadInput(f"{who} does not take the token; give the service's own as the password.") from error
            kind = TryAgain if error.code >= 500 or error.code == 429 else BadInput
            raise kind(f"{who} answers {error.code} to {path}: {said}") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise TryAgain(f"{who} does not answer: {reason}. Is it running, and is the address right?") from error


@dataclass
class Day:
    """What becomes of a day: questions with the conversation each is of, and counts of all that was said."""

    labelled: list[tuple[Question, str]] = field(default_factory=list)
    suggested: list[tuple[Question, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def main() -> dict[str, Any]:
    options = _options()
    if options.days_back < 0 or not 0 <= options.least_confidence <= 1:
        raise BadInput("--days-back is at least 0, and --least-confidence from 0 to 1.")
    dialog, store = Dialog.of_environment(), open_target(options.output)
    days = [_day(options.day) - timedelta(days=back) for back in range(options.days_back, -1, -1)]
    counts: Counter[str] = Counter()
    changed: list[str] = []
    with Progress(len(days), "days", "Collecting") as progress:
        for day in days:
            lines = [json.loads(line) for line in dialog.ask(f"/api/days/{day}").splitlines()]
            found = of_day(lines, options.least_confidence, options.allow_personal_data)
            counts += found.counts
            if bring(store, day, found):
                changed.append(str(day))
            progress.advance()
    said = ", ".join(f"{counts[name]} {name.replace('_', ' ')}" for name in COUNTED)
    say(f"{days[0]} to {days[-1]}: {said}")
    return {"day": str(days[-1]), **{name: counts[name] for name in COUNTED}, "changed": changed}


COUNTED = ("conversations", "messages", "labelled_by_people", "suggested", "left_out", "masked")


def of_day(lines: Iterable[dict[str, Any]], least_confidence: float, allow_personal_data: bool = False) -> Day:
    """Return the questions of a day's turns, as the service exports them."""
    day = Day()
    for name, turns in _conversations(lines).items():
        heard = [turn for turn in turns if "heard" in turn]
        day.counts["conversations"] += bool(heard)
        whole = [turn for turn in heard if turn.get("labels")]
        dialog = _digest(name)
        for number, turn in enumerate(heard):
            day.counts["messages"] += 1
            told = turn.get("labels") or _sure(turn.get("suggested"), least_confidence)
            question = _question(turn.get("words") or [], told, allow_personal_data, day.counts) if told else None
            if question is None:
                day.counts["left_out"] += 1
            elif turn.get("labels"):
                # In a conversation with a gap, each question stands for itself.
                day.labelled.append((question, dialog if len(whole) == len(heard) else f"{dialog}-{number}"))
                day.counts["labelled_by_people"] += 1
            else:
                day.suggested.append((question, f"{dialog}-{number}"))
                day.counts["suggested"] += 1
    return day


def bring(store: Store, day: date, found: Day) -> bool:
    """Write the day's files, the labels first where there are none yet; say whether any file changed."""
    there = {entry.key for entry in store.entries()}
    files = {key: content for key, content in written_labels(INTENTS, SLOTS).items() if key not in there}
    gone = set()
    for name, said in ((TRAIN, found.labelled), (SUGGESTED, found.suggested)):
        made = written([q for q, _ in said], f"{DAYS}/{day}/{name}", [dialog for _, dialog in said])
        if said:
            files |= made
        else:
            gone |= set(made) & there
    changed = [key for key, content in files.items() if key not in there or store.read(key) != content]
    for key in changed:
        store.write(key, files[key])
    for key in gone:
        store.delete(key)
    return bool(changed or gone)


def _question(
    words: Sequence[str], told: dict[str, Any], allow_personal_data: bool, counts: Counter[str]
) -> Question | None:
    """Return a labelled message, masked; None for labels that are none of the training data's."""
    slots = list(told["slots"])
    if told["intent"] not in INTENTS or len(slots) != len(words) or not set(slots) <= set(SLOTS):
        return None
    if not allow_personal_data:
        personal = find(words)
        words, places = mask(words, personal)
        slots = [slots[place] if place >= 0 else OUTSIDE for place in places]
        counts["masked"] += len(personal)
    return Question(tuple(words), INTENTS.index(told["intent"]), tuple(NUMBER[slot] for slot in _mended(slots)))


def _mended(slots: Sequence[str]) -> Iterator[str]:
    """A label that continues what a mask has taken away begins it."""
    before = OUTSIDE
    for slot in slots:
        if slot.startswith(INSIDE) and before[2:] != slot[2:]:
            slot = BEGIN + slot[2:]
        yield (before := slot)


def _sure(suggested: dict[str, Any] | None, least: float) -> dict[str, Any] | None:
    return suggested if suggested and suggested["confidence"] >= least else None


def _conversations(lines: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        found.setdefault(line["conversation"], []).append(line)
    return found


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"--day is {text!r}; a day is written YYYY-MM-DD.") from None


def _options() -> Any:
    flags = Flags(__doc__)
    flags.add_argument("--day", required=True, help="YYYY-MM-DD, in UTC: of conversations that began on it")
    flags.add_argument("--days-back", type=int, default=DAYS_BACK, help="days before it that are brought again")
    flags.add_argument("--output", required=True, help="folder or s3://bucket/prefix of the questions")
    flags.add_argument(
        "--least-confidence",
        type=float,
        default=LEAST_CONFIDENCE,
        help="of the intent, from which a suggestion is taken; 1 takes what people labelled and little else",
    )
    flags.add_argument("--allow-personal-data", action="store_true", default=False, help="mask nothing")
    return flags.parse()


if __name__ == "__main__":
    program.run(main)
