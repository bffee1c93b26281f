"""Speech in what is heard: cut into utterances where somebody stops speaking, each as soon as it has ended.

for utterance in utterances(decoded("call.mp3")):
    ...                                               # side, start and end in seconds, samples at 16 kHz
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.common.audio import RATE_HZ, Piece, Samples
from tasks.common.program import BadInput

WINDOW = 512  # samples, 32 ms: what the detector of speech looks at, after the 64 before them
BEFORE = 64
STATE = 128
DETECTOR_PACKAGE, DETECTOR = "faster_whisper", "assets/silero_vad_v6.onnx"


@dataclass(frozen=True)
class Utterance:
    """What one side said without a pause, from ``start`` to ``end`` (seconds): samples [N] at 16 kHz."""

    side: str
    start: float
    end: float
    samples: Samples


@dataclass(frozen=True)
class Pauses:
    """When an utterance begins and ends. Chances are the detector's, of a window holding speech; times in seconds."""

    speech: float = 0.5
    quiet: float = 0.35
    """Between the two, whatever was before goes on."""
    ends_after: float = 0.5
    """Quiet for so long ends an utterance."""
    shortest: float = 0.2
    longest: float = 15.0
    """An utterance that goes on is cut in its last short pause."""
    short_pause: float = 0.1
    margin: float = 0.2
    """Kept before and after what is speech."""


def utterances(pieces: Iterable[Piece], pauses: Pauses | None = None) -> Iterator[Utterance]:
    """Cut what is heard into utterances, each as soon as it has ended; of one side they are in order of time."""
    splitters: dict[str, _Splitter] = {}
    for piece in pieces:
        if piece.side not in splitters:
            splitters[piece.side] = _Splitter(piece.side, piece.start, pauses or Pauses())
        yield from splitters[piece.side].heard(piece.samples)
    for splitter in splitters.values():
        yield from splitter.ended()


class SpeechDetector:
    """Silero's network, which faster-whisper carries: the chance of each window holding speech, as they come."""

    def __init__(self) -> None:
        self._session = _detector_session()
        self._before = np.zeros(BEFORE, np.float32)
        self._state = {name: np.zeros((1, 1, STATE), np.float32) for name in ("h", "c")}

    def chances(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return the chance [windows] of each of the windows that follow those before; samples [windows * 512]."""
        windows = samples.reshape(-1, WINDOW)
        before = np.vstack([self._before, windows[:-1, -BEFORE:]])
        given = {"input": np.hstack([before, windows]), **self._state}
        found, self._state["h"], self._state["c"] = self._session.run(None, given)
        self._before = windows[-1, -BEFORE:]
        return np.asarray(found, np.float32).reshape(-1)


@dataclass
class _Splitter:
    """One side's utterances. Windows are counted from its first sample on; ``kept`` begins at window ``first``.

    ``total`` is the samples heard. ``begun`` is the window at which somebody began to speak, ``quiet`` the one from
    which on it is quiet since, ``pause`` the middle of the last short pause.
    """

    side: str
    start: float
    pauses: Pauses
    detector: SpeechDetector = field(default_factory=SpeechDetector)
    rest: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    kept: list[Samples] = field(default_factory=list)
    first: int = 0
    total: int = 0
    begun: int | None = None
    quiet: int | None = None
    pause: int | None = None

    def heard(self, samples: Samples) -> Iterator[Utterance]:
        self.total += len(samples)
        yield from self._heard(samples)

    def _heard(self, samples: Samples) -> Iterator[Utterance]:
        samples = np.concatenate([self.rest, samples])
        whole = len(samples) // WINDOW * WINDOW
        self.rest = samples[whole:]
        if not whole:
            return
        for window, chance in zip(
            samples[:whole].reshape(-1, WINDOW), self.detector.chances(samples[:whole]), strict=True
        ):
            self.kept.append(window)
            yield from self._window(self.first + len(self.kept) - 1, float(chance))

    def ended(self) -> Iterator[Utterance]:
        """Return what was being said when the recording ended."""
        if len(self.rest):
            yield from self._heard(np.zeros(WINDOW - len(self.rest), np.float32))
        if self.begun is not None:
            end = self.first + len(self.kept)
            yield from self._utterance(self.begun, end if self.quiet is None else self.quiet, end)

    def _window(self, number: int, chance: float) -> Iterator[Utterance]:
        if self.begun is None:
            if chance >= self.pauses.speech:
                self.begun = number
            else:
                self._forget(number)
            return
        if chance >= self.pauses.speech:
            if self.quiet is not None and number - self.quiet >= _windows(self.pauses.short_pause):
                self.pause = (self.quiet + number) // 2
            self.quiet = None
        elif chance < self.pauses.quiet and self.quiet is None:
            self.quiet = number
        if self.quiet is not None and number + 1 - self.quiet >= _windows(self.pauses.ends_after):
            yield from self._utterance(self.begun, self.quiet, number + 1)
            self.begun = self.quiet = self.pause = None
            self._forget(number)
        elif number + 1 - self.begun >= _windows(self.pauses.longest):
            cut = self.pause or number + 1
            yield from self._utterance(self.begun, cut, cut)
            self.begun, self.pause = cut, None

    def _utterance(self, begun: int, end: int, heard: int) -> Iterator[Utterance]:
        """Of windows ``begun`` to ``end``, with a margin as far as ``heard`` reaches."""
        if end - begun < _windows(self.pauses.shortest):
            return
        margin = _windows(self.pauses.margin)
        begun, end = max(self.first, begun - margin), min(heard, end + margin)
        samples = np.concatenate(self.kept[begun - self.first : end - self.first])
        last = min(end * WINDOW, self.total)  # the last window is filled up
        samples = samples[: last - begun * WINDOW]
        yield Utterance(self.side, self._seconds(begun * WINDOW), self._seconds(last), samples)

    def _forget(self, number: int) -> None:
        """Keep no more than the margin before what comes after window ``number``."""
        spare = number + 1 - _windows(self.pauses.margin) - self.first
        if spare > 0:
            del self.kept[:spare]
            self.first += spare

    def _seconds(self, samples: int) -> float:
        return round(self.start + samples / RATE_HZ, 3)


def _windows(seconds: float) -> int:
    return max(1, round(seconds * RATE_HZ / WINDOW))


def _detector_session() -> Any:
    import onnxruntime

    found = importlib.util.find_spec(DETECTOR_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise BadInput("Package faster-whisper, which carries the detector of speech, is not installed: install it.")
    file = Path(found.submodule_search_locations[0]) / DETECTOR
    if not file.is_file():
        raise BadInput(f"Package faster-whisper holds no {DETECTOR}: install the version that constraints.txt names.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
