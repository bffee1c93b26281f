"""Training, judging, planning and scoring, as the commands that they are: on a small encoder and a recogniser of ours.

The real recogniser is heard by ``test_common_recogniser``, and by the last test here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import numpy as np
import pytest

from tasks.calls import corrections, evaluate, generate, plan, score, train
from tasks.calls.dataset import HELD_OUT_SHARE, Call, Sentence, load, written
from tasks.common.audio import RATE_HZ, SIDES, Samples
from tasks.common.data import open_source
from tasks.common.judging import Model
from tasks.common.program import BadInput, TryAgain
from tasks.common.recogniser import Recognised
from tests.services.calls.calling import MINE, TOKEN, Served
from tests.speech import Say, quiet, tone, write_wav
from tests.tasks.calls.stub_service import StubService

TRAINED = ["Zelora fails again.", "My number is four.", "That fixed it, thank you."]
JUDGING = ["I am without Zelora since May.", "It is on page nine.", "You have been a real help."]
SAID = [*TRAINED, *JUDGING]
SPOKEN = 8


class ListenerStub:
    """Hears how high a tone is: which of the sentences it stands for; without hints, other words for the first."""

    digest, identity = "0" * 64, "stub@0000"

    def __init__(self, folder: str | None = None, hints: tuple[str, ...] = (), **settings: Any) -> None:
        self.hints = tuple(hints)

    def text(self, samples: Samples) -> Recognised:
        middle = samples[len(samples) // 4 : len(samples) * 3 // 4]
        height = np.abs(np.fft.rfft(middle)).argmax() * RATE_HZ / max(1, len(middle))
        text = SAID[min(5, max(0, round(height / 400) - 1))]
        return Recognised(text if self.hints else text.replace("Zelora", "the laura"), 0.9)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones for sentences: calls with a recording, and made ones of text alone."""
    folder = tmp_path_factory.mktemp("calls")
    planned = list(generate.plan(1, 0, 30))
    listed = [Call(p.id, "", p.agent, p.began.isoformat()) for p in planned]
    sentences = [s for p in planned for s in generate.spoken(p)[1]]
    (folder / "audio").mkdir()
    for number in range(SPOKEN):
        call = Call(f"s-{number}", f"audio/s-{number}.wav", "anna", planned[0].began.isoformat())
        sounds, at = np.zeros((2, 7 * RATE_HZ), np.float32), 0.5
        for place in range(6):
            which, side = (number + place) % 3, place % 2
            said = which + 3 * call.held_out(HELD_OUT_SHARE)
            sound = _tone(400 * (said + 1))
            sounds[side, int(at * RATE_HZ) : int(at * RATE_HZ) + len(sound)] = sound
            sentences.append(Sentence(call.id, SIDES[side], at, at + 0.5, SAID[said], which))
            at += 1
        write_wav(folder / call.file, sounds)
        listed.append(call)
    for name, content in written(listed, sentences).items():
        (folder / name).write_bytes(content)
    return folder


def _tone(hertz: float) -> Samples:
    return (0.3 * np.sin(np.arange(RATE_HZ // 2) * 2 * np.pi * hertz / RATE_HZ)).astype(np.float32)


def called(program: Any, monkeypatch: pytest.MonkeyPatch, *flags: Any) -> dict[str, Any]:
    monkeypatch.setattr("sys.argv", ["program", *map(str, flags)])
    return program.main()


@pytest.fixture(autouse=True)
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (train, evaluate, score):
        monkeypatch.setattr(module, "Recogniser", ListenerStub)


@pytest.fixture(scope="module")
def trained(encoder: Path, calls: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "r1"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(train, "Recogniser", ListenerStub)
        where = ("--data", calls, "--output", folder, "--encoder", encoder, "--threads", 1)
        told = called(train, monkeypatch, *where, "--epochs", 3, "--learning-rate", 0.02)
    assert told["hints"] == ["Zelora"] and len(json.dumps(told)) < 4096
    assert told["word_error_rate_of_choice"]["with_hints"] == 0 < told["word_error_rate_of_choice"]["without_hints"]
    return folder


def test_a_model_folder_says_what_it_was_trained_on_and_holds_the_base(trained: Path, calls: Path):
    told = json.loads((trained / "model.json").read_text())
    assert told["hints"] == ["Zelora"] and told["labels"] == ["negative", "neutral", "positive"]
    assert set(told["files"]) >= {"model.onnx", "tokenizer.json", "weights.pt", "base.pt", "sentences.json", "MLmodel"}
    known = json.loads((trained / "sentences.json").read_text())
    assert {s.digest[:16] for s in load(open_source(str(calls))).training} <= set(known)


def test_a_training_run_again_changes_nothing(trained: Path, calls: Path, encoder: Path, monkeypatch):
    before = (trained / "weights.pt").read_bytes()
    where = ("--data", calls, "--output", trained, "--encoder", encoder, "--threads", 1)
    called(train, monkeypatch, *where, "--epochs", 3, "--learning-rate", 0.02)
    assert (trained / "weights.pt").read_bytes() == before
    with pytest.raises(BadInput, match=r"tuned\.checkpoint\.pt is of another training|base\.checkpoint\.pt is of ano"):
        called(train, monkeypatch, *where, "--epochs", 4, "--learning-rate", 0.02)


def test_models_are_judged_alone_and_as_pipelines(
    trained: Path, calls: Path, encoder: Path, tmp_path: Path, monkeypatch
):
    models = ("--model", f"challenger={trained}", "--model", f"champion={trained}", "--encoder", encoder)
    told = called(evaluate, monkeypatch, "--data", calls, *models, "--output", tmp_path)
    assert set(told["metrics"]) == {"challenger", "base", "champion"} and len(json.dumps(told)) < 4096
    assert told["metrics"]["challenger"]["word_error_rate"] == 0 < told["metrics"]["base"]["word_error_rate"]
    low, high = told["intervals"]["challenger"]
    assert low <= told["metrics"]["challenger"]["pipeline_difference"] <= high
    assert set(told["comparison"]) == {"pipeline_difference", "macro_f1", "pipeline_macro_f1", "recognition_difference"}
    assert all(gain["gain"] == 0 for gain in told["comparison"].values()), "a model against itself"
    assert ("unfit" in told) == (told["against_base"]["low"] <= 0)
    assert {"pipeline.png", "confusion_base.png", "mistakes_challenger.html"} <= set(told["pictures"])
    assert "<script" not in (tmp_path / "mistakes_base.html").read_text()


def test_a_tuned_model_that_is_not_surely_better_than_the_base_is_unfit():
    assert evaluate._unfit({"gain": 0.2, "low": 0.01, "high": 0.3, "confidence": 0.95}) == ""
    said = evaluate._unfit({"gain": 0.2, "low": 0.0, "high": 0.3, "confidence": 0.95})
    assert "not surely better than the base: pipeline_difference lower by 0.2000, between 0.0000 and 0.3000" in said


def test_a_model_that_does_not_say_what_it_learnt_from_is_not_compared(trained: Path, calls: Path, tmp_path: Path):
    for name in ("model.onnx", "model.json"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    with pytest.raises(BadInput, match="champion does not say which sentences it was trained on"):
        evaluate.judge([Model.parse(f"champion={tmp_path}")], load(open_source(str(calls))), None)


def test_without_a_held_out_recording_there_is_no_judgement(trained: Path, calls: Path, tmp_path: Path, monkeypatch):
    labelled = load(open_source(str(calls)))
    listed = [Call(c.id, "", c.agent, c.began) for c in labelled.calls.values()]
    for name, content in written(listed, [*labelled.training, *labelled.held_out]).items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match="is of a call with a recording, so the models cannot be judged behind"):
        called(evaluate, monkeypatch, "--data", tmp_path, "--model", f"challenger={trained}")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every half second from 0.5 s on is an utterance of the agent's."""
    from tasks.common.utterances import Utterance

    def cut(recording: Any) -> Any:
        for piece in list(recording)[:1]:
            yield Utterance("agent", 0.5, 1.0, _tone(400))
            yield Utterance("agent", 1.5, 2.0, _tone(1200))
            assert piece

    monkeypatch.setattr(score, "utterances", cut)
    monkeypatch.setattr(
        "tasks.calls.score.Model.parse",
        lambda text: _Described.parse(text),
    )


class _Described(Model):
    """A model whose recogniser is the stub."""

    @classmethod
    def parse(cls, text: str) -> Self:
        folder = Path(text.partition("=")[2])
        told = json.loads((folder / "model.json").read_text())
        return cls("model", folder / "model.onnx", {**told, "recogniser": {"sha256": ListenerStub.digest}})


def test_new_calls_are_scored_once_and_whole(trained: Path, calls: Path, heard: None, tmp_path: Path, monkeypatch):
    where = ("--data", calls, "--folder", tmp_path, "--dataset-version", "v1")
    planned = called(plan, monkeypatch, *where, "--size", 3)
    assert planned == {"recorded": SPOKEN, "new": SPOKEN, "parts": ["0/3", "1/3", "2/3"]}
    first = called(score, monkeypatch, *where, "--model", trained, "--part", "0/3")
    assert (first["calls"], first["sentences"], first["refused"]) == (3, 6, 0)
    assert called(plan, monkeypatch, *where, "--size", 3)["new"] == SPOKEN - 3
    assert called(score, monkeypatch, *where, "--model", trained, "--part", "0/3")["calls"] == 0
    told = json.loads((tmp_path / "s-0.json").read_text())
    assert told["source"] == {"dataset": "calls", "version": "v1", "file": "audio/s-0.wav"}
    assert [(s["side"], s["index"], s["start"], s["text"]) for s in told["sentences"]] == [
        ("agent", 0, 0.5, "Zelora fails again."),
        ("agent", 1, 1.5, "That fixed it, thank you."),
    ]
    assert told["sentences"][0]["sentiment"] in ("negative", "neutral", "positive")
    assert sum(told["sentences"][0]["scores"].values()) == pytest.approx(1, abs=1e-5)
    assert told["sentences"][0]["model"] == "r1" and told["channels"] == 2 and told["rate_hz"] == RATE_HZ
    assert all(isinstance(one["mentions"], list) for one in told["sentences"])


def test_a_recording_that_cannot_be_understood_stops_no_other(trained, heard, tmp_path: Path, monkeypatch, capfd):
    data, results = tmp_path / "data", tmp_path / "results"
    data.mkdir()
    write_wav(data / "a.wav", 0 * tone(1))
    write_wav(data / "b.wav", tone(1))
    (data / "calls.csv").write_text(
        "call,file,agent,began\nc-a,a.wav,anna,2026-11-20T08:00:00+00:00\nc-b,b.wav,anna,2026-11-20T08:00:00+00:00\n"
    )
    where = ("--data", data, "--folder", results, "--model", trained)
    told = called(score, monkeypatch, *where)
    assert told["calls"] == 1 and told["refused"] == 1 and "silence and nothing else" in told["reasons"][0]
    assert not (results / "c-a.json").exists() and "WARNING: Call c-a" in capfd.readouterr().err
    with pytest.raises(BadInput, match="None of the 1 calls can be understood; the first: Call c-a"):
        called(score, monkeypatch, *where)


def test_parts_that_cannot_be_meant_are_named(calls: Path, trained: Path, tmp_path: Path, monkeypatch):
    for part in ("3/3", "1", "a/b", "-1/3"):
        with pytest.raises(BadInput, match="the first of three is written 0/3"):
            called(score, monkeypatch, "--data", calls, "--folder", tmp_path, "--model", trained, f"--part={part}")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Any:
    with StubService() as running:
        monkeypatch.setenv("CALLS_URL", running.url)
        monkeypatch.setenv("CALLS_TOKEN", StubService.TOKEN)
        monkeypatch.setenv("CALLS_CONNECTION", "calls_default")
        yield running


@pytest.fixture
def running(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """The call service itself, with its token."""
    served = Served(f"sqlite:///{tmp_path_factory.mktemp('service') / 'calls.db'}")
    served.start()
    monkeypatch.setenv("CALLS_URL", served.url)
    monkeypatch.setenv("CALLS_TOKEN", TOKEN)
    monkeypatch.setenv("CALLS_CONNECTION", "calls_default")
    with httpx.Client(base_url=served.url, headers=MINE, trust_env=False, timeout=60) as client:
        yield client
    served.stop()


def asked(client: httpx.Client, call: str) -> dict[str, Any]:
    return client.get(f"/api/calls/{call}").raise_for_status().json()


def test_the_service_gets_each_call_whole_and_once(trained, calls, heard, running: httpx.Client, monkeypatch):
    # One was cut short before it was finished, of an earlier version.
    facts = {"agent": "anna", "began": "2026-11-20T08:00:00+00:00", "seconds": 7, "rate_hz": RATE_HZ, "channels": 2}
    source = {"dataset": "calls", "version": "v0", "file": "audio/s-3.wav"}
    running.put("/api/calls/s-3", json={**facts, "source": source}).raise_for_status()
    where = ("--data", calls, "--model", trained)
    assert called(score, monkeypatch, *where, "--dataset-version", "v1")["calls"] == SPOKEN
    for number in range(SPOKEN):
        told = asked(running, f"s-{number}")
        assert told["finished"] == len(told["sentences"]) == 2 and told["source"]["version"] == "v1"
    assert asked(running, "s-0")["agent"] == "anna"
    assert called(score, monkeypatch, *where, "--dataset-version", "v2")["calls"] == 0
    assert called(plan, monkeypatch, "--data", calls)["parts"] == []


def test_what_people_correct_is_in_the_next_training(trained, calls, heard, running, tmp_path: Path, monkeypatch):
    called(score, monkeypatch, "--data", calls, "--model", trained)
    said = {"text": "Brimwell is down again.", "sentiment": "negative", "by": "eve"}
    running.put("/api/calls/s-0/sentences/agent/0/correction", json=said).raise_for_status()
    for file in ("calls.csv", "sentences.csv"):
        (tmp_path / file).write_bytes((calls / file).read_bytes())
    shutil.copytree(calls / "audio", tmp_path / "audio")
    assert called(corrections, monkeypatch, "--output", tmp_path) == {"corrections": 1, "changed": True}
    found = load(open_source(str(tmp_path)))
    assert found.corrected == 1 and said["text"] in {sentence.text for sentence in found.training}


def test_a_call_that_is_there_from_another_recording_is_refused(trained, calls, heard, running, monkeypatch):
    facts = {"agent": "anna", "began": "2026-11-20T08:00:00+00:00", "seconds": 7, "rate_hz": RATE_HZ, "channels": 2}
    source = {"dataset": "calls", "version": "v0", "file": "other.wav"}
    running.put("/api/calls/s-0", json={**facts, "source": source}).raise_for_status()
    running.put("/api/calls/s-0/finished", json={"sentences": 0}).raise_for_status()
    with pytest.raises(BadInput, match=r"\(connection calls_default\) has call s-0 from calls/other\.wav"):
        called(plan, monkeypatch, "--data", calls)


def test_corrections_come_home_with_the_times_of_their_sentences(service: StubService, tmp_path: Path, monkeypatch):
    service.calls["c-1"] = {
        "finished": 1,
        "sentences": [{"side": "caller", "index": 0, "start": 1.5, "end": 2.5, "text": "a"}],
        "source": {},
    }
    said = {
        "side": "caller",
        "index": 0,
        "text": "b",
        "sentiment": "neutral",
        "by": "eve",
        "at": "2026-11-27T08:00:00Z",
    }
    service.corrections = [{**said, "call": "c-1", "text": "old"}, {**said, "call": "c-1"}, {**said, "call": "gone"}]
    assert called(corrections, monkeypatch, "--output", tmp_path) == {"corrections": 1, "changed": True}
    (line,) = (tmp_path / "corrections.jsonl").read_text().splitlines()
    told = {name: value for name, value in said.items() if name != "index"}
    assert json.loads(line) == {**told, "call": "c-1", "start": 1.5, "end": 2.5}
    assert called(corrections, monkeypatch, "--output", tmp_path)["changed"] is False


def test_a_service_that_does_not_take_part_is_named(service: StubService, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("CALLS_TOKEN", "wrong")
    with pytest.raises(BadInput, match=r"The call service at .* \(connection calls_default\) does not take the token"):
        called(corrections, monkeypatch, "--output", tmp_path)
    service.broken = True
    with pytest.raises(TryAgain, match="answers 503 to GET /api/corrections"):
        called(corrections, monkeypatch, "--output", tmp_path)
    service.stop()
    with pytest.raises(TryAgain, match="does not answer"):
        called(corrections, monkeypatch, "--output", tmp_path)
    monkeypatch.delenv("CALLS_URL")
    with pytest.raises(BadInput, match="CALLS_URL is not set; it is the address of the call service"):
        called(corrections, monkeypatch, "--output", tmp_path)


def test_what_somebody_says_is_understood_by_the_real_recogniser(say: Say, trained: Path, tmp_path: Path, monkeypatch):
    from tasks.common.recogniser import PACKAGED_SHA256, Recogniser

    monkeypatch.setattr(score, "Recogniser", Recogniser)
    model = tmp_path / "model"
    model.mkdir()
    for file in trained.iterdir():
        (model / file.name).write_bytes(file.read_bytes())
    told = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps({**told, "recogniser": {"sha256": PACKAGED_SHA256}}))
    said = np.concatenate([quiet(0.5), say("This is the third time that I call about my invoice."), quiet(1)])
    write_wav(tmp_path / "a.wav", np.stack([quiet(len(said) / RATE_HZ), said]))
    (tmp_path / "calls.csv").write_text("call,file,agent,began\nc-a,a.wav,anna,2026-11-20T08:00:00+00:00\n")
    called(score, monkeypatch, "--data", tmp_path, "--folder", tmp_path / "results", "--model", model, "--threads", 1)
    (row,) = json.loads((tmp_path / "results" / "c-a.json").read_text())["sentences"]
    assert row["side"] == "caller"
    assert row["text"].rstrip(".") == "This is the third time that I call about my invoice"
    with pytest.raises(BadInput, match="was trained with the recogniser None, and this is stub@0000"):
        monkeypatch.setattr(score, "Recogniser", ListenerStub)
        called(score, monkeypatch, "--data", tmp_path, "--folder", tmp_path / "b", "--model", model)
