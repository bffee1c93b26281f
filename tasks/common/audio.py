"""Recordings of what people say, as sound, decoded piece by piece.

    for piece in decoded("call.mp3"):                     # WAV, FLAC, MP3, OGG or WebM; one channel or two
        ...                                               # side, start in seconds, samples at 16 kHz

Nothing here holds a whole recording: memory does not grow with its length. Of two channels the first is the agent's and
the second the caller's, unless ``sides`` says otherwise.

The recogniser hears 16,000 samples a second. A recording of another rate is resampled to that, and a line says so; one
of less, such as a telephone's 8,000, keeps only half of what tells sounds apart, and that is said as a warning.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
# Others name further files and addresses, which a recording that a stranger sends would have read.
KINDS = "wav,w64,flac,mp3,ogg,webm,matroska,mov,mp4,aac,aiff,au,caf,amr"
CUT_OFF_S = 0.5  # that a recording may be shorter than its header says

Samples = npt.NDArray[np.float32]


class TooLong(BadInput):
    """More is said than is listened to at once."""


class Silent(BadInput):
    """Nothing is heard at all."""


@dataclass(frozen=True)
class Piece:
    """What one side was heard to say from ``start`` (seconds) on: samples [N] at 16 kHz, from -1 to 1."""

    side: str
    start: float
    samples: Samples


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
        _check_riff(source, self.name)
        try:
            self._container: Any = av.open(
                str(source) if isinstance(source, Path) else source, options={"format_whitelist": KINDS}
            )
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

    def say_rate(self) -> None:
        """Say where what is heard is not what was recorded."""
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
                    raise TooLong(f"{self.name} is longer than {_length(self._longest_s)}; cut it into several calls.")
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
            raise Silent(f"{self.name} holds no sound at all; bring it again.")
        if self._promised_s and self.seconds < self._promised_s - CUT_OFF_S:
            raise BadInput(_cut_off(self.name, f"{self._promised_s:.1f} s", f"{self.seconds:.1f} s"))
        if loudest < QUIETEST:
            raise Silent(f"{self.name} holds {self.seconds:.1f} s of silence and nothing else.")
        share = self.clipped / (self.seconds * RATE_HZ * self.channels)
        if share > MOST_CLIPPED:
            warn(f"{self.name} is clipped: {self.clipped} samples ({share:.1%}) are at full scale; record it lower.")


def decoded(source: str | Path | IO[bytes], sides: Sequence[str] = SIDES, longest_s: float = LONGEST_S) -> Recording:
    """Open a recording, to go through its pieces. Raises BadInput for what is none that can be understood."""
    recording = Recording(source, sides, longest_s)
    recording.say_rate()
    return recording


def _check_riff(source: str | Path | IO[bytes], name: str) -> None:
    """Raise BadInput for a WAV file that is shorter than it says of itself: it would decode without a word."""
    try:
        if isinstance(source, str | Path):
            with Path(source).open("rb") as file:
                head, size = _head_and_size(file)
        elif source.seekable():
            head, size = _head_and_size(source)
            source.seek(0)
        else:
            return
    except OSError:
        return  # whoever opens it says why
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return
    promised = int.from_bytes(head[4:8], "little") + 8
    # A recorder that never came to write the length leaves nothing or all ones.
    if 8 < promised < 0xFFFFFFFF and size < promised - 1:
        raise BadInput(_cut_off(name, f"{promised} bytes", f"{size} bytes"))


def _head_and_size(file: IO[bytes]) -> tuple[bytes, int]:
    return file.read(12), file.seek(0, io.SEEK_END)


def _length(seconds: float) -> str:
    return f"{seconds / 3600:g} hours" if seconds >= 3600 else f"{seconds:g} seconds"


def _cut_off(name: str, promised: str, found: str) -> str:
    return f"{name} is cut off: it says {promised} of itself and holds {found}; bring it again."


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(".") or type(error).__name__
