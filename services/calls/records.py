"""What is sent to the store, checked: every fault of it is one sentence that names the field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

SIDES = ("agent", "caller")
SENTIMENTS = ("negative", "neutral", "positive")
LONGEST_TEXT = 10_000
"""Characters of one sentence."""
MOST_SENTENCES = 1000
"""Of one request; a longer call is sent in several."""
CALL_ID = r"[A-Za-z0-9._-]{1,64}"

MOST_MENTIONS = 100
"""Of one sentence."""
MOST_INDEX = 1_000_000
"""Of a sentence of one side."""

Side = Literal["agent", "caller"]
Sentiment = Literal["negative", "neutral", "positive"]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=1_000_000)]
# A database's text cannot hold NUL, and nobody says it.
_WITHOUT_NUL = BeforeValidator(lambda sent: sent.replace("\x00", "") if isinstance(sent, str) else sent)
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), _WITHOUT_NUL]
Words = Annotated[str, StringConstraints(max_length=LONGEST_TEXT), _WITHOUT_NUL]
File = Annotated[str, StringConstraints(min_length=1, max_length=1000), _WITHOUT_NUL]


class InvalidError(ValueError):
    """What was sent is not what is asked for; the message says where."""


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("there is no such day in UTC") from None


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(_Sent):
    """Where a call's recording lies: the file in a version of a dataset."""

    dataset: Name
    version: Name
    file: File


class Call(_Sent):
    """A call: who answered it and when it began; ``seconds`` long, at ``rate_hz``."""

    agent: Name
    began: Annotated[AwareDatetime, AfterValidator(_in_utc)]
    seconds: Seconds
    rate_hz: Annotated[int, Field(gt=0, le=1_000_000)]
    channels: Annotated[int, Field(gt=0, le=64)]
    source: Source


class Scores(_Sent):
    """The share that a model gives each sentiment."""

    negative: Share
    neutral: Share
    positive: Share


class Mention(_Sent):
    """What a sentence is about: a topic, or a name of some kind."""

    kind: Literal["topic", "company", "product", "place", "person"]
    name: Name


class Sentence(_Sent):
    """What one side said from second ``start`` to ``end`` of a call, its ``index``-th sentence from 0.

    ``mentions`` are what it is about; None where nobody has looked.
    """

    side: Side
    index: Annotated[int, Field(ge=0, le=MOST_INDEX)]
    start: Seconds
    end: Seconds
    text: Words
    sentiment: Sentiment
    scores: Scores
    recogniser: Name
    model: Name
    mentions: Annotated[list[Mention], Field(max_length=MOST_MENTIONS)] | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Sentence:
        if self.end < self.start:
            raise ValueError(f"it ends at {self.end:g} s, before it begins at {self.start:g} s")
        return self


class Sentences(_Sent):
    sentences: Annotated[list[Sentence], Field(max_length=MOST_SENTENCES)]

    @model_validator(mode="after")
    def _each_once(self) -> Sentences:
        keys = [(one.side, one.index) for one in self.sentences]
        twice = {key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else set()
        if twice:
            side, index = min(twice)
            raise ValueError(f"sentence {index} of the {side} is there twice")
        return self


class Finished(_Sent):
    sentences: Annotated[int, Field(ge=0)]


class Correction(_Sent):
    """What a person says that a sentence is: its words, its sentiment, or both, and who says so."""

    text: Words | None = None
    sentiment: Sentiment | None = None
    by: Name

    @model_validator(mode="after")
    def _something(self) -> Correction:
        if self.text is None and self.sentiment is None:
            raise ValueError("a correction has a text, a sentiment, or both")
        return self


R = TypeVar("R", bound=BaseModel)


def read(kind: type[R], content: bytes) -> R:
    """Return the record that ``content`` is as JSON. Raises InvalidError with the first fault."""
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        where = ".".join(map(str, found[0]["loc"]))
        says = found[0]["msg"].removeprefix("Value error, ").rstrip(".")
        more = f" There are {len(found) - 1} more faults." if len(found) > 1 else ""
        raise InvalidError(f"{where}: {says}.{more}" if where else f"{says[:1].upper()}{says[1:]}.{more}") from None


def when(text: str, name: str) -> datetime:
    """Return a time given as ISO 8601, UTC where it names no zone. Raises InvalidError."""
    try:
        # In an address, + stands for a space.
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return _in_utc(at if at.tzinfo else at.replace(tzinfo=UTC))
    except ValueError:
        raise InvalidError(f"{name} is a date or a time such as 2026-11-27T08:00:00Z, not {text!r}.") from None


def plain(record: BaseModel) -> dict[str, Any]:
    return record.model_dump(mode="json")
