"""Machine-made speech: sentences said by the voices of flite, with the noise of a telephone line."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tasks.common.audio import RATE_HZ, Samples, decoded
from tasks.common.program import BadInput

VOICES = ("slt", "rms", "kal16", "awb")
KINDS = {"wav": "pcm_s16le", "flac": "flac", "mp3": "libmp3lame"}
TIME_LIMIT_S = 60
HUM_HZ = 50


def say_it(text: str, voice: str) -> Samples:
    """Return samples [N] at 16 kHz of a sentence. Raises BadInput where flite is not installed."""
    flite = shutil.which("flite")
    if flite is None:
        raise BadInput("Calls are spoken by flite, which is not installed: apt-get install flite.")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "said.wav"
        command = [flite, "-voice", voice, "-t", text, "-o", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S)
        if done.returncode or not file.is_file():
            raise BadInput(f"flite says nothing by its voice {voice}: {done.stderr.strip() or 'without a reason'}.")
        return np.concatenate([piece.samples for piece in decoded(file)])


def with_noise(samples: Samples, decibels: float, chance: np.random.Generator) -> Samples:
    """Return samples [N] with noise and hum so many decibels below the loudness of what is said."""
    said = samples[np.abs(samples) > np.abs(samples).max() / 20] if samples.any() else samples
    loudness = float(np.sqrt(np.mean(said**2))) if len(said) else 1.0
    white = chance.standard_normal(len(samples)).astype(np.float32)
    rumble = np.convolve(white, np.full(8, 1 / 8, np.float32), "same")
    hum = np.sin(2 * np.pi * HUM_HZ * np.arange(len(samples), dtype=np.float32) / RATE_HZ)
    noise = rumble / max(float(rumble.std()), 1e-9) + 0.3 * hum
    return np.clip(samples + loudness * 10 ** (-decibels / 20) * noise, -1, 1).astype(np.float32)


def encoded(samples: Samples, kind: str) -> bytes:
    """Return the file of samples [channels, N]: ``wav``, ``flac`` or ``mp3``."""
    import av

    file = io.BytesIO()
    layout = "stereo" if len(samples) == 2 else "mono"
    with av.open(file, "w", format=kind) as container:
        stream: Any = container.add_stream(KINDS[kind], rate=RATE_HZ, layout=layout)
        context = stream.codec_context
        pieces = (samples.T * 32767).astype("<i2").reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(pieces, format="s16", layout=layout)
        frame.rate = RATE_HZ
        resampler = av.AudioResampler(
            format=context.format, layout=layout, rate=RATE_HZ, frame_size=context.frame_size or None
        )
        for made in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(made))
        container.mux(stream.encode(None))
    return file.getvalue()
