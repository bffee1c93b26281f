"""What the pages promise is there: links, make targets, settings."""

import re
from pathlib import Path

import pytest

from scripts.embedded import ports
from scripts.help import targets

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "tasks" / "README.md"])


# Of a page's DAG: what a reader copies into a file of his own.
PIECES = [
    pytest.param(text, id=f"{page.name}:{number}")
    for page in sorted((ROOT / "docs").glob("*.md"))
    for number, text in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL))
    if re.search(r"\w(Operator|Sensor)\(", text)
]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_link_to_a_file_leads_somewhere(page: Path):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)[^)]*\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_command_named_is_a_target(page: Path):
    known = targets((ROOT / "Makefile").read_text())
    fenced = "\n".join(re.findall(r"^```bash\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL))
    named = re.findall(r"`make ([a-z][a-z-]*)", page.read_text()) + re.findall(r"\bmake ([a-z][a-z-]*)", fenced)
    assert sorted(set(named) - set(known)) == []


def test_the_example_settings_are_those_that_hold_without_the_file():
    pairs = dict(re.findall(r"^([A-Z_0-9]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    in_example = {
        name.removeprefix("ONTAP_MLOPS_PORT_").lower(): value for name, value in pairs.items() if "_PORT_" in name
    }
    assert in_example == {name: str(port) for name, port in ports.USUAL.items()}


def test_every_example_setting_has_a_sentence():
    blocks = (ROOT / ".env.example").read_text().strip().split("\n\n")[1:]
    assert [block for block in blocks if not block.startswith("# ")] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("0*.md")), ids=lambda page: page.stem)
def test_every_decision_has_a_question_a_choice_and_more_to_say_about_it(page: Path):
    text = page.read_text()
    assert re.match(rf"# {int(page.stem[:4])}\. \S", text), "its number and what was decided"
    parts = dict(re.findall(r"^\*\*(\w+(?: \w+)*)\.\*\* (.+?)(?=^\*\*|\Z)", text, re.MULTILINE | re.DOTALL))
    assert {"Question", "Choice"} < parts.keys(), "and what follows, or what else was looked at"
    assert [name for name, said in parts.items() if len(said.split()) < 5] == []


def test_no_page_names_this_machine_or_a_registry():
    # Containers of ours have these three folders below /opt.
    words = re.compile(
        r"/work/|/root/|/opt/(?!airflow|ontap-mlops|programs)|pypi\.org|files\.pythonhosted|localhost:\d{4}/simple"
    )
    assert [(relative(page), found) for page in PAGES if (found := words.findall(page.read_text()))] == []


def test_every_fault_of_the_table_names_tests_that_there_are():
    rows = [line for line in (ROOT / "docs" / "faults.md").read_text().splitlines() if line.startswith("| ")]
    rows = [row for row in rows if not row.startswith(("| ---", "| What goes wrong"))]
    assert len(rows) >= 61
    source = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^(?:async )?def (test_\w+)", source, re.MULTILINE))
    named = {row: re.findall(r"`(\w+)`", row.split("|")[3]) for row in rows}
    assert [row for row, tests in named.items() if not tests or set(tests) - there] == []


@pytest.mark.parametrize("text", PIECES)
def test_every_piece_of_a_dag_can_be_copied_as_it_stands(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from airflow.sdk import DAG

    (tmp_path / "compute.yaml").write_text("places: {local: {kind: local}, slurm: {kind: local}}")
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    with DAG("copied", schedule=None) as copied:
        exec(compile(text, "the page", "exec"), {"__name__": "copied"})
    assert copied.tasks or "with DAG(" in text
