import re
from pathlib import Path

from scripts.help import targets

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()


def test_every_target_has_a_sentence():
    named = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
    assert named == set(targets(MAKEFILE))


def test_every_target_is_declared_phony():
    phony = re.search(r"^\.PHONY: ((?:.+\\\n)*.+)$", MAKEFILE, re.MULTILINE)
    assert phony and set(phony[1].replace("\\", "").split()) == set(targets(MAKEFILE))


def test_a_sentence_ends_with_a_full_stop():
    assert [name for name, sentence in targets(MAKEFILE).items() if not sentence.endswith(".")] == []
