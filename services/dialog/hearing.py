"""What a person says aloud: a recording of one message becomes its words, on this machine, and is kept nowhere.

The recogniser is that of calls. It takes a second or two and 270 MB to load, so it is loaded with the first recording,
or at the start where a folder is named: a wrong one is then said to whoever starts the service.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean

import numpy as np

from tasks.common.audio import CALLER, Piece, Recording, Silent, TooLong
from tasks.common.program import BadInput
from tasks.common.recogniser import Recogniser, checked_hints
from tasks.common.utterances import utterances

LARGEST = 12 * 1024 * 1024
"""Bytes of a recording: a minute as WAV of two channels at 48 kHz; a frame of a WebSocket holds 16 MiB."""
LONGEST_S = 60.0
MOST_WAITING = 8
"""Recordings that wait for the one that is being recognised; each is held in memory."""
LEAST_CONFIDENCE, FEW_WORDS = 0.4, 3
"""Less is another language, or another noise. Of a few words, such as a city's name, the recogniser is never sure."""

NOTHING = "I heard no words in that; please say it again, closer to the microphone, or type it."
UNSURE = "I did not understand that well enough to answer it; please say it again in English, or type it."
TOO_LONG = f"I can listen to {LONGEST_S:.0f} seconds at once; please say it in fewer words, or type it."
BUSY = "Many people are speaking just now; please say it again in a moment, or type it."
DEAF = "I cannot listen on this machine, since it has no recogniser of speech; please type it."
BROKEN = "Please say it again, or type it: {reason}"

log = logging.getLogger(__name__)


class NotHeardError(Exception):
    """A recording gives no words that could be answered; the message is what the person is told."""

    def __init__(self, says: str, status: int = 422) -> None:
        super().__init__(says)
        self.status = status


class Ears:
    """Recognises one recording after the other.

    :param recogniser: folder of a Whisper; by default the one that a package carries.
    :param hints: words to expect. Raises BadInput for more than it takes.
    """

    def __init__(self, recogniser: str | None = None, hints: Sequence[str] = (), *, threads: int = 2) -> None:
        self._folder, self._hints, self._threads = recogniser, checked_hints(hints), threads
        self._recogniser: Recogniser | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

    def load(self) -> Recogniser:
        """Return the recogniser, loaded once. Raises BadInput where there is none."""
        if self._recogniser is None:
            self._recogniser = Recogniser(self._folder, self._hints, threads=self._threads)
        return self._recogniser

    async def words(self, content: bytes) -> str:
        """Return what is said in a recording. Raises NotHeardError with what to tell the person."""
        if len(content) > LARGEST:
            raise NotHeardError(TOO_LONG, 413)
        if self._waiting >= MOST_WAITING:
            raise NotHeardError(BUSY, 429)
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(self._words, content)
        finally:
            self._waiting -= 1

    def _words(self, content: bytes) -> str:
        try:
            recogniser = self.load()
        except (BadInput, ImportError) as error:
            log.error("No recogniser: %s", error)
            raise NotHeardError(DEAF, 501) from error
        try:
            said = list(utterances(_one_voice(Recording(io.BytesIO(content), longest_s=LONGEST_S))))
        except TooLong as error:
            raise NotHeardError(TOO_LONG, 413) from error
        except Silent as error:
            raise NotHeardError(NOTHING) from error
        except BadInput as error:
            log.info("A recording: %s", error)
            reason = str(error)
            raise NotHeardError(BROKEN.format(reason=reason[:1].lower() + reason[1:])) from error
        found = [each for each in (recogniser.text(one.samples) for one in said) if each.text]
        text = " ".join(each.text for each in found)
        if not any(letter.isalnum() for letter in text):
            raise NotHeardError(NOTHING)
        if len(text.split()) > FEW_WORDS and fmean(each.confidence for each in found) < LEAST_CONFIDENCE:
            raise NotHeardError(UNSURE)
        return text


def _one_voice(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """A microphone of two channels hears one person twice."""
    for start, beside in itertools.groupby(pieces, key=lambda piece: piece.start):
        yield Piece(CALLER, start, np.mean([piece.samples for piece in beside], axis=0))
