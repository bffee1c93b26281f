"""The recogniser: what it hears, what hints change, and which models and languages it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_whisper import WhisperModel

from tasks.calls.recogniser import PACKAGED_SHA256, Recogniser, checked_hints
from tasks.common.program import BadInput
from tests.tasks.calls.conftest import Say, quiet


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


def test_nothing_said_is_an_empty_text(plain: Recogniser):
    assert plain.text(quiet(1)).text == ""


def test_a_language_that_it_does_not_know_is_said():
    with pytest.raises(BadInput, match="tiny.en@1a5afae06a4d does not know the language 'de'; it knows en"):
        Recogniser(language="de")


def test_other_weights_than_the_packages_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "model.bin").write_bytes(b"other weights")
    monkeypatch.setattr("tasks.calls.recogniser.packaged", lambda: tmp_path)
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
