"""Every fault that a flow file can hold is said with its line, those of the published files first."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.retail.dialog.flow_check import FaultyFlowsError, load

ROOT = Path(__file__).resolve().parents[3]
OURS = ROOT / "tasks" / "retail" / "dialog" / "flows"

VOCABULARY = """
intents:
  jarvis_error: {}
  nomatch.none: {label: unknown}
  price_check: {context: check_item_price, label: price_check}
  store_location: {context: find_the_store, label: find_the_store}
slots: [location, item.name]
"""
MAIN = """\
name: main_flow
intent_transitions:
  jarvis_error: idk
  price_check: price
  store_location: store
  nomatch.none: idk
states:
  init:
    type: message_text
    properties: {text: Hello}
    transitions: {next_state: input_intent}
  input_intent:
    type: input_context
  idk:
    type: message_text
    properties: {text: Pardon}
    transitions: {next_state: input_intent}
  price:
    type: change_context
    properties: {update_keys: {intent: check_item_price}}
    transitions: {flow: retail_flow}
  store:
    type: change_context
    properties: {update_keys: {intent: find_the_store}}
    transitions: {flow: retail_flow}
"""
RETAIL = """\
name: retail_flow
start: ask
handles: [find_the_store, check_item_price]
states:
  ask:
    type: input_user
    properties: {entities: {slot: location}}
    transitions: {match: serve, notmatch: check_error}
  check_error:
    type: conditional_exists
    properties: {key: '{{jarvis_error}}'}
    transitions: {exists: ask, notexists: ask}
  serve:
    type: Retail
    transitions: {next_state: tell}
  tell:
    type: message_text
    properties: {text: '{{retail_status}}'}
    transitions: {next_state: wait}
  wait:
    type: input_context
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main_flow.yml").write_text(MAIN)
    (tmp_path / "retail_flow.yml").write_text(RETAIL)
    (tmp_path / "vocabulary.yml").write_text(VOCABULARY)
    return tmp_path


def findings(folder: Path) -> list[str]:
    with pytest.raises(FaultyFlowsError) as error:
        load(folder)
    return [str(finding) for finding in error.value.findings]


def change(folder: Path, name: str, *pairs: tuple[str, str]) -> None:
    path = folder / name
    text = path.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def test_flows_without_a_fault_are_loaded(folder: Path):
    flows = load(folder)
    assert set(flows.by_name) == {"main_flow", "retail_flow"} and flows.main.begins == "init"


def test_the_flows_that_are_delivered_have_no_fault():
    flows = load(OURS)
    assert len(flows.main.intent_transitions) == 20
    assert len(flows.vocabulary.slots) == 26


# Each as in the published files.
def test_a_misspelt_state_is_named_on_both_sides(folder: Path):
    change(folder, "retail_flow.yml", ("  check_error:", "  check_rerail_jarvis_error:"))
    change(folder, "retail_flow.yml", ("notmatch: check_error", "notmatch: check_retail_jarvis_error"))
    assert findings(folder) == [
        "retail_flow.yml:8: The state 'ask' goes to 'check_retail_jarvis_error' (notmatch), and there is no such "
        "state; 'check_rerail_jarvis_error' may be meant.",
        "retail_flow.yml:9: Nothing leads to the state 'check_rerail_jarvis_error'.",
    ]


def test_a_state_id_with_a_space_is_found(folder: Path):
    change(folder, "main_flow.yml", ("  idk:\n", "  dont_get_the intent:\n"), (": idk\n", ": dont_get_the intent\n"))
    assert findings(folder) == [
        "main_flow.yml:14: The state id 'dont_get_the intent' is no single word; a transition written "
        "'dont_get_the_intent' would miss it."
    ]


def test_an_intent_that_leads_nowhere_is_found(folder: Path):
    change(folder, "main_flow.yml", ("store_location: store", "store_location: retail"))
    assert findings(folder) == [
        "main_flow.yml:5: The intent 'store_location' leads to 'retail', and there is no such state.",
        "main_flow.yml:22: Nothing leads to the state 'store'.",
    ]


def test_a_flow_that_does_not_say_where_it_begins_is_found(folder: Path):
    change(folder, "retail_flow.yml", ("start: ask\n", ""))
    assert findings(folder) == [
        "retail_flow.yml:1: The flow 'retail_flow' does not say with which of its 5 states it begins; add start."
    ]


def test_an_intent_sent_to_a_flow_that_does_not_handle_it_is_found(folder: Path):
    change(folder, "retail_flow.yml", ("handles: [find_the_store, check_item_price]", "handles: [find_the_store]"))
    assert findings(folder) == [
        "main_flow.yml:20: The state 'price' sends the intent 'check_item_price' to 'retail_flow', which handles "
        "find_the_store."
    ]
    change(folder, "retail_flow.yml", ("handles: [find_the_store]\n", ""))
    assert all("which does not say what it handles" in finding for finding in findings(folder))


def test_an_intent_that_nobody_handles_is_found(folder: Path):
    change(folder, "main_flow.yml", ("  store_location: store\n", ""))
    assert findings(folder)[0] == "main_flow.yml:2: Nobody handles the intent 'store_location' of vocabulary.yml."


# Others that a hand makes.
@pytest.mark.parametrize(
    ("name", "old", "new", "line", "says"),
    [
        ("main_flow.yml", "price_check: price", "price_chek: price", 4, "'price_chek' is not in vocabulary.yml"),
        ("main_flow.yml", "flow: retail_flow", "flow: retial_flow", 21, "there is no such flow; 'retail_flow' may"),
        (
            "main_flow.yml",
            "text: Pardon",
            "text: 'Pardon {{lokation}}'",
            16,
            "needs 'lokation', which nothing sets; 'loca",
        ),
        (
            "main_flow.yml",
            "type: message_text\n    properties: {text: Pardon",
            "type: mesage_text\n    properties: {text: P",
            15,
            "is of type 'mesage_text', which there is not; 'message_text' may be meant",
        ),
        ("main_flow.yml", "    properties: {text: Pardon}\n", "", 14, "states.idk.properties is missing"),
        (
            "main_flow.yml",
            "    type: message_text\n    properties: {text: Pardon",
            "    properties: {text: Pardon",
            14,
            "states.idk has no type",
        ),
        ("retail_flow.yml", "start: ask", "start: aks", 2, "starts at 'aks', and there is no such state; 'ask' may"),
        (
            "retail_flow.yml",
            "  wait:\n    type: input_context",
            "  wait:\n    type: reset\n    transitions: {next_state: int}",
            22,
            "begins anew at 'int', which 'main_flow' has not; 'init' may be meant",
        ),
        (
            "retail_flow.yml",
            "transitions: {next_state: wait}",
            "transitions: {next_state: tell}",
            16,
            "comes back to itself without asking",
        ),
        (
            "retail_flow.yml",
            "transitions: {next_state: wait}",
            "transitions: {next_state: input_intent}",
            19,
            "there is no such state; 'main_flow' has one, which a change_context reaches",
        ),
        (
            "retail_flow.yml",
            "{entities: {slot: location}}",
            "{entities: {slot: location}, tries: 0}",
            7,
            "greater than or equal",
        ),
        (
            "retail_flow.yml",
            "{entities: {slot: location}}",
            "{entities: {slot: place}}",
            7,
            "needs 'place', which nothing",
        ),
        ("retail_flow.yml", "key: '{{jarvis_error}}'", "key: jarvis_error", 11, "properties.key is 'jarvis_error'"),
        ("retail_flow.yml", "  tell:\n", "  serve:\n", 16, "'serve' stands here for the second time"),
        (
            "retail_flow.yml",
            "name: retail_flow",
            "name: main_flow",
            1,
            "The flow 'main_flow' stands in main_flow.yml already",
        ),
        (
            "retail_flow.yml",
            "handles: [find_the_store, ",
            "handles: [find_the_shop, find_the_store, ",
            3,
            "handles 'find_the_shop', which is no context in vocabulary.yml; 'find_the_store' may be meant",
        ),
        (
            "retail_flow.yml",
            "start: ask\n",
            "start: ask\nintent_transitions: {price_check: ask}\n",
            3,
            "Only 'main_flow' has",
        ),
        ("retail_flow.yml", "states:\n", "states: [\n", 6, "This is no YAML"),
        ("retail_flow.yml", "start: ask\n", "start: ask\nbegin: ask\n", 3, "begin is not a key"),
        (
            "vocabulary.yml",
            "label: find_the_store",
            "label: price_check",
            6,
            "The label 'price_check' stands for 'price_check' and for 'store_location'",
        ),
        ("vocabulary.yml", "slots: [location, item.name]", "slots: []", 7, "slots: "),
    ],
)
def test_each_fault_is_said_with_its_line(folder: Path, name: str, old: str, new: str, line: int, says: str):
    change(folder, name, (old, new))
    found = findings(folder)
    assert any(finding.startswith(f"{name}:{line}: ") and says in finding for finding in found), found


def test_bytes_an_empty_file_and_no_main_flow_are_said(folder: Path):
    (folder / "weather_flow.yml").write_bytes(b"\xff\xfe")
    (folder / "error_flow.yml").write_text("")
    assert findings(folder) == ["error_flow.yml:1: The file is empty.", "weather_flow.yml:1: This is no text in UTF-8."]
    for name in ("weather", "error", "main"):
        (folder / f"{name}_flow.yml").unlink()
    assert findings(folder) == ["main_flow.yml:1: There is no flow 'main_flow', with which every conversation begins."]
    (folder / "vocabulary.yml").unlink()
    assert findings(folder) == ["vocabulary.yml:1: There is no such file."]


def test_the_command_tells_and_fails(tmp_path: Path):
    shutil.copytree(OURS, tmp_path / "flows")
    command = [sys.executable, "-m", "tasks.retail.dialog.flow_check", str(tmp_path / "flows")]
    good = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stdout) == (0, "5 flows with 47 states: no fault.\n")
    (tmp_path / "flows" / "error_flow.yml").unlink()
    bad = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert bad.returncode == 2 and "main_flow.yml:" in bad.stderr and "error_flow" in bad.stderr
