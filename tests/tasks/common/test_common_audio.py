"""Recordings: what is decoded, where utterances begin and end, and what each bad one gets."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from tasks.common.audio import RATE_HZ, Piece, decoded
from tasks.common.program import BadInput
from tasks.common.utterances import WINDOW, Pauses, SpeechDetector, utterances
from tests.speech import Say, quiet, tone, write_encoded, write_wav


def test_two_channels_are_agent_and_caller(tmp_path: Path):
    recording = decoded(write_wav(tmp_path / "a.wav", np.stack([tone(0.5), 0.5 * tone(0.5)])))
    assert (recording.rate_hz, recording.channels, recording.codec) == (16000, 2, "pcm_s16le")
    pieces = list(recording)
    heard = {side: np.concatenate([p.samples for p in pieces if p.side == side]) for side in ("agent", "caller")}
    assert [len(samples) for samples in heard.values()] == [8000, 8000] and recording.seconds == 0.5
    assert np.allclose(heard["caller"], heard["agent"] / 2, atol=1e-3)


def test_one_channel_is_the_side_named_first(tmp_path: Path):
    file = write_wav(tmp_path / "a.wav", tone(0.2))
    assert {piece.side for piece in decoded(file)} == {"agent"}
    assert {piece.side for piece in decoded(io.BytesIO(file.read_bytes()), ("caller",))} == {"caller"}


@pytest.mark.parametrize(
    ("name", "codec"), [("a.flac", "flac"), ("a.mp3", "libmp3lame"), ("a.ogg", "libopus"), ("a.wav", "pcm_s16le")]
)
def test_common_kinds_of_files_are_decoded(tmp_path: Path, name: str, codec: str):
    recording = decoded(write_encoded(tmp_path / name, codec, tone(1)))
    samples = np.concatenate([piece.samples for piece in recording])
    assert recording.seconds == pytest.approx(1, abs=0.1)
    middle = np.abs(np.fft.rfft(samples[4000:12000]))
    assert middle.argmax() == 220, "the tone of 440 Hz"


def test_a_higher_rate_is_resampled_and_that_is_said(tmp_path: Path, capfd):
    recording = decoded(write_wav(tmp_path / "a.wav", tone(1, 44100), 44100))
    assert sum(len(piece.samples) for piece in recording) == pytest.approx(RATE_HZ, abs=20)
    assert "resampled from 44100 to 16000" in capfd.readouterr().err


def test_a_telephones_rate_is_taken_with_a_warning(tmp_path: Path, capfd):
    recording = decoded(write_wav(tmp_path / "a.wav", tone(1, 8000), 8000))
    assert sum(len(piece.samples) for piece in recording) == pytest.approx(RATE_HZ, abs=20)
    assert "WARNING" in (told := capfd.readouterr().err) and "8000 samples a second, too few" in told


def test_what_is_clipped_is_counted_and_said(tmp_path: Path, capfd):
    recording = decoded(write_wav(tmp_path / "a.wav", np.clip(tone(1, height=3), -1, 1)))
    list(recording)
    assert recording.clipped > 8000
    assert "is clipped" in capfd.readouterr().err


def cut(file: Path, share: float) -> Path:
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    return file


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda f: f / "none.wav", "none.wav does not exist"),
        (lambda f: write_wav(f / "a.wav", 0 * tone(1)), "1.0 s of silence and nothing else"),
        (lambda f: write_wav(f / "a.wav", tone(0)), "holds no sound at all"),
        (lambda f: write_wav(f / "a.wav", tone(1, 4000), 4000), "has 4000 samples a second"),
        (lambda f: write_wav(f / "a.wav", np.stack([tone(0.1)] * 3)), "has 3 channels"),
        (lambda f: cut(write_wav(f / "a.wav", tone(2)), 0.5), "is cut off: it says 64044 bytes"),
        (lambda f: cut(write_encoded(f / "a.flac", "flac", tone(4)), 0.5), "cut off"),
        (lambda f: (f / "a.mp3").write_bytes(b"Hello, I am no recording.\n" * 50) and f / "a.mp3", "is no recording"),
    ],
    ids=["missing", "silence", "empty", "4 kHz", "three channels", "cut WAV", "cut FLAC", "text"],
)
def test_a_bad_recording_gets_one_sentence(tmp_path: Path, make, says: str):
    with pytest.raises(BadInput, match=says) as refused:
        list(decoded(make(tmp_path)))
    assert "\n" not in str(refused.value)


def test_a_wav_file_that_was_cut_off_is_noticed_in_memory_too(tmp_path: Path):
    content = write_wav(tmp_path / "a.wav", tone(2)).read_bytes()
    assert sum(len(piece.samples) for piece in decoded(io.BytesIO(content))) == 2 * RATE_HZ
    with pytest.raises(BadInput, match="The recording is cut off: it says 64044 bytes of itself and holds 32022"):
        decoded(io.BytesIO(content[: len(content) // 2]))


def test_a_list_of_other_files_is_no_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Else who sends one would have this machine read what the list names."""
    monkeypatch.chdir(tmp_path)
    write_wav(tmp_path / "other.wav", tone(1))
    (tmp_path / "list").write_text("ffconcat version 1.0\nfile other.wav\n")
    for source in (tmp_path / "list", io.BytesIO((tmp_path / "list").read_bytes())):
        with pytest.raises(BadInput, match="is no recording"):
            decoded(source)


def test_a_film_without_sound_is_refused(tmp_path: Path):
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(BadInput, match="has no audio stream"):
        decoded(tmp_path / "a.mp4")


def test_a_recording_that_is_too_long_is_refused_when_that_is_known(tmp_path: Path):
    recording = decoded(write_wav(tmp_path / "a.wav", tone(3)), longest_s=1)
    with pytest.raises(BadInput, match="longer than 1 seconds; cut it"):
        list(recording)
    assert recording.seconds < 2, "not all of it was read"


def test_chances_are_the_same_however_the_samples_come(say: Say):
    samples = say("This is the third time that I call.")
    samples = samples[: len(samples) // WINDOW * WINDOW]
    whole, parts = SpeechDetector(), SpeechDetector()
    at_once = whole.chances(samples)
    one_by_one = [parts.chances(samples[start : start + WINDOW])[0] for start in range(0, len(samples), WINDOW)]
    assert at_once.max() > 0.9 and np.allclose(at_once, one_by_one, atol=1e-4)


def test_an_utterance_is_there_as_soon_as_it_has_ended(say: Say):
    said = say("My router stopped working again.")
    whole = np.concatenate([quiet(1), said, quiet(1), said, quiet(2)])
    heard = 0
    found = []

    def pieces():
        nonlocal heard
        for start in range(0, len(whole), 800):
            heard = start + 800
            yield Piece("caller", start / RATE_HZ, whole[start : start + 800])

    for utterance in utterances(pieces()):
        found.append(utterance)
        # The pause that ends it, and no more than a piece and a window beyond.
        assert heard / RATE_HZ - utterance.end < Pauses().ends_after
    first, second = found
    seconds = len(said) / RATE_HZ
    assert first.start == pytest.approx(1, abs=0.4) and first.end == pytest.approx(1 + seconds, abs=0.4)
    assert second.start == pytest.approx(2 + seconds, abs=0.4) and first.side == "caller"
    assert len(first.samples) == pytest.approx((first.end - first.start) * RATE_HZ, abs=1)


def test_both_sides_are_cut_on_their_own(say: Say):
    said = say("One moment please.")
    agent, caller = np.concatenate([said, quiet(3)]), np.concatenate([quiet(2), said, quiet(1)])
    found = list(utterances([Piece("agent", 0, agent), Piece("caller", 0, caller)]))
    assert {utterance.side: round(utterance.start) for utterance in found} == {"agent": 0, "caller": 2}


def test_who_never_pauses_is_cut_all_the_same(say: Say):
    said = np.concatenate([say("You promised me a new router last Tuesday and it never came.")] * 4)
    found = list(utterances([Piece("agent", 0, said)], Pauses(longest=3)))
    assert len(found) >= 4 and max(u.end - u.start for u in found) < 3 + 2 * Pauses().margin + 0.1
    assert found[-1].end == pytest.approx(len(said) / RATE_HZ, abs=0.01)


def test_noise_is_no_utterance():
    noise = (0.1 * np.random.default_rng(1).standard_normal(5 * RATE_HZ)).astype(np.float32)
    assert list(utterances([Piece("agent", 0, noise)])) == []


def test_memory_does_not_grow_with_a_pause():
    from tasks.common.utterances import _Splitter

    splitter = _Splitter("agent", 0, Pauses())
    for _ in range(50):
        assert list(splitter.heard(quiet(1))) == []
    assert len(splitter.kept) < 20
