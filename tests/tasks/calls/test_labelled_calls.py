"""Labelled calls: the layout of the folder, its faults, corrections by people, and which calls judge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.calls import dataset
from tasks.calls.dataset import Call, Sentence, load, written
from tasks.common.data import open_source
from tasks.common.program import BadInput

BEGAN = "2026-11-20T08:00:00+00:00"
JUDGES = "c-8"  # by the hash of its id, as c-1 is not
CALLS = [Call("c-1", "audio/c-1.wav", "anna", BEGAN), Call(JUDGES, "", "ben", BEGAN)]
SENTENCES = [
    Sentence("c-1", "caller", 1.0, 2.5, "Nobody called me back.", 0),
    Sentence("c-1", "agent", 3.0, 4.0, "One moment, please.", 1),
    Sentence(JUDGES, "caller", 1.0, 2.0, "That fixed it.", 2),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "c-1.wav").write_bytes(b"sound")
    for name, content in written(CALLS, SENTENCES).items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_calls_are_held_out_whole(folder: Path):
    assert [call.held_out(0.3) for call in CALLS] == [False, True]
    found = load(open_source(str(folder)), 0.3)
    assert found.training == SENTENCES[:2] and found.held_out == SENTENCES[2:]
    assert found.split == "by call, 0.3 held out" and found.calls["c-1"].agent == "anna"


def test_what_is_said_in_a_held_out_call_trains_nothing(folder: Path, capfd):
    said = [*SENTENCES, Sentence("c-1", "caller", 5, 6, "that FIXED it", 2)]
    (folder / dataset.SENTENCES).write_bytes(written(CALLS, said)[dataset.SENTENCES])
    assert load(open_source(str(folder)), 0.3).training == SENTENCES[:2]
    assert "1 sentences are said in held-out calls too" in capfd.readouterr().err


def correct(folder: Path, *rows: dict) -> None:
    (folder / dataset.CORRECTIONS).write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_person_has_the_last_word(folder: Path, capfd):
    times = {"call": "c-1", "side": "caller", "by": "eve", "at": BEGAN}
    correct(
        folder,
        {**times, "start": 0.9, "end": 2.6, "text": "Nobody called me back today.", "sentiment": "negative"},
        {**times, "start": 8.0, "end": 9.0, "text": "Thanks a lot.", "sentiment": "positive"},
        {**times, "start": 8.0, "end": 9.0, "text": "", "sentiment": "neutral"},
        {**times, "call": "elsewhere", "start": 8.0, "end": 9.0, "text": "Hm.", "sentiment": "neutral"},
    )
    found = load(open_source(str(folder)), 0.3)
    assert [(s.start, s.text, s.sentiment) for s in found.training] == [
        (1.0, "Nobody called me back today.", 0),
        (3.0, "One moment, please.", 1),
        (8.0, "Thanks a lot.", 2),
    ]
    assert found.corrected == 2 and "1 corrections are of calls that" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("file", "line", "says"),
    [
        (dataset.CALLS, "c 3,,anna," + BEGAN, "calls.csv, line 4: the call 'c 3' is not of 1 to 64 letters"),
        (dataset.CALLS, "c-1,,anna," + BEGAN, "line 4: the call c-1 stands there twice"),
        (dataset.CALLS, "c-3,gone.wav,anna," + BEGAN, "line 4: .* has no file 'gone.wav'"),
        (dataset.CALLS, "c-3,,," + BEGAN, "line 4: the call c-3 names no agent"),
        (dataset.CALLS, "c-3,,anna,2026-11-20T08:00:00", "line 4: the time 2026-11-20T08:00:00 has no zone"),
        (dataset.CALLS, "c-3,,anna,yesterday", "line 4: 'yesterday' is no time such as"),
        (dataset.CALLS, "c-3,,anna", "line 4: there are more or fewer than 4 values"),
        (dataset.SENTENCES, "c-9,agent,1,2,Yes.,neutral", "sentences.csv, line 5: calls.csv lists no call 'c-9'"),
        (dataset.SENTENCES, "c-1,robot,1,2,Yes.,neutral", "line 5: the side is 'robot'; it is one of agent, caller"),
        (dataset.SENTENCES, "c-1,agent,1,2,Yes.,angry", "line 5: the sentiment is 'angry'; it is one of negative, n"),
        (dataset.SENTENCES, "c-1,agent,1,2,...,neutral", "line 5: the text '...' holds no word"),
        (dataset.SENTENCES, "c-1,agent,2,1,Yes.,neutral", "line 5: the sentence is from 2 s to 1 s"),
        (dataset.SENTENCES, "c-1,agent,1,x,Yes.,neutral", "line 5: start and end are '1' and 'x', not seconds"),
        (dataset.SENTENCES, f"c-1,agent,1,2,{'no ' * 1000},neutral", "line 5: a sentence has up to 2000 characters"),
        (dataset.CORRECTIONS, "no JSON", "corrections.jsonl, line 1: this is no correction"),
        (dataset.CORRECTIONS, '{"call": "c-1"}', "corrections.jsonl, line 1: this is no correction"),
    ],
)
def test_what_cannot_be_meant_is_named_with_file_and_line(folder: Path, file: str, line: str, says: str):
    with (folder / file).open("a") as table:
        table.write(line + "\n")
    with pytest.raises(BadInput, match=says):
        load(open_source(str(folder)), 0.3)


def test_a_table_that_is_none_is_named(folder: Path):
    (folder / dataset.SENTENCES).write_text("call,text\n")
    with pytest.raises(BadInput, match=r"sentences\.csv, line 1: there is no column side"):
        load(open_source(str(folder)), 0.3)
    (folder / dataset.SENTENCES).unlink()
    with pytest.raises(BadInput, match=r"has no sentences\.csv; there is nothing to train on"):
        load(open_source(str(folder)), 0.3)
    (folder / dataset.CALLS).write_bytes(b"call,file,agent,began\n\xff\n")
    with pytest.raises(BadInput, match=r"calls\.csv is no text in UTF-8"):
        load(open_source(str(folder)), 0.3)


def test_there_has_to_be_something_on_either_side(folder: Path):
    with pytest.raises(BadInput, match="no labelled sentence held out to judge by"):
        load(open_source(str(folder)), 1e-9)
    with pytest.raises(BadInput, match="--held-out-share is 1"):
        load(open_source(str(folder)), 1)
