"""From documents to what serves: what changed is embedded, judged against what serves, and served, or put back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.common.metrics import Floats
from tasks.common.program import BadInput
from tasks.documents import ask, build, evaluate, layout, personal, scan, serve, serving
from tasks.documents.answer import Answer, Said
from tasks.documents.embedding import Embedding
from tasks.documents.index import Building, Hit, Index, Passage
from tasks.documents.questions import Question
from tests.tasks.run_files import RUN

PUMPS = "# Pumps\n\nThe pump of the third hall runs by night and rests by day. It is loud.\n"
VALVES = "# Valves\n\nA valve is opened by hand, with a quarter turn against the clock, and never by force.\n"
FANS = "# Fans\n\nThe fans above the roof are cleaned each spring with a soft brush and water.\n"
Program = Callable[..., dict[str, Any]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "version" / "data"
    folder.mkdir(parents=True)
    for name, text in {"pumps.md": PUMPS, "valves.md": VALVES, "fans.md": FANS}.items():
        (folder / name).write_text(text)
    told = {"question": "When are the fans above the roof cleaned?", "files": ["fans.md"], "answer": "spring"}
    (folder / "questions.jsonl").write_text(json.dumps(told) + "\n")
    return folder


@pytest.fixture
def run(data: Path, tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Runs a program as the DAG does, on a version of a date; ``encoder`` is small, and nothing personal is found."""
    volume = tmp_path / "index"
    monkeypatch.setattr(personal, "find", lambda text: [])
    with_encoder = (scan, build, evaluate)

    def run_it(module: Any, *flags: str, key: str = "r1", day: int = 1) -> dict[str, Any]:
        version = {**RUN["dataset_version"], "id": f"v{day}", "created_at": f"2026-11-{day:02}T06:00:00+00:00"}
        record = {**RUN, "run_key": key, "dag_id": "documents", "dataset_version": version}
        facts = {"schema": 1, "run": record, "step": "", "data": str(data), "folders": {"index": str(volume)}}
        file = tmp_path / "run.json"
        file.write_text(json.dumps({**facts, "index_snapshot": f"mlops_{key}"}))
        monkeypatch.setenv("RUN_FILE", str(file))
        small = [f"--encoder={encoder}"] if module in with_encoder else []
        monkeypatch.setattr("sys.argv", ["program", *small, *flags])
        return module.main()

    return run_it


def freeze(tmp_path: Path, key: str) -> None:
    volume = tmp_path / "index"
    shutil.copytree(volume / layout.INDEX, layout.frozen(volume, f"mlops_{key}"))


def made(run: Program, tmp_path: Path, key: str, day: int) -> dict[str, Any]:
    run(scan, key=key, day=day)
    told = run(build, key=key, day=day)
    freeze(tmp_path, key)
    return told


def test_only_what_changed_is_embedded(run: Program, data: Path, tmp_path: Path):
    first = made(run, tmp_path, "r1", 1)
    assert (first["files"], first["embedded"], first["taken_over"], first["removed"]) == (3, 3, 0, 0)
    (data / "pumps.md").write_text(PUMPS.replace("loud", "quiet"))
    (data / "valves.md").unlink()
    (data / "copy.md").write_text(FANS)
    second = made(run, tmp_path, "r2", 2)
    assert second["embedded_files"] == ["copy.md", "pumps.md"]
    assert (second["files"], second["taken_over"], second["removed"]) == (3, 1, 1)
    index = Index(layout.frozen(tmp_path / "index", "mlops_r2"))
    assert index.files.keys() == {"copy.md", "fans.md", "pumps.md"}
    assert any("quiet" in passage.text for passage in index.sample(10))
    assert not any("loud" in passage.text for passage in index.sample(10))
    assert index.facts["dataset_version"]["id"] == "v2" and index.facts["embedded"] == 2
    assert "loud" in str(Index(layout.frozen(tmp_path / "index", "mlops_r1")).sample(10)), "what is frozen stays"


def test_of_a_changed_document_only_the_passages_that_differ_are_embedded(
    run: Program, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made(run, tmp_path, "r1", 1)
    before = vectors(tmp_path, "r1")
    asked: list[str] = []
    embed = Embedding.of
    monkeypatch.setattr(Embedding, "of", lambda self, texts: asked.extend(texts) or embed(self, texts))
    (data / "pumps.md").write_text(f"{PUMPS}\n# Since this week\n\nA pump is listened to on Fridays.\n")
    made(run, tmp_path, "r2", 2)
    assert len(asked) == 1 and "listened to on Fridays" in asked[0]
    after = vectors(tmp_path, "r2")
    assert len(after) == len(before) + 1
    assert all(np.array_equal(vector, after[text]) for text, vector in before.items())


def vectors(tmp_path: Path, key: str) -> dict[str, Floats]:
    """By what they say, the vectors of all passages of a frozen index."""
    folder = layout.frozen(tmp_path / "index", f"mlops_{key}")
    index = Index(folder)
    rows = Building(folder, index.facts["made_with"]).before(index.files)
    return {row.text: row.vector for row in rows}


def test_another_policy_builds_anew_and_a_build_wants_its_scan(run: Program, tmp_path: Path):
    made(run, tmp_path, "r1", 1)
    with pytest.raises(BadInput, match="no scan by this policy"):
        run(build, "--policy=strict", key="r2")
    run(scan, "--policy=strict", key="r2")
    assert run(build, "--policy=strict", key="r2")["embedded"] == 3


def test_a_build_whose_texts_are_gone_says_so(run: Program, tmp_path: Path):
    run(scan)
    layout.texts_of(tmp_path / "index", "r1").unlink()
    with pytest.raises(BadInput, match="fans.md and 2 more documents are not scanned"):
        run(build)
    run(scan, key="r1")
    assert run(build)["embedded"] == 3 and run(build)["embedded"] == 0, "a build that is repeated finds all there"


def test_an_index_is_judged_on_questions_and_against_what_serves(run: Program, data: Path, tmp_path: Path):
    made(run, tmp_path, "r1", 1)
    first = run(evaluate)
    assert first["questions"] == {"own": 1, "made": 3} and first["held_out"] == 4 and first["served"] == ""
    assert first["metrics"]["challenger"]["recall_at_5"] == 1.0
    run(serve)
    (data / "fans.md").unlink()
    made(run, tmp_path, "r2", 2)
    second = run(evaluate, key="r2", day=2)
    assert second["served"] == "r1" and second["served_at_version"].startswith("2026-11-01")
    assert second["metrics"]["champion"]["recall_at_5"] == 1.0
    assert second["comparison"]["recall_at_5"]["gain"] < 0
    assert second["missed"] == ["When are the fans above the roof cleaned?"]


def test_no_question_has_a_say_in_the_threshold_that_it_is_judged_by(encoder: Path, monkeypatch: pytest.MonkeyPatch):
    passage = Passage("pumps.md", "d", "md", "Pumps", "lines 1", 0, "It is loud.")
    sure = {"answerable": (0.9, 0.9, 0.9, 0.31), "unanswerable": (0.3, 0.1, 0.1, 0.1)}
    confidence = {f"{kind} {number}": of for kind, each in sure.items() for number, of in enumerate(each)}

    def answered(question: str, *_: Any) -> Answer:
        return Answer((Said("It is loud.", passage),), confidence[question])

    class Nothing:
        def search(self, *_: Any, **__: Any) -> list[Hit]:
            return []

    monkeypatch.setattr(evaluate, "answer", answered)
    asked = [
        Question(text, files=frozenset({"pumps.md"}), answer="loud")
        if text.startswith("answerable")
        else Question(text)
        for text in confidence
    ]
    judged = evaluate.judge("new", Nothing(), asked, Embedding(encoder))  # type: ignore[arg-type]
    assert judged.threshold == pytest.approx(0.305), "by all of them, both kinds are told apart"
    assert (judged.right, judged.none) == ([1, 1, 1, 0], [0, 1, 1, 1]), "by the others, these two are not"
    served = evaluate.judge("old", Nothing(), asked, Embedding(encoder), 0.305)  # type: ignore[arg-type]
    assert (served.right, served.none) == ([1] * 4, [1] * 4)


def test_an_index_that_another_run_has_built_is_not_judged(run: Program, tmp_path: Path):
    made(run, tmp_path, "r1", 1)
    shutil.copytree(layout.frozen(tmp_path / "index", "mlops_r1"), layout.frozen(tmp_path / "index", "mlops_r2"))
    with pytest.raises(BadInput, match="was built by run r1, which ran at the same time"):
        run(evaluate, key="r2")


def test_what_serves_is_replaced_only_by_what_was_judged_against_it(run: Program, tmp_path: Path):
    volume = tmp_path / "index"
    made(run, tmp_path, "r1", 1)
    with pytest.raises(BadInput, match="none can be known for its date alone"):
        run(serve, "--decision=remember")
    assert run(serve)["serves"] == "v1"
    for key, day in (("r3", 3), ("r2", 2)):
        freeze(tmp_path, key)
        with pytest.raises(BadInput, match="run r[13] serves meanwhile"):
            run(serve, key=key, day=day)
        decision = "serve" if key == "r3" else "remember"
        told = run(serve, f"--decision={decision}", "--instead-of=r1", key=key, day=day)
        assert told["serves"] == "v3"
    assert run(serve, "--instead-of=r1", key="r3", day=3)["before"] == "", "done already, it changes nothing"
    assert [each.version for each in serving.history(volume)] == ["v1", "v2", "v3"]
    for day, version in ((1, "v1"), (2, "v2"), (9, "v3")):
        at = serving.history(volume)[0].version_at.replace(day=day)
        found = serving.as_of(volume, at)
        assert found and found.version == version


def test_an_index_that_is_not_whole_never_serves(run: Program, tmp_path: Path):
    made(run, tmp_path, "r1", 1)
    (layout.frozen(tmp_path / "index", "mlops_r1") / "index.json").unlink()
    with pytest.raises(BadInput, match="no finished index"):
        run(serve)
    assert serving.current(tmp_path / "index") is None


def answering(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    """What serves answers from this file; the small encoder knows no meaning."""

    def answer(question: str, vector: Any, hits: Any, *_: Any) -> Answer:
        found = [hit.passage for hit in hits if hit.passage.file == file]
        return Answer(tuple(Said("They are cleaned each spring.", passage) for passage in found[:1]), 0.9)

    monkeypatch.setattr(ask, "answer", answer)


def test_a_question_is_the_proof_and_without_it_the_index_before_serves_again(
    run: Program, tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tasks.common.encoder.pretrained", lambda: encoder)
    made(run, tmp_path, "r1", 1)
    run(serve)
    answering(monkeypatch, "fans.md")
    told = run(ask, "--by=index")
    assert told["files"] == ["fans.md"] and told["dataset_version"] == "v1"
    made(run, tmp_path, "r2", 2)
    assert run(serve, "--instead-of=r1", key="r2", day=2)["before"] == "r1"
    answering(monkeypatch, "pumps.md")
    with pytest.raises(RuntimeError, match=r"was answered from pumps.md, not fans.md. The index of version v1 serves"):
        run(ask, "--by=index", "--before=r1", key="r2", day=2)
    now = serving.current(tmp_path / "index")
    assert now and now.version == "v1"
    with pytest.raises(RuntimeError, match="What serves is not changed"):
        run(ask, "--by=index", "--before=r1", key="r2", day=2)


def test_a_service_that_is_down_fails_the_proof(run: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made(run, tmp_path, "r1", 1)
    run(serve)
    monkeypatch.setenv("DOCUMENTS_URL", "http://127.0.0.1:9")
    with pytest.raises(RuntimeError, match=r"refused.*What serves is not changed"):
        run(ask)


def test_questions_with_a_fault_are_told_with_their_line(run: Program, data: Path, tmp_path: Path):
    made(run, tmp_path, "r1", 1)
    for line, reason in (('{"question": 3}', "question and answer are texts"), ("no", "is not of the form")):
        (data / "questions.jsonl").write_text(f"\n{line}\n")
        with pytest.raises(BadInput, match=rf"questions.jsonl, line 2.*{reason}"):
            run(evaluate)
