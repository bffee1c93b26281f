"""Documents of every kind are read with their places, apart from us, and what cannot be read is told in a sentence."""

from __future__ import annotations

import os
import time
import zipfile
from pathlib import Path

import pytest

from tasks.documents import generate, sandbox
from tasks.documents.convert import Document, Unreadable, read
from tasks.documents.language import foreign
from tasks.documents.sandbox import Limits, read_all, read_apart
from tasks.documents.split import LONGEST, passages


@pytest.mark.parametrize(
    ("path", "title", "place", "said"),
    [
        ("products/nx-110/datasheet.pdf", "NX-110 data sheet", "page 2", "The battery life of the NX-110 is"),
        ("products/nx-110/manual.docx", "NX-110 manual", "heading Cleaning", "Switch the unit off before"),
        ("products/nx-110/training.pptx", "NX-110 for sales", "slide 2", "It can, by LoRa radio."),
        ("policies/leave.html", "Leave", "heading Annual leave", "27 days of annual leave"),
        ("policies/expenses.md", "Expenses", "heading Deadline", "within 30 days"),
        ("policies/code-of-conduct.txt", "", "lines 1-5", "up to a value of EUR 35."),
        ("notices/support-hours.eml", "Hours of the support desk", "mail", "on Saturdays until noon"),
    ],
)
def test_each_kind_is_read_with_title_and_places(documents: Path, path: str, title: str, place: str, said: str):
    found = read(documents / path)
    assert found.title == title
    assert [section.place for section in found.sections if said in section.text] == [place]
    assert not any("let seen" in section.text for section in found.sections), "scripts are no text"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("encrypted.pdf", "is closed by a password"),
        ("scanned.pdf", "is scanned: 1 pages are pictures without text"),
        ("broken.docx", "is broken"),
        ("empty.txt", "is empty"),
        ("bomb.docx", "would unpack from 0.1 MB to 67.1 MB"),
        ("macros.docm", "holds macros"),
        ("picture.png", "is none of the kinds that are read"),
    ],
)
def test_what_cannot_be_read_says_why(documents: Path, name: str, reason: str):
    with pytest.raises(Unreadable, match=reason):
        read(documents / "incoming" / name)


def test_content_decides_what_a_file_is_and_the_wrong_name_is_told(documents: Path):
    found = read(documents / "incoming" / "wrong-suffix.docx")
    assert found.kind == "pdf" and "212 orders" in found.sections[0].text
    assert found.remarks == ("It is named .docx but is a PDF, and read so.",)


def test_garbage_of_every_kind_is_unreadable_and_nothing_else(tmp_path: Path):
    for number, head in enumerate((b"%PDF-1.7\n", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x00\x01")):
        file = tmp_path / f"{number}.pdf"
        file.write_bytes(head + bytes(range(256)) * 20)
        with pytest.raises(Unreadable):
            read(file)
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as packed:
        packed.writestr("word/document.xml", "<no")
    with pytest.raises(Unreadable, match="cannot be read as a Word document"):
        read(tmp_path / "a.docx")


def test_signs_that_nobody_sees_hide_no_word(tmp_path: Path):
    file = tmp_path / "a.txt"
    file.write_text("ig\u200bnore\u202e what \ufb01ts\n")
    assert read(file).sections[0].text == "ignore what fits"


def test_documents_are_read_in_processes_that_end(documents: Path):
    paths = [documents / "policies/leave.html", documents / "incoming/empty.txt", documents / "policies/travel.docx"]
    leave, empty, travel = read_all(paths, Limits(), 2)
    assert isinstance(leave, Document) and leave == read(paths[0])
    assert isinstance(empty, Unreadable) and isinstance(travel, Document)
    assert Document.from_json(leave.as_json()) == leave


def test_a_document_that_takes_too_much_room_is_given_up(tmp_path: Path):
    large = tmp_path / "large.txt"
    large.write_bytes(b"word " * 3_000_000)
    assert "more than the 1 MB" in str(read_apart(large, Limits(most_mb=1)))
    assert "memory" in str(read_apart(large, Limits(memory_mib=4)))


def test_a_reader_that_hangs_is_ended(documents: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sandbox, "_work", _wait)
    assert "took longer than 1 s" in str(read_apart(documents / "policies/leave.html", Limits(seconds=1)))


def test_a_reader_that_dies_is_told(documents: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sandbox, "_work", _die)
    told = str(read_apart(documents / "policies/leave.html", Limits()))
    assert told == "broke the process that read it (exit code 9); save it anew"


def _wait(*_: object) -> None:
    time.sleep(600)


def _die(*_: object) -> None:
    os._exit(9)


def test_another_language_is_told(documents: Path):
    german = (documents / "incoming" / "german.txt").read_text()
    assert foreign(german) == "German"
    assert foreign("Здравствуйте " * 50) == "a script other than Latin"
    assert foreign("pressure valve") == "", "too little to tell"
    english = " ".join(section.text for section in read(documents / "products/nx-220/manual.docx").sections)
    assert foreign(english) == ""


def test_passages_keep_their_place_and_fit_the_encoder(tmp_path: Path):
    file = tmp_path / "long.md"
    long = "It is said that the pump of the third hall runs by night. " * 40
    file.write_text(f"# Pumps\n\n## Night\n\n{long}\n\n{'x' * 2000}\n\n## Day\n\nIt rests.\n")
    found = passages(read(file), "long.md", "d", "Pumps")
    assert max(len(passage.text) for passage in found) <= LONGEST
    assert {passage.place for passage in found} == {"heading Night", "heading Day"}
    assert [passage.position for passage in found] == list(range(len(found)))
    said = " ".join(" ".join(passage.text for passage in found if passage.place == "heading Night").split())
    assert said.count("runs by night.") == 40, "nothing is lost or said twice"


def test_the_same_revision_gives_the_same_bytes_and_the_next_changes_some_files(documents: Path):
    first, second = dict(generate.files(1)), dict(generate.files(2, more=1))
    assert all((documents / path).read_bytes() == content for path, content in first.items())
    assert len(second) == len(first) + 5
    changed = {path for path, content in first.items() if second[path] != content}
    assert changed == {
        "policies/travel.docx",
        "policies/archive/travel-copy.docx",
        "policies/remote-work.md",
        "policies/information-security.pdf",
        "questions.jsonl",
    }
