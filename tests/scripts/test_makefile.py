import re
import subprocess
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("folder", ["my tyres", 'the "best" ones', "it's $(id) `id`; id", "100% #1 é"])
def test_a_value_reaches_the_program_as_it_was_given(folder: str):
    """With `echo` in place of the program; make doubles a dollar that is meant."""
    given = {"IMAGES": folder, "NAME": folder, "DATASET": folder, "RUN": folder}
    values = [f"{name}={value.replace('$', '$$')}" for name, value in given.items()]
    for target, flag in {"demo": "--images ", "versions": "--dataset ", "new-system": "", "rerun": ""}.items():
        said = subprocess.run(["make", "-C", ROOT, target, "PROGRAM=@echo", *values], capture_output=True, text=True)
        assert f"{flag}{folder}\n" in said.stdout.replace(" \n", "\n"), said
