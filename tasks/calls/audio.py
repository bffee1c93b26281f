"""Recordings of calls as sound: decoded piece by piece, and cut into utterances where somebody stops speaking.

    recording = decoded("call.mp3")                       # WAV, FLAC, MP3 or OGG; one channel or two
    for utterance in utterances(recording):
        ...                                               # side, start and end in seconds, samples at 16 kHz

Nothing here holds a whole recording: memory does not grow with its length, and an utterance is there as soon as it has
ended, of a file as of what is being recorded. Of two channels the first is the agent's and the second the caller's,
unless ``sides`` says otherwise.

The recogniser hears 16,000 samples a second. A recording of another rate is resampled to that, and a line says so; one
of less, such as a telephone's 8,000, keeps only half of what tells sounds apart, and that is said as a warning.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tasks.common.listing import shown
from tasks.common.program import BadInput
from tasks.common.progress import say, warn

AGENT, CALLER = "agent", "caller"
SIDES = (AGENT, CALLER)
RATE_HZ = 16_000
LOWEST_RATE_HZ = 8_000
LONGEST_S = 4 * 3600.0
QUIETEST = 0.001  # of full scale, 60 dB below it: nothing louder is silence
CLIPPED = 0.999  # of full scale
MOST_CLIPPED = 0.001  # share of the samples, above which it is said
CUT_OFF_S = 0.5  # that a recording may be shorter than its header says

WINDOW = 512  # samples, 32 ms: what the detector of speech looks at, after the 64 before them
BEFORE = 64
STATE = 128
DETECTOR_PACKAGE, DETECTOR = "faster_whisper", "assets/silero_vad_v6.onnx"

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Piece:
    """What one side was heard to say from ``start`` (seconds) on: samples [N] at 16 kHz, from -1 to 1."""

    side: str
    start: float
    samples: Samples


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


class Recording:
    """An audio file, or a stream that can be read; goes through once, as pieces of both sides in order of time.

    ``rate_hz``, ``channels`` and ``codec`` are those of the file. ``seconds`` is what has been decoded so far, and
    ``clipped`` how many of its samples were at full scale.
    """

    def __init__(self, source: str | Path | IO[bytes], sides: Sequence[str] = SIDES, longest_s: float = LONGEST_S):
        import av

        self.name = shown(str(source if isinstance(source, str | Path) else getattr(source, "name", "The recording")))
        self.clipped = 0
        self._samples = 0
        self._longest_s = longest_s
        if isinstance(source, str | Path):
            _check_riff(Path(source), self.name)
        try:
            self._container: Any = av.open(str(source) if isinstance(source, Path) else source)
        except FileNotFoundError:
            raise BadInput(f"{self.name} does not exist; name a recording.") from None
        except (av.FFmpegError, OSError) as error:
            raise BadInput(f"{self.name} is no recording that can be read ({_reason(error)}).") from error
        try:
            self._open(sides)
        except BaseException:
            self._container.close()
            raise

    @property
    def seconds(self) -> float:
        return self._samples / RATE_HZ

    def _open(self, sides: Sequence[str]) -> None:
        import av

        if not self._container.streams.audio:
            raise BadInput(f"{self.name} has no audio stream; give a recording with sound.")
        self._stream: Any = self._container.streams.audio[0]
        try:
            context = self._stream.codec_context
            self.codec, self.rate_hz, self.channels = context.name, int(context.rate), int(context.channels)
        except (AttributeError, TypeError, ValueError, av.FFmpegError) as error:
            raise BadInput(
                f"{self.name} is of a codec that is not there; convert it to WAV, FLAC, MP3 or OGG."
            ) from error
        if not 1 <= self.channels <= 2:
            raise BadInput(f"{self.name} has {self.channels} channels; a call has one, or one for each of two sides.")
        if self.rate_hz < LOWEST_RATE_HZ:
            raise BadInput(
                f"{self.name} has {self.rate_hz} samples a second; speech needs at least {LOWEST_RATE_HZ}, and is "
                f"recognised best from {RATE_HZ}."
            )
        if len(sides) < self.channels:
            raise BadInput(f"{self.name} has {self.channels} channels and {', '.join(sides)} alone to name them.")
        self.sides = tuple(sides[: self.channels])
        promised = self._stream.duration and float(self._stream.duration * self._stream.time_base)
        # Other formats hold no length: what is told of them is guessed from the size of the file.
        self._promised_s = promised if self.codec == "flac" else None
        self._say_rate()

    def _say_rate(self) -> None:
        if self.rate_hz < RATE_HZ:
            warn(
                f"{self.name} has {self.rate_hz} samples a second, too few to tell many sounds apart: expect more "
                f"words that are not recognised than at {RATE_HZ}."
            )
        elif self.rate_hz > RATE_HZ:
            say(f"{self.name} is resampled from {self.rate_hz} to {RATE_HZ} samples a second, as the recogniser hears.")

    def __iter__(self) -> Iterator[Piece]:
        """Decode. Raises BadInput where it is damaged, cut off, too long, or nothing but silence."""
        loudest = 0.0
        try:
            for samples in self._decoded():
                start = self.seconds
                self._samples += samples.shape[1]
                if self.seconds > self._longest_s:
                    raise BadInput(
                        f"{self.name} is longer than {self._longest_s / 3600:g} hours; cut it into several calls."
                    )
                heights = np.abs(samples)
                loudest = max(loudest, float(heights.max()))
                self.clipped += int((heights >= CLIPPED).sum())
                for side, heard in zip(self.sides, samples, strict=True):
                    yield Piece(side, start, heard)
        finally:
            self._container.close()
        self._check_whole(loudest)

    def _decoded(self) -> Iterator[Samples]:
        """Samples [channels, N] at 16 kHz."""
        import av

        layout = "stereo" if self.channels == 2 else "mono"
        resampler: Any = av.AudioResampler(format="fltp", layout=layout, rate=RATE_HZ)
        try:
            for frame in self._container.decode(self._stream):
                yield from (made.to_ndarray() for made in resampler.resample(frame) if made.samples)
            if self.seconds or self.rate_hz != RATE_HZ:
                yield from (made.to_ndarray() for made in resampler.resample(None) if made.samples)
        except (av.FFmpegError, ValueError) as error:
            raise BadInput(
                f"{self.name} cannot be decoded after {self.seconds:.1f} s ({_reason(error)}): it is damaged or cut "
                "off; bring it again."
            ) from error

    def _check_whole(self, loudest: float) -> None:
        if not self.seconds:
            raise BadInput(f"{self.name} holds no sound at all; bring it again.")
        if self._promised_s and self.seconds < self._promised_s - CUT_OFF_S:
            raise BadInput(_cut_off(self.name, f"{self._promised_s:.1f} s", f"{self.seconds:.1f} s"))
        if loudest < QUIETEST:
            raise BadInput(f"{self.name} holds {self.seconds:.1f} s of silence and nothing else.")
        share = self.clipped / (self.seconds * RATE_HZ * self.channels)
        if share > MOST_CLIPPED:
            warn(f"{self.name} is clipped: {self.clipped} samples ({share:.1%}) are at full scale; record it lower.")


def decoded(source: str | Path | IO[bytes], sides: Sequence[str] = SIDES, longest_s: float = LONGEST_S) -> Recording:
    """Open a recording, to go through its pieces. Raises BadInput for what is none that can be understood."""
    return Recording(source, sides, longest_s)


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


def _check_riff(path: Path, name: str) -> None:
    """Raise BadInput for a WAV file that is shorter than it says of itself: it would decode without a word."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return  # whoever opens it says why
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return
    promised = int.from_bytes(head[4:8], "little") + 8
    # A recorder that never came to write the length leaves nothing or all ones.
    if 8 < promised < 0xFFFFFFFF and size < promised - 1:
        raise BadInput(_cut_off(name, f"{promised} bytes", f"{size} bytes"))


def _cut_off(name: str, promised: str, found: str) -> str:
    return f"{name} is cut off: it says {promised} of itself and holds {found}; bring it again."


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(".") or type(error).__name__
