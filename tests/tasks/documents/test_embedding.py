"""Vectors of texts: near where they mean alike, and the same in whichever company they are read."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.documents.embedding import Embedding

TEXTS = ["How many days of leave?", "Leave: thirty days.", "", "Trains. " * 200, "The cat sat on the mat."]


@pytest.fixture(scope="module")
def embedding() -> Embedding:
    return Embedding()


def test_a_text_has_one_vector_in_any_company(embedding: Embedding):
    together = embedding.of(TEXTS * 9)
    np.testing.assert_allclose(
        together[: len(TEXTS)], np.concatenate([embedding.of([text]) for text in TEXTS]), atol=1e-5
    )
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert embedding.of([]).shape == (0, 384)


def test_what_means_alike_is_near(embedding: Embedding):
    question, leave, _, trains, cat = embedding.of(TEXTS)
    assert question @ leave > 0.6 > 0.2 > max(question @ trains, question @ cat)
