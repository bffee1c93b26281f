"""An index of passages: brought to the wanted files, finished, searched by words and meaning within what is allowed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tasks.common.metrics import Floats
from tasks.common.program import BadInput
from tasks.documents import index as index_module
from tasks.documents.index import FACTS, Building, Index, Passage

WIDTH = 8
MADE_WITH = "encoder-1 policy-1"


def passage(file: str, text: str, position: int = 0, digest: str = "d1") -> Passage:
    return Passage(file, digest, "md", file.title(), f"lines {position}", position, text)


def vector(seed: int) -> Floats:
    drawn = np.random.default_rng(seed).normal(size=WIDTH)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def vectors(*seeds: int) -> Floats:
    return np.stack([vector(seed) for seed in seeds])


LEAVE = passage("hr/leave.md", "Every employee has thirty days of annual leave.")
PARENTS = passage("hr/leave.md", "Parents of small children have ten more.", 1)
TRAVEL = passage("travel.md", "Trains are booked in second class.")
SECRET = passage("board/it's secret.md", "The board plans to buy the annual leave company.")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    building = Building(tmp_path / "index", MADE_WITH)
    building.replace([LEAVE, PARENTS, TRAVEL, SECRET], vectors(1, 2, 3, 4))
    building.finish({"dataset_version": "documents-1"})
    return tmp_path / "index"


def test_words_and_meaning_both_find(folder: Path):
    index = Index(folder)
    assert index.files == {"hr/leave.md": "d1", "travel.md": "d1", "board/it's secret.md": "d1"}
    by_words = index.search("which CLASS for a train?", vector(1), limit=2)
    assert {hit.passage for hit in by_words} == {TRAVEL, LEAVE}, "one by the word, one by the vector"
    (by_meaning,) = index.search("xyzzy", vector(2), limit=1)
    assert by_meaning.passage == PARENTS
    assert by_meaning.similarity == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("question", ["", "?!", "the of and", "' OR 1=1 --", '"annual" AND (leave', "text:leave*"])
def test_any_text_is_a_question(folder: Path, question: str):
    hits = Index(folder).search(question, vector(3), limit=1)
    assert len(hits) == 1


def test_what_is_not_allowed_takes_no_place(folder: Path):
    index = Index(folder)
    question, near = "annual leave", vector(4)
    assert index.search(question, near, limit=1)[0].passage == SECRET
    hits = index.search(question, near, limit=3, allowed=lambda file: not file.startswith("board/"))
    assert {hit.passage for hit in hits} == {LEAVE, PARENTS, TRAVEL}
    assert [hit.passage for hit in index.search(question, near, limit=3, allowed={"travel.md"})] == [TRAVEL]
    assert [hit.passage for hit in index.search(question, near, limit=3, allowed={SECRET.file})] == [SECRET]
    assert index.search(question, near, limit=3, allowed=set()) == []
    assert index.search(question, near, limit=3, allowed={"no such file"}) == []
    assert len(index.search(question, near, limit=4, allowed=set(index.files))) == 4


def test_a_passage_is_opened_by_its_id_with_what_stands_beside_it(folder: Path):
    index = Index(folder)
    assert index.passage(PARENTS.id) == PARENTS
    assert index.passage("nothing") is None
    assert index.passage("' OR '1'='1") is None
    assert index.around(PARENTS, 1) == [LEAVE, PARENTS]
    assert index.around(SECRET, 3) == [SECRET]


def test_a_build_changes_what_differs_and_leaves_the_rest(folder: Path):
    building = Building(folder, MADE_WITH)
    before = building.files()
    changed = passage("travel.md", "Planes are booked in economy class.", digest="d2")
    building.replace([changed], vectors(5))
    building.remove(["board/it's secret.md", "never/was.md"])
    assert building.files() == {**{file: before[file] for file in ("hr/leave.md",)}, "travel.md": "d2"}
    building.finish({})
    index = Index(folder)
    assert index.files == {"hr/leave.md": "d1", "travel.md": "d2"}
    assert index.facts["passages"] == 3
    assert changed in {hit.passage for hit in index.search("planes", vector(1), limit=2)}
    assert all(hit.passage != TRAVEL for hit in index.search("trains", vector(3), limit=4))
    assert changed.id != TRAVEL.id, "a citation of the old content does not open the new one"


def test_copies_of_one_document_stay_two(tmp_path: Path):
    building = Building(tmp_path, MADE_WITH)
    one, two = passage("a.md", "The same text."), passage("copies/a.md", "The same text.")
    building.replace([one, two], vectors(1, 1))
    building.replace([one], vectors(1))
    building.finish({})
    assert {hit.passage for hit in Index(tmp_path).search("same", vector(1), limit=5)} == {one, two}


def test_passages_made_with_another_encoder_or_policy_are_dropped(folder: Path):
    assert Building(folder, MADE_WITH).files()
    assert Index(folder).facts["dataset_version"] == "documents-1", "nothing was changed, so it is still finished"
    assert Building(folder, "encoder-2 policy-1").files() == {}
    with pytest.raises(BadInput, match="holds no finished index"):
        Index(folder)


def test_nothing_in_it_is_an_index_too(folder: Path):
    building = Building(folder, MADE_WITH)
    building.remove(building.files())
    building.finish({})
    index = Index(folder)
    assert (index.files, index.facts["passages"], index.search("leave", vector(1), limit=3)) == ({}, 0, [])
    assert index.passage(LEAVE.id) is None


def test_a_folder_that_is_no_index_is_refused(tmp_path: Path):
    with pytest.raises(BadInput, match="holds no finished index; build it"):
        Index(tmp_path)
    (tmp_path / FACTS).write_text(json.dumps({"schema": 99}))
    with pytest.raises(BadInput, match="schema 99"):
        Index(tmp_path)
    (tmp_path / FACTS).write_text("{")
    with pytest.raises(BadInput, match="cannot be read"):
        Index(tmp_path)


def test_facts_that_tell_another_number_of_files_are_not_believed(folder: Path):
    facts = json.loads((folder / FACTS).read_text())
    (folder / FACTS).write_text(json.dumps({**facts, "files": 7}))
    with pytest.raises(BadInput, match="holds 3 files, but index.json tells 7"):
        Index(folder)


KILLED = """
import os, sys
from pathlib import Path
import numpy as np
from tasks.documents.index import Building, Passage
building = Building(Path(sys.argv[1]), sys.argv[2])
one = np.eye(1, 8, dtype=np.float32)
building.replace([Passage("travel.md", "d2", "md", "Travel", "lines 0", 0, "Planes only.")], one)
os.kill(os.getpid(), 9)
"""


def test_a_killed_build_is_run_again(folder: Path):
    command = [sys.executable, "-c", KILLED, str(folder), MADE_WITH]
    assert subprocess.run(command, env={**os.environ, "PYTHONPATH": os.getcwd()}, check=False).returncode == -9
    with pytest.raises(BadInput, match="holds no finished index"):
        Index(folder)
    building = Building(folder, MADE_WITH)
    assert building.files()["travel.md"] == "d2", "what was done is not done again"
    building.finish({})
    assert Index(folder).facts["passages"] == 4


def test_a_folder_that_cannot_be_written_is_searched(folder: Path):
    for path in [*folder.rglob("*"), folder]:
        path.chmod(path.stat().st_mode & ~0o222)
    before = sorted(path for path in folder.rglob("*"))
    assert Index(folder).search("trains", vector(3), limit=1)[0].passage == TRAVEL
    assert sorted(path for path in folder.rglob("*")) == before
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)


def test_many_passages_are_found_through_partitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(index_module, "SEARCHED_WHOLE", 500)
    count = 600
    many = [passage(f"{number}.md", f"Number {number} is here.") for number in range(count)]
    building = Building(tmp_path, MADE_WITH)
    building.replace(many, vectors(*range(count)))
    building.finish({})
    building = Building(tmp_path, MADE_WITH)
    building.replace([passage("new.md", "Something new.")], vectors(count))
    building.finish({})
    index = Index(tmp_path)
    own = [index.search("nothing", vector(number), limit=1)[0].passage.file for number in (0, 77, 599)]
    assert own == ["0.md", "77.md", "599.md"]
    assert index.search("nothing", vector(count), limit=1)[0].passage.file == "new.md", "indexed by a later build"
    few = index.search("number", vector(5), limit=3, allowed={"8.md", "9.md"})
    assert {hit.passage.file for hit in few} == {"8.md", "9.md"}, "rights thin out nothing"
