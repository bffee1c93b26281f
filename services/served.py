"""A model as an inference server serves it, over the Open Inference Protocol, through a change of its version.

The version that answered says, by the fact ``folder`` of its configuration there, in which folder of the model volume
its tokenizer and labels lie: a new champion is understood from its first answer on, without a restart.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import aiohttp
import numpy as np

from tasks.common.metrics import Floats
from tasks.common.tokens import Integers

FOLDER = "folder"
HEADER_LENGTH = "Inference-Header-Content-Length"
"""Says how long the JSON is, after which the tensors follow as they lie in memory."""

A = TypeVar("A")
V = TypeVar("V")

log = logging.getLogger(__name__)


class ServedError(Exception):
    """The server gave no answer to use; the message is for the log."""


class Served(Generic[V]):
    """Asks the model ``name`` at ``server``.

    :param folders: where the model volume is mounted.
    :param read: makes of a version's folder and its number what is needed to ask that version.
    :param client: aiohttp's; with twenty questions at once httpx takes four times the CPU, and lets some wait long.
    :param inputs: the tensor of numbers [N, longest] that is sent; ``outputs`` is the one that comes back.
    """

    def __init__(
        self,
        server: str,
        name: str,
        folders: Path,
        client: aiohttp.ClientSession,
        read: Callable[[Path, str], V],
        *,
        inputs: str,
        outputs: str,
        time_limit_s: float,
    ) -> None:
        self._model = f"{server.rstrip('/')}/v2/models/{name}"
        self._folders, self._client, self._read = folders, client, read
        self._inputs, self._outputs, self._time_limit_s = inputs, outputs, time_limit_s
        self._version: tuple[str, V] | None = None
        self._reading = asyncio.Lock()

    async def ask(self, numbers: Callable[[V], Integers], answer: Callable[[V, Floats], A]) -> A:
        """Return what ``answer`` makes of a version and what it says to ``numbers``. Raises ServedError."""
        try:
            async with asyncio.timeout(self._time_limit_s):
                return answer(*await self._asked(numbers))
        except TimeoutError:
            raise ServedError(f"{self._model} took more than {self._time_limit_s:g} s.") from None
        except aiohttp.ClientError as error:
            raise ServedError(f"{self._model} does not answer: {type(error).__name__}.") from error
        except (KeyError, IndexError, TypeError, ValueError, OSError) as error:
            raise ServedError(f"{self._model} answers something else than it should: {error!r}.") from error

    async def _asked(self, numbers: Callable[[V], Integers]) -> tuple[V, Floats]:
        known, version = self._version or await self._other_than(None)
        answer, number = await self._infer(numbers(version))
        if number != known:
            # Another version was activated meanwhile, with words and labels that may be others.
            known, version = await self._other_than(known)
            answer, number = await self._infer(numbers(version))
            if number != known:
                raise ServedError(f"{self._model} changed twice within one question.")
        return version, answer

    async def _infer(self, numbers: Integers) -> tuple[Floats, str]:
        tensor = {"name": self._inputs, "shape": list(numbers.shape), "datatype": "INT64"}
        asked: dict[str, Any] = {"inputs": [{**tensor, "data": numbers.ravel().tolist()}]}
        asked["outputs"] = [{"name": self._outputs, "parameters": {"binary_data": True}}]
        async with self._client.post(f"{self._model}/infer", json=asked, raise_for_status=True) as answer:
            content = await answer.read()
        # A server that has no binary tensors answers with JSON alone.
        length = int(answer.headers.get(HEADER_LENGTH, len(content)))
        told = json.loads(content[:length])
        (output,) = (output for output in told["outputs"] if output["name"] == self._outputs)
        values = np.asarray(output["data"]) if "data" in output else np.frombuffer(content[length:], "<f4")
        return values.astype(np.float32).reshape(output["shape"]), str(told["model_version"])

    async def _other_than(self, number: str | None) -> tuple[str, V]:
        """Return the version that is served, read once for all who find at the same time that theirs is another."""
        async with self._reading:
            if self._version is None or self._version[0] == number:
                self._version = await self._now()
            return self._version

    async def _now(self) -> tuple[str, V]:
        async with self._client.get(f"{self._model}/config", raise_for_status=True) as answer:
            told = json.loads(await answer.read())
        folder = self._folders / str(told["parameters"][FOLDER]["string_value"])
        (number,) = told["version_policy"]["specific"]["versions"]
        version = await asyncio.to_thread(self._read, folder, str(number))
        log.info("Version %s of %s is asked, from %s", number, self._model, folder)
        return str(number), version
