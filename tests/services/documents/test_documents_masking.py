"""What the service hides is what the scan of documents finds, of the kinds that the guardrails name."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.documents.guard import Guardrails, GuardrailsError, without_secrets
from services.documents.serve import masking

TEXT = "Martha Lindgren answers at martha@lindgren.example.com; the leave is thirty days."


def test_kinds_that_are_named_are_hidden_and_nothing_else():
    mask = masking(["communication"])
    assert mask("Write to anna.berg@gmail.com for thirty days of leave.") == (
        "Write to [communication data] for thirty days of leave."
    )
    assert mask("") == "" and masking([])(TEXT) == TEXT


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("my password: Hunter2!", "my password: [secret]"),
        ("the token is abc-123-def, ok", "the token is [secret] ok"),
        ("key sk-abcdefghijklmnop1234", "key [secret]"),
        ("How long must my password be?", "How long must my password be?"),
        ("Which token do visitors get?", "Which token do visitors get?"),
    ],
)
def test_secrets_are_hidden_and_questions_about_them_are_not(text: str, hidden: str):
    assert without_secrets(text) == hidden


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("topics: [{name: x}]", "topics.0.says: Field required"),
        ("mask: [shoes]", "mask.0: Input should be"),
        ("rules: []", "rules: Extra inputs"),
        ("{", "cannot be read"),
    ],
)
def test_a_guardrails_file_with_a_fault_is_refused_with_where_it_is(tmp_path: Path, text: str, says: str):
    (tmp_path / "guardrails.yaml").write_text(text)
    with pytest.raises(GuardrailsError, match=says):
        Guardrails.of(tmp_path / "guardrails.yaml")
