"""What a person means, by the model that an inference server serves over the Open Inference Protocol.

The version that answered says, by the fact ``folder`` of its configuration there, in which folder of the model volume
its tokenizer and labels lie: a new champion is understood from its first answer on, without a restart.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tasks.common.model_folder import DESCRIPTION
from tasks.retail.dialog.conversation import UnderstandingError, Understood
from tasks.retail.dialog.meaning import meaning
from tasks.retail.labels import OUTSIDE
from tasks.retail.reading import Answer, answers
from tasks.retail.tokens import TOKENIZER, Tokens

TIME_LIMIT_S = 2.0
INPUT, OUTPUT = "tokens", "logits"
FOLDER = "folder"

log = logging.getLogger(__name__)


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
        client: httpx.AsyncClient,
        time_limit_s: float = TIME_LIMIT_S,
    ) -> None:
        self._model = f"{server.rstrip('/')}/v2/models/{name}"
        self._folders = folders
        self._intent_of_label = intent_of_label
        self._client = client
        self._time_limit_s = time_limit_s
        self._version: Version | None = None

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
        try:
            async with asyncio.timeout(self._time_limit_s):
                return await self._asked(words)
        except TimeoutError:
            raise UnderstandingError(f"{self._model} took more than {self._time_limit_s:g} s.") from None
        except httpx.HTTPError as error:
            raise UnderstandingError(f"{self._model} does not answer: {type(error).__name__}.") from error
        except (KeyError, IndexError, TypeError, ValueError, OSError) as error:
            raise UnderstandingError(f"{self._model} answers something else than it should: {error!r}.") from error

    async def _asked(self, words: list[str]) -> tuple[Answer, Version]:
        version = self._version or await self._now()
        logits, number = await self._infer(version, words)
        if number != version.number:
            # Another version was activated meanwhile, with words and labels that may be others.
            version = await self._now()
            logits, number = await self._infer(version, words)
            if number != version.number:
                raise UnderstandingError(f"{self._model} changed twice within one question.")
        _, first = version.tokens.numbers([words])
        (answer,) = answers(logits, first, len(version.slots), version.slots.index(OUTSIDE))
        return answer, version

    async def _infer(self, version: Version, words: list[str]) -> tuple[Any, str]:
        numbers, _ = version.tokens.numbers([words])
        tensor = {"name": INPUT, "shape": list(numbers.shape), "datatype": "INT64", "data": numbers.ravel().tolist()}
        answer = await self._client.post(
            f"{self._model}/infer", json={"inputs": [tensor], "outputs": [{"name": OUTPUT}]}
        )
        answer.raise_for_status()
        told = answer.json()
        (output,) = (output for output in told["outputs"] if output["name"] == OUTPUT)
        return np.asarray(output["data"], np.float32).reshape(output["shape"]), str(told["model_version"])

    async def _now(self) -> Version:
        answer = await self._client.get(f"{self._model}/config")
        answer.raise_for_status()
        told = answer.json()
        folder = self._folders / str(told["parameters"][FOLDER]["string_value"])
        (number,) = told["version_policy"]["specific"]["versions"]
        self._version = await asyncio.to_thread(_read, folder, str(number))
        log.info("Version %s of %s is asked, from %s", number, self._model, folder)
        return self._version


def _read(folder: Path, number: str) -> Version:
    told = json.loads((folder / DESCRIPTION).read_text())
    tokens = Tokens((folder / TOKENIZER).read_bytes())
    return Version(number, tokens, tuple(told["intents"]), tuple(told["slots"]))
