"""Calls that are made: the same each time, spoken on two channels, and held-out ones of sentences of their own."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from tasks.calls import generate
from tasks.calls.dataset import HELD_OUT_SHARE, Call, load
from tasks.calls.phrases import AGENT, CALLER, GENERAL
from tasks.common import speech
from tasks.common.audio import RATE_HZ, decoded
from tasks.common.data import open_source, open_target
from tasks.common.program import BadInput
from tests.speech import Say, tone


def test_the_same_seed_plans_the_same_calls_and_a_later_day_adds_some():
    first, again, later = (list(generate.plan(day, 10, 20, seed=1)) for day in (1, 1, 2))
    assert first == again and later[:30] == first and len(later) == 36
    assert {plan.kind for plan in first} == {"wav", "flac", "mp3", ""}
    assert list(generate.plan(1, 10, 20, seed=2)) != first


def test_some_phrases_are_said_in_held_out_calls_alone():
    said: dict[bool, set[str]] = {True: set(), False: set()}
    for plan in generate.plan(1, 0, 300):
        said[Call(plan.id, "", "a", "").held_out(HELD_OUT_SHARE)] |= {turn.text for turn in plan.turns}
    for phrases in (*CALLER.values(), *AGENT.values()):
        for number, phrase in enumerate(phrases):
            if "{" not in phrase:
                assert not (number % 4 == 3 and phrase in said[False])
    assert "I cannot work from home without Zelora." not in said[False]
    assert len(said[True] - said[False]) > 100


def test_no_phrase_stands_in_two_lists():
    phrases = [p for lists in (GENERAL, CALLER, AGENT) for ps in lists.values() for p in ps]
    assert len(phrases) == len(set(phrases)) > 150
    assert all(len(lists[n]) >= 4 * 4 or lists is GENERAL for lists in (CALLER, AGENT) for n in range(3))


def test_each_side_is_heard_on_its_own_channel_at_the_time_of_its_label(say: Say):
    plan = next(each for each in generate.plan(1, 1, 0))
    plan = generate.Plan(plan.id, plan.agent, plan.began, "wav", plan.turns[:2])
    samples, sentences = generate.spoken(plan)
    for channel, (sentence, side) in enumerate(zip(sentences, ("agent", "caller"), strict=True)):
        during = samples[channel][int(sentence.start * RATE_HZ) : int(sentence.end * RATE_HZ)]
        # Before the first sentence there is the line's noise alone.
        assert during.std() > 2 * samples[channel][: RATE_HZ // 2].std() and sentence.side == side


def test_made_calls_are_a_dataset(say: Say, tmp_path: Path):
    planned = list(generate.plan(1, 1, 8))
    generate.bring(open_target(str(tmp_path)), planned)
    found = load(open_source(str(tmp_path)))
    said = {sentence.digest for sentence in found.held_out}
    assert len(found.calls) == 9 and not said & {sentence.digest for sentence in found.training}
    before = (tmp_path / planned[0].file).stat().st_mtime_ns
    generate.bring(open_target(str(tmp_path)), planned)
    assert (tmp_path / planned[0].file).stat().st_mtime_ns == before, "what is there is not spoken again"


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
def test_two_channels_come_back_from_a_file(kind: str):
    content = speech.encoded(np.stack([tone(0.5), 0 * tone(0.5)]), kind)
    recording = decoded(io.BytesIO(content))
    heights = dict.fromkeys(("agent", "caller"), 0.0)
    for piece in recording:
        heights[piece.side] = max(heights[piece.side], float(np.abs(piece.samples).max()))
    assert heights["agent"] > 0.25 and heights["caller"] < 0.02


def test_noise_is_as_loud_as_was_asked():
    quiet = tone(1)
    noisy = speech.with_noise(quiet, 20, np.random.default_rng(1))
    ratio = np.sqrt(np.mean(quiet**2) / np.mean((noisy - quiet) ** 2))
    assert 20 * np.log10(ratio) == pytest.approx(20, abs=1.5)


def test_where_nobody_can_speak_the_package_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(BadInput, match="apt-get install flite"):
        speech.say_it("Hello.", "slt")
