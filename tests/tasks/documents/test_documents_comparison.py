"""Fine-tune, retrieve or both: what is learned and asked, the tuning, the ways, and the table with its sentences."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tasks.common.metrics import Floats
from tasks.common.program import BadInput, exit_code
from tasks.common.result import LIMIT_BYTES
from tasks.documents import layout, serving
from tasks.documents.build import said
from tasks.documents.comparison import compare, table, tune, ways
from tasks.documents.comparison.configs import configuration
from tasks.documents.comparison.material import Material, divided
from tasks.documents.comparison.measured import Measured, changing, gains, measure
from tasks.documents.comparison.tuning import Tuning, write
from tasks.documents.convert import Document, Section
from tasks.documents.corpus import documents, questions
from tasks.documents.embedding import Embedding
from tasks.documents.index import Building, Passage
from tasks.documents.questions import Question
from tasks.documents.split import passages
from tests.tasks.run_files import RUN

SEED = 1


@pytest.fixture(scope="module")
def corpus() -> list[Passage]:
    """The passages of some of the made company's documents, without their files."""
    found = list[Passage]()
    for each in documents(1):
        if each.path.startswith(("products/nx-5", "products/nx-6", "products/nx-7", "hr/")):
            continue
        sections = tuple(Section(f"heading {heading}", "\n\n".join(texts)) for heading, texts in each.parts)
        found += passages(Document("md", each.title, sections), each.path, "d", each.title)
    return found


@pytest.fixture(scope="module")
def material(corpus: list[Passage]) -> Material:
    return divided(corpus, SEED, 0.2, 40)


@pytest.fixture(scope="module")
def index(corpus: list[Passage], encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The volume of an index that serves version v1, frozen by run r1."""
    volume = tmp_path_factory.mktemp("volume")
    building = Building(layout.frozen(volume, "mlops_r1"), "made")
    building.replace(corpus, Embedding(encoder).of([said(each) for each in corpus]))
    building.finish({})
    at = datetime(2026, 11, 1, tzinfo=UTC)
    serving.serve(volume, serving.Served("r1", "mlops_r1", "v1", at, at), instead_of=None)
    return volume


def test_nothing_that_comes_later_is_learned_and_nothing_that_is_asked(material: Material):
    texts = {material.passages[place].text for _, place in material.examples}
    learned = {each.text for each in material.passages if each.file in material.learned}
    assert texts <= learned
    assert not {question.passage for question in material.later} & learned
    assert {question.passage for question in material.known} <= learned
    assert not {question.text for question in (*material.known, *material.later)} & {t for t, _ in material.examples}
    files = {each.file for each in material.passages}
    assert 0.6 < len(material.learned) / len(files) < 0.95
    for text, place in material.examples:
        assert all(word in material.passages[place].text for word in text.split())


def test_the_same_seed_divides_alike_and_copies_stay_together(corpus: list[Passage], material: Material):
    assert divided(corpus[::-1], SEED, 0.2, 40).digest == material.digest != divided(corpus, 2, 0.2, 40).digest
    copies = [Passage(f"copy/{e.file}", e.digest, e.kind, e.title, e.place, e.position, e.text) for e in corpus]
    twice = divided([*corpus, *copies], SEED, 0.2, 40)
    assert {file for file in twice.learned if not file.startswith("copy/")} == material.learned
    assert {file.removeprefix("copy/") for file in twice.learned} == material.learned


def test_own_questions_are_asked_of_the_side_where_their_file_is(corpus: list[Passage], material: Material):
    later = next(each.file for each in corpus if each.file not in material.learned)
    own = [Question("One?", frozenset({later})), Question("Two?", material.learned)]
    own += [Question("None?"), Question("Kept out?", frozenset({"no/such.md"}))]
    found = divided(corpus, SEED, 0.2, 40, own)
    assert own[0] in found.later and own[1] in found.known
    assert not {own[2], own[3]} & {*found.later, *found.known}
    assert list(found.examples) == list(material.examples)


@pytest.mark.parametrize(
    ("share", "most", "count", "reason"),
    [
        (0.0, 40, None, "--later-share is 0; it must be between 0 and 1"),
        (0.2, 2, None, "--questions is 2; ask at least 5"),
        (0.2, 40, 3, r"\d questions can be asked of (known|later) documents, and a comparison needs 5"),
    ],
)
def test_what_leaves_too_little_to_compare_is_one_sentence(
    corpus: list[Passage], share: float, most: int, count: int | None, reason: str
):
    with pytest.raises(BadInput, match=reason):
        divided(corpus[:count], SEED, share, most)


def tuning(material: Material, encoder: Path, folder: Path, **changes: Any) -> Tuning:
    chosen = configuration("small", **{"epochs": 2, "learning_rate": 1e-2, **changes})
    return Tuning(material, encoder, chosen, SEED, "one", folder / "checkpoint.pt")


def test_a_tuning_that_is_stopped_goes_on_to_the_same_weights(
    material: Material, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = tuning(material, encoder, tmp_path / "whole").run(lambda *_: None)
    steps = 0
    step = Tuning._step

    def stopping(self: Tuning, *arguments: Any) -> None:
        nonlocal steps
        step(self, *arguments)
        steps += 1
        if steps == 7:
            os.kill(os.getpid(), 15)

    monkeypatch.setattr(Tuning, "_step", stopping)
    code = exit_code(lambda: tuning(material, encoder, tmp_path / "cut").run(lambda *_: None) and None)
    assert code == 143 and steps == 7
    again = tuning(material, encoder, tmp_path / "cut").run(lambda *_: None)
    for name, weights in whole.network.state_dict().items():
        assert torch.equal(weights, again.network.state_dict()[name]), name
    assert again.seconds > 0 and again.history[-1]["train_loss"] < again.history[0]["train_loss"]


def test_only_the_upper_layers_change_and_the_folder_is_an_encoder(material: Material, encoder: Path, tmp_path: Path):
    state = tuning(material, encoder, tmp_path, epochs=1, layers=1).run(lambda *_: None)
    write(state.network, encoder, tmp_path / "encoder")
    before, after = (load_file(folder / "model.safetensors") for folder in (encoder, tmp_path / "encoder"))
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("encoder.layer.0.") for name in changed)
    assert Embedding(tmp_path / "encoder").of(["a question"]).shape == (1, 32)


class Apart:
    """In place of an encoder: every text has a vector of its own, far from all others."""

    def of(self, texts: Sequence[str]) -> Floats:
        drawn = [np.random.default_rng(list(text.encode())).normal(size=384) for text in texts]
        return np.stack([each / np.linalg.norm(each) for each in drawn]).astype(np.float32)


def test_what_is_known_by_heart_is_what_was_learned(material: Material):
    by_heart = ways.ByHeart(cast(Embedding, Apart()), material, SEED)
    learned = {each.text for each in material.passages if each.file in material.learned}
    found = [by_heart.find(question.text) for question in material.later]
    assert {each.text for near in found for each in near} <= learned and {len(near) for near in found} == {ways.FOUND}
    files = changing(material)
    told = {
        text: {material.passages[p].text for t, p in material.examples if t == text} for text, _ in material.examples
    }
    asked = {text: material.passages[place] for text, place in material.examples if len(told[text]) == 1}
    right = [by_heart.find(text)[0].text == passage.text for text, passage in asked.items()]
    assert np.mean(right) > 0.9
    by_heart.change(ways.changed(material.passages, files))
    now = {by_heart.find(text)[0].text for text, passage in asked.items() if passage.file in files}
    assert now and all(text.endswith(ways.NEW_SENTENCE) for text in now)


@pytest.mark.parametrize("words", [True, False])
def test_a_way_that_retrieves_finds_what_has_changed(material: Material, encoder: Path, tmp_path: Path, words: bool):
    embedding = Embedding(encoder)
    vectors = embedding.of([said(each) for each in material.passages])
    way: Any = (
        ways.ByWordsToo(embedding, material.passages, vectors, tmp_path)
        if words
        else ways.ByMeaning(embedding, material.passages, vectors)
    )
    before = way.bytes()
    (new, *_) = ways.changed(material.passages, changing(material))
    assert new not in way.find(said(new))
    way.change([new])
    assert way.find(said(new))[0] == new and way.bytes() > before


def test_a_way_is_measured_on_every_question_and_cost_is_seconds_times_the_price(material: Material):
    class Knowing:
        """Answers what is known in the second place, and nothing else."""

        def find(self, question: str) -> list[Passage]:
            right = [each.passage for each in material.known if each.text == question]
            return [material.passages[0], *(e for e in material.passages if e.text in right)]

        def change(self, changed: Any) -> None:
            assert {each.file for each in changed} == changing(material)

        def bytes(self) -> int:
            return 500_000

    told = measure("knowing", material, 7200.0, Knowing, 1_500_000).figures(price=3.0)
    assert told["known"] == 1.0 and told["later"] == 0.0 and told["mrr_known"] >= 0.5
    assert told["mb"] == 2.0 and told["ready_s"] == pytest.approx(7200, abs=5)
    assert told["cost_ready"] == pytest.approx(told["ready_s"] * 3 / 3600)
    assert 0 <= told["p50_ms"] <= told["p95_ms"]


def of(known: list[float], later: list[float]) -> Measured:
    rank = np.array([*known, *later])
    found = {"mrr": rank, "recall_at_5": rank}
    return Measured(found, np.arange(len(rank)) >= len(known), 1.0, np.ones(len(rank)), 1.0, 1)


@pytest.mark.parametrize(
    ("new", "choice"),
    [(of([1.0] * 20, [1.0] * 20), "tune and retrieve"), (of([1.0] * 20, [0.5] * 20), "retrieve")],
)
def test_the_tuned_encoder_is_advised_only_where_it_is_better_for_both_kinds(new: Measured, choice: str):
    gained = gains(new, of([0.5] * 20, [0.5] * 20), 0.95)
    told = table.verdict({"both-retrieval": gained})
    assert told["decision"] == choice and "known +0.500" in told["reason"]


@pytest.fixture
def run(index: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Runs a program as the DAG does; the base is the small ``encoder``."""
    data = tmp_path / "workspace" / "data"
    data.mkdir(parents=True)
    (data / "questions.jsonl").write_text("".join(f"{json.dumps(told)}\n" for told in questions(1)))
    before = torch.are_deterministic_algorithms_enabled()

    def run_it(module: Any, *flags: str, version: str = "v1") -> dict[str, Any]:
        record = {**RUN, "dataset_version": {**RUN["dataset_version"], "id": version}, "parameters": {"questions": 30}}
        folders = {"workspace": str(tmp_path / "workspace"), "index": str(index)}
        facts = {"schema": 1, "run": record, "step": "tune", "data": str(data), "folders": folders}
        (tmp_path / "run.json").write_text(json.dumps(facts))
        monkeypatch.setenv("RUN_FILE", str(tmp_path / "run.json"))
        monkeypatch.setattr("sys.argv", ["program", f"--encoder={encoder}", "--threads=1", *flags])
        return dict(module.main())

    yield run_it
    torch.use_deterministic_algorithms(before)


def test_the_programs_make_one_table_of_one_version(run: Callable[..., dict[str, Any]], tmp_path: Path):
    with pytest.raises(BadInput, match=r"holds no tuned encoder; run tasks.documents.comparison.tune first"):
        run(compare)
    assert run(tune, "--epochs=1")["examples"] > 50
    with pytest.raises(BadInput, match="was tuned on another index, seed, share"):
        run(compare, "--seed=2")
    with pytest.raises(BadInput, match="cannot be below 0"):
        run(compare, "--price-per-hour=-1")
    told = run(compare, "--price-per-hour=2")
    assert list(told["metrics"]) == list(table.WAYS) and told["pictures"] == ["comparison.png"]
    assert told["metrics"]["answers"]["later"] == 0.0 < told["metrics"]["retrieval"]["later"]
    assert told["questions"]["known"] > 30, "the made ones, and a user's own"
    assert len(json.dumps(told).encode()) < LIMIT_BYTES - 500, "room for the run's identity in MLflow"
    folder = tmp_path / "workspace" / ".mlops" / "run"
    text = (folder / "comparison.md").read_text()
    assert all(title in text for title in table.WAYS.values()) and "an hour costs 2" in text
    assert "data:image/png;base64," in (folder / "comparison.html").read_text()


def test_a_version_without_an_index_is_one_sentence(run: Callable[..., dict[str, Any]]):
    with pytest.raises(BadInput, match="No index is known of version v9 of the documents: run the DAG documents"):
        run(tune, version="v9")
