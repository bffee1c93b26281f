"""Sounds for tests: what a machine says, tones, quiet, and the files that hold them."""

from __future__ import annotations

import shutil
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks.common.audio import RATE_HZ, Samples

Say = Callable[..., Samples]


def write_wav(path: Path, samples: Samples, rate_hz: int = RATE_HZ) -> Path:
    """A WAV file of samples [N] or [channels, N], from -1 to 1."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else len(samples))
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((samples.T * 32767).astype("<i2").tobytes())
    return path


def write_encoded(path: Path, codec: str, samples: Samples, rate_hz: int = RATE_HZ) -> Path:
    """A file of the kind its name says, of samples [N]."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout="mono")
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype("<i2").reshape(1, -1), format="s16", layout="mono")
        frame.rate = rate_hz
        resampler = av.AudioResampler(
            format=stream.codec_context.format, layout="mono", rate=rate_hz, frame_size=stream.codec_context.frame_size
        )
        for made in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(made))
        container.mux(stream.encode(None))
    return path


def tone(seconds: float, rate_hz: int = RATE_HZ, height: float = 0.3) -> Samples:
    return (height * np.sin(np.arange(int(seconds * rate_hz)) * 2 * np.pi * 440 / rate_hz)).astype(np.float32)


def quiet(seconds: float) -> Samples:
    """As quiet as a room: not nothing, which only a broken line is."""
    return (0.0005 * np.random.default_rng(1).standard_normal(int(seconds * RATE_HZ))).astype(np.float32)


def speaker(folder: Path) -> Say:
    """Return what gives samples of a sentence, said by a machine; skips the test where none is there."""
    if not shutil.which("flite"):
        pytest.skip("needs flite, which speaks: apt-get install flite")
    known: dict[tuple[str, str], Samples] = {}

    def said(text: str, voice: str = "slt") -> Samples:
        if (text, voice) not in known:
            file = folder / f"{len(known)}.wav"
            subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(file)], check=True, timeout=60)
            with wave.open(str(file)) as opened:
                content = np.frombuffer(opened.readframes(opened.getnframes()), "<i2")
            known[text, voice] = (content / 32768).astype(np.float32)
        return known[text, voice]

    return said
