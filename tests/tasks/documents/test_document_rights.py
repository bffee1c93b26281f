"""Who may read which file: by rules where there are any, else as the file system would have it; doubt shows nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.documents.rights import ACCESS, ANYBODY, Person, Rights, RightsError

ANNA = Person("anna", frozenset({"board"}), uid=4001, gids=frozenset({500}))
BEN = Person("ben", frozenset({"hr"}), uid=4002, gids=frozenset({600}))
FILES = ("board/plan.md", "hr/pay.md", "leave.md")
RULES = """
- files: board/*
  groups: [board]
- files: "hr/*"
  groups: [hr, board]
"""


@pytest.fixture
def rights(tmp_path: Path) -> Rights:
    for file in FILES:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("text")
        (tmp_path / file).chmod(0o644)
    tmp_path.chmod(0o755)
    return Rights(tmp_path)


def test_without_rules_modes_decide(rights: Rights):
    os.chown(rights.root / "hr/pay.md", 4001, 600)
    (rights.root / "hr/pay.md").chmod(0o640)
    assert rights.readable(ANYBODY, FILES) == {"board/plan.md", "leave.md"}
    assert rights.readable(ANNA, FILES) == set(FILES), "the owner"
    assert rights.readable(BEN, FILES) == set(FILES), "the group"
    (rights.root / "hr/pay.md").chmod(0o044)
    assert "hr/pay.md" not in rights.readable(ANNA, FILES), "an owner without the right, though others have it"


def test_a_folder_that_lets_nobody_through_hides_what_is_in_it(rights: Rights):
    (rights.root / "board").chmod(0o700)
    os.chown(rights.root / "board", 4001, 500)
    assert "board/plan.md" in rights.readable(ANNA, FILES)
    assert rights.readable(BEN, FILES) == {"hr/pay.md", "leave.md"}


def test_the_first_rule_that_fits_decides_and_the_rest_is_the_file_systems(rights: Rights):
    (rights.root / ACCESS).write_text(RULES)
    assert rights.readable(ANYBODY, FILES) == {"leave.md"}
    assert rights.readable(ANNA, FILES) == set(FILES)
    assert rights.readable(BEN, FILES) == {"hr/pay.md", "leave.md"}
    (rights.root / ACCESS).write_text(RULES + "- files: '*'\n  groups: [everybody]\n")
    (rights.root / "leave.md").chmod(0o600)
    assert rights.readable(ANYBODY, FILES) == {"leave.md"}


def test_a_right_that_is_taken_away_counts_at_once(rights: Rights):
    (rights.root / ACCESS).write_text(RULES)
    assert "board/plan.md" in rights.readable(ANNA, FILES)
    (rights.root / ACCESS).write_text(RULES.replace("[board]", "[owners]", 1))
    assert "board/plan.md" not in rights.readable(ANNA, FILES)


def test_what_is_not_known_is_not_shown(rights: Rights):
    (rights.root / "link.md").symlink_to("/etc/passwd")
    (rights.root / "aside").symlink_to("/etc")
    odd = {"gone.md", "link.md", "aside/passwd", "/etc/passwd", "../leave.md", "hr/../leave.md"}
    assert rights.readable(ANNA, odd) == set()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("board: x", "is a list of rules"),
        ("- files: [a", "is no YAML, line"),
        ("- files: board/*", "Rule 1 of access.yaml has files and groups"),
        ("- {files: board/*, groups: board}", "groups of rule 1 of access.yaml is a list of names"),
        ("- {files: '', groups: [board]}", "files of rule 1 of access.yaml is a pattern"),
        ("- {files: a, groups: [b], deny: true}", "and nothing else"),
        ("", "is a list of rules"),
    ],
)
def test_rules_that_cannot_be_understood_show_nothing(rights: Rights, text: str, says: str):
    (rights.root / ACCESS).write_text(text)
    with pytest.raises(RightsError, match=says):
        rights.readable(ANNA, FILES)
