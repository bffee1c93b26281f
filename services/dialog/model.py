"""What a person means, by the model that an inference server serves over the Open Inference Protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import numpy as np

from services.served import Served, ServedError
from tasks.common.metrics import Floats
from tasks.common.model_folder import DESCRIPTION
from tasks.common.tokens import PADDING, TOKENIZER, Integers, Tokens
from tasks.retail.dialog.conversation import UnderstandingError, Understood
from tasks.retail.dialog.meaning import meaning
from tasks.retail.labels import OUTSIDE
from tasks.retail.reading import Answer, answers

TIME_LIMIT_S = 2.0
INPUT, OUTPUT = "tokens", "logits"


LENGTH_STEP = 16
"""Pieces of words, to a multiple of which a question is filled up."""


@dataclass(frozen=True)
class Version:
    """One served version: its number at the server, how it reads words and what its labels are."""

    number: str
    tokens: Tokens
    intents: tuple[str, ...]
    slots: tuple[str, ...]


@dataclass(frozen=True)
class Suggestion:
    """Labels as the model gives them: the intent with its confidence, a slot for each word; by which version."""

    intent: str
    slots: tuple[str, ...]
    confidence: float
    version: str


class ServedModel:
    """Asks the model ``name`` at ``server``; ``folders`` is the model volume, ``intent_of_label`` the vocabulary's."""

    def __init__(
        self,
        server: str,
        name: str,
        folders: Path,
        intent_of_label: Mapping[str, str],
        client: aiohttp.ClientSession,
        time_limit_s: float = TIME_LIMIT_S,
    ) -> None:
        self._intent_of_label = intent_of_label
        self._served = Served(
            server, name, folders, client, _read, inputs=INPUT, outputs=OUTPUT, time_limit_s=time_limit_s
        )

    async def understand(self, text: str) -> Understood:
        """Return intent and slots of ``text``. Raises UnderstandingError where the server gives no answer to use."""
        words = text.split()
        answer, version = await self._answer(words)
        return meaning(words, answer, version.intents, version.slots, self._intent_of_label)

    async def suggest(self, words: list[str]) -> Suggestion:
        """Return the labels of a question. Raises UnderstandingError where the server gives no answer to use."""
        answer, version = await self._answer(words)
        slots = tuple(version.slots[slot] for slot in answer.slots)
        return Suggestion(version.intents[answer.intent], slots, answer.confidence, version.number)

    async def _answer(self, words: list[str]) -> tuple[Answer, Version]:
        def answer(version: Version, logits: Floats) -> tuple[Answer, Version]:
            _, first = version.tokens.numbers([words])
            (found,) = answers(logits, first, len(version.slots), version.slots.index(OUTSIDE))
            return found, version

        try:
            return await self._served.ask(lambda version: _filled(version.tokens.numbers([words])[0]), answer)
        except ServedError as error:
            raise UnderstandingError(str(error)) from error


def _filled(numbers: Integers) -> Integers:
    """Fill questions up to a length that others have too: the server joins those of one length."""
    return np.pad(numbers, ((0, 0), (0, -numbers.shape[1] % LENGTH_STEP)), constant_values=PADDING)


def _read(folder: Path, number: str) -> Version:
    told = json.loads((folder / DESCRIPTION).read_text())
    tokens = Tokens((folder / TOKENIZER).read_bytes())
    return Version(number, tokens, tuple(told["intents"]), tuple(told["slots"]))
