"""What is not talked about, what is hidden from whatever is said or kept, and how often one may ask.

The guardrails file is YAML; all of it may be left out::

    topics:
      - name: legal advice
        says: I give no legal advice; ask the legal department.
        words: [sue the company]                      # in the question, whatever the case
        examples: ["Can I sue my manager?"]           # or near one of these in meaning
    mask: [personal, financial]                       # kinds that are hidden; without this line all eight
"""

from __future__ import annotations

import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pydantic
import yaml

from tasks.common.metrics import Floats
from tasks.documents.answer import Embed

NEAR = 0.7
"""Cosine from which a question is about what an example of a refused topic is about."""
MOST_KNOWN = 10_000
"""Askers whose questions are counted at a time."""
Kind = Literal["personal", "financial", "health", "biometric", "location", "communication", "online", "legal"]
Mask = Callable[[str], str]

# A name of a secret with its value, and values that look like secrets by themselves.
_SECRET = re.compile(
    r"(?P<name>\b(?:pass(?:word|phrase|code)?|pin|secret|token|api[ _-]?key|access[ _-]?key|bearer)\b"
    r"\s*(?:is|[:=])?\s*)(?P<value>(?=\S*[\d!@#$%^&*_+-])\S{4,})|"
    r"\b(?:sk|ghp|xox[bp]|AKIA)[-_]?[A-Za-z0-9_-]{12,}|\b[A-Fa-f0-9]{32,}\b|\beyJ[\w-]{10,}\.[\w-]+\.[\w-]+",
    re.IGNORECASE,
)


class GuardrailsError(Exception):
    """The guardrails file cannot be understood; the message says why."""


class Topic(pydantic.BaseModel, extra="forbid"):
    name: str = pydantic.Field(min_length=1, max_length=100)
    says: str = pydantic.Field(min_length=1, max_length=500)
    words: list[str] = []
    examples: list[str] = []


class Guardrails(pydantic.BaseModel, extra="forbid"):
    topics: list[Topic] = []
    mask: list[Kind] = list(Kind.__args__)  # type: ignore[attr-defined]

    @classmethod
    def of(cls, file: Path | None) -> Guardrails:
        """Read a file; without one nothing is refused and all kinds are hidden. Raises GuardrailsError."""
        if file is None:
            return cls()
        try:
            return cls.model_validate(yaml.safe_load(file.read_text()) or {})
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise GuardrailsError(f"{file} cannot be read ({type(error).__name__}).") from error
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise GuardrailsError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error


class Topics:
    """The topics that are refused."""

    def __init__(self, topics: Sequence[Topic], embed: Embed) -> None:
        self._topics = topics
        self._examples = [(topic, embed(topic.examples)) for topic in topics if topic.examples]

    def of(self, question: str, vector: Floats) -> Topic | None:
        """Return the refused topic that a question is about; None where it is about none."""
        asked = " ".join(question.lower().split())
        for topic in self._topics:
            if any(" ".join(words.lower().split()) in asked for words in topic.words):
                return topic
        return next((topic for topic, near in self._examples if float(np.max(near @ vector)) >= NEAR), None)


def without_secrets(text: str) -> str:
    """Return a text with what looks like a password, key or token hidden."""
    return _SECRET.sub(lambda found: f"{found['name'] or ''}[secret]", text)


class Limit:
    """How often each may ask: ``most`` at once, and as many again within each minute."""

    def __init__(self, most: int, now: Callable[[], float] = time.monotonic) -> None:
        self._most, self._now = most, now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, who: str) -> int:
        """Count one question and return 0, or the seconds to wait before it may be asked."""
        now = self._now()
        left, at = self._left.pop(who, (float(self._most), now))
        left = min(self._most, left + (now - at) * self._most / 60)
        allowed = left >= 1
        self._left[who] = (left - allowed, now)
        while len(self._left) > MOST_KNOWN:
            self._left.popitem(last=False)
        return 0 if allowed else math.ceil((1 - left) * 60 / self._most)
