"""The recogniser: what it hears, what hints change, and which models and languages it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_whisper import WhisperModel

from tasks.calls.wording import word_errors
from tasks.common.audio import RATE_HZ, decoded
from tasks.common.program import BadInput
from tasks.common.recogniser import PACKAGED_SHA256, Recognised, Recogniser, checked_hints, repeats
from tasks.common.utterances import utterances
from tests.recordings import MISSING, SAID, person
from tests.speech import Say, quiet


@pytest.fixture(scope="module")
def plain() -> Recogniser:
    return Recogniser(threads=1)


def test_a_sentence_is_recognised(plain: Recogniser, say: Say):
    found = plain.text(say("This is the third time that I call about my invoice."))
    assert found.text == "This is the third time that I call about my invoice." and 0.5 < found.confidence <= 1
    assert plain.identity == f"tiny.en@{PACKAGED_SHA256[:12]}"


def test_a_hint_is_heard_where_it_is_said(plain: Recogniser, say: Say):
    samples = say("One moment please, I will check Zelora.", "kal16")
    assert "Zelora" not in plain.text(samples).text
    assert "Zelora" in Recogniser(hints=("Zelora", "Kestrix"), threads=1).text(samples).text


def test_no_more_is_made_up_than_anybody_says_in_that_time(plain: Recogniser, monkeypatch: pytest.MonkeyPatch):
    most: list[int] = []

    def transcribe(samples: Any, *, max_new_tokens: int, **_: Any) -> tuple[list[Any], None]:
        most.append(max_new_tokens)
        return [], None

    monkeypatch.setattr(plain._model, "transcribe", transcribe)
    for seconds in (0.5, 2, 30):
        plain.text(np.zeros(round(seconds * RATE_HZ), np.float32))
    assert most == [22, 40, 200]


def test_the_longest_hints_leave_room_for_what_is_said():
    hints = [f"antidisestablishmentarianism{number}" for number in range(40)]
    noise = np.random.default_rng(0).normal(0, 0.1, 30 * RATE_HZ).astype(np.float32)
    assert Recogniser(hints=hints, threads=1).text(noise).text == ""


def test_the_encoder_reads_no_more_silence_than_makes_ten_seconds(plain: Recogniser, say: Say, monkeypatch):
    read: list[int] = []
    encode = WhisperModel.encode

    def spied(self: WhisperModel, features: np.ndarray) -> Any:
        read.append(features.shape[-1])
        return encode(self, features)

    monkeypatch.setattr(WhisperModel, "encode", spied)
    short = say("I will send you a new one today.")
    plain.text(short)
    plain.text(np.concatenate([short, quiet(10), short]))
    assert read[0] == 1000 and 1000 < read[1] < 2000 and read[1] % 100 == 0, read


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("Where can I get pasta? Where can I get pasta?", True),
        ("No, no, no.", True),
        ("And then, and then it stopped.", True),
        ("No, no, that is fine.", False),
        ("I called and nobody called back.", False),
        ("", False),
    ],
)
def test_words_that_follow_on_themselves_are_noticed(text: str, is_so: bool):
    assert repeats(text) is is_so


def test_what_is_heard_twice_over_is_heard_again_with_more_silence_behind_it(
    plain: Recogniser, say: Say, monkeypatch: pytest.MonkeyPatch
):
    once, twice = Recognised("Where is it?", 0.8), Recognised("Where is it? Where is it?", 0.9)
    asked: list[int] = []

    def told(samples: np.ndarray) -> Recognised:
        asked.append(len(samples))
        return twice if len(samples) < 15 * RATE_HZ else once

    monkeypatch.setattr(plain, "_text", told)
    assert plain.text(say("Where is it?")) == once and asked[1] == 15 * RATE_HZ
    assert plain.text(np.zeros(16 * RATE_HZ, np.float32)) == once and len(asked) == 3


def test_nothing_said_is_an_empty_text(plain: Recogniser):
    assert plain.text(quiet(1)).text == ""


def test_a_language_that_it_does_not_know_is_said():
    with pytest.raises(BadInput, match="tiny.en@1a5afae06a4d does not know the language 'de'; it knows en"):
        Recogniser(language="de")


def test_other_weights_than_the_packages_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "model.bin").write_bytes(b"other weights")
    monkeypatch.setattr("tasks.common.recogniser.packaged", lambda: tmp_path)
    with pytest.raises(BadInput, match="has the SHA-256 53959fa1.*, and that of tiny.en is 1a5afae0"):
        Recogniser()


def test_a_folder_that_holds_none_is_named(tmp_path: Path):
    with pytest.raises(BadInput, match=r"holds no model\.bin"):
        Recogniser(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"no model")
    with pytest.raises(BadInput, match="holds no recogniser that can be loaded"):
        Recogniser(tmp_path)


def test_there_are_only_so_many_hints():
    assert checked_hints(["a"] * 40)
    with pytest.raises(BadInput, match="There are 41 vocabulary hints; a recogniser takes up to 40"):
        checked_hints(["a"] * 41)


def test_a_person_is_understood(plain: Recogniser):
    """The other voices here are machines', which speak more clearly than people do, and less like them."""
    recording = person()
    if recording is None:
        pytest.skip(MISSING)
    found = " ".join(plain.text(one.samples).text for one in utterances(decoded(recording)))
    wrong, words = word_errors(SAID, found)
    assert words > 100 and wrong / words < 0.15, found
