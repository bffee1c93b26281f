"""Read a folder of flows, or say every fault in it with file and line.

A flow that is loaded has none of the faults that a conversation would meet: a state, a flow or an intent that is named
but not there, a state that is there and never reached, states that go round without asking anything, a text with a key
that nothing sets, an intent that nobody handles.

    python -m tasks.retail.dialog.flow_check tasks/retail/dialog/flows
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from tasks.retail.dialog import vocabulary
from tasks.retail.dialog.flow_file import (
    MAIN,
    TYPES,
    ChangeContext,
    Flow,
    InputContext,
    InputUser,
    MessageText,
    MessageTextRandom,
    Reset,
    Service,
    State,
    targets,
)
from tasks.retail.dialog.located import Finding, Located, read
from tasks.retail.dialog.vocabulary import FAULT, Vocabulary

FLOWS = Path(__file__).with_name("flows")
"""Those that come with the retail assistant."""
BAD_INPUT = 2
SUFFIX = "_flow.yml"
STATE_ID = re.compile(r"[A-Za-z_][\w.-]*")
KEY = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


class FaultyFlowsError(Exception):
    """Flows that cannot be used; ``findings`` are all of their faults."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


@dataclass(frozen=True)
class Flows:
    """Flows without a fault, by name, and the words they are about."""

    by_name: Mapping[str, Flow]
    vocabulary: Vocabulary

    @property
    def main(self) -> Flow:
        return self.by_name[MAIN]


@dataclass(frozen=True)
class Sheet:
    """One flow and the file it stands in."""

    flow: Flow
    source: Located

    def says(self, sentence: str, *way: str | int) -> Finding:
        return self.source.finding(sentence, *way)


def load(folder: Path) -> Flows:
    """Return the flows of the files ``*_flow.yml`` in ``folder``, with its ``vocabulary.yml``.

    Raises FaultyFlowsError with all faults of all files.
    """
    words = vocabulary.load(folder / vocabulary.FILE)
    if isinstance(words, list):
        raise FaultyFlowsError(words)
    findings: list[Finding] = []
    sheets: dict[str, Sheet] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        sheet = _sheet(path)
        if isinstance(sheet, list):
            findings += sheet
        elif sheet.flow.name in sheets:
            other = sheets[sheet.flow.name].source.file
            findings.append(sheet.says(f"The flow '{sheet.flow.name}' stands in {other} already.", "name"))
        else:
            sheets[sheet.flow.name] = sheet
    if not findings and MAIN not in sheets:
        findings.append(
            Finding(f"main{SUFFIX}", 1, f"There is no flow '{MAIN}', with which every conversation begins.")
        )
    # What a file that cannot be read holds is unknown, so nothing is said of what others want of it.
    if not findings:
        findings = sorted(set(_faults(sheets, words)), key=lambda finding: (finding.file, finding.line, finding.says))
    if findings:
        raise FaultyFlowsError(findings)
    return Flows(MappingProxyType({name: sheet.flow for name, sheet in sheets.items()}), words)


def _sheet(path: Path) -> Sheet | list[Finding]:
    source = read(path)
    if isinstance(source, list):
        return source
    if not isinstance(source.values, dict):
        return [source.finding("A flow is a mapping with name and states.")]
    try:
        return Sheet(Flow.model_validate(source.values), source)
    except ValidationError as error:
        return [_schema_finding(source, dict(found)) for found in error.errors()]


def _schema_finding(source: Located, found: dict[str, object]) -> Finding:
    # Pydantic puts the type of a state into the way to its fault; the file has no such key.
    way = [step for step in found["loc"] if step not in TYPES]  # type: ignore[attr-defined]
    where = ".".join(map(str, way)) or "the flow"
    given = found.get("input")
    if found["type"] == "union_tag_invalid":
        kind = str(given.get("type")) if isinstance(given, dict) else str(given)
        return source.finding(f"{where} is of type '{kind}', which there is not{_meant(kind, TYPES)}.", *way, "type")
    if found["type"] == "union_tag_not_found":
        return source.finding(f"{where} has no type; it is one of {', '.join(TYPES)}.", *way)
    if found["type"] == "missing":
        return source.finding(f"{where} is missing.", *way)
    if found["type"] == "extra_forbidden":
        return source.finding(f"{where} is not a key of this kind of state or flow.", *way)
    return source.finding(f"{where} is {given!r}: {str(found['msg'])[:1].lower()}{str(found['msg'])[1:]}.", *way)


def _faults(sheets: Mapping[str, Sheet], words: Vocabulary) -> Iterator[Finding]:
    known = _known_keys(sheets, words)
    for sheet in sheets.values():
        yield from _faults_of_ids(sheet)
        yield from _faults_of_transitions(sheet, sheets)
        yield from _faults_of_texts(sheet, known)
        yield from _rounds(sheet)
        if not sheet.flow.is_main and sheet.flow.intent_transitions:
            yield sheet.says(f"Only '{MAIN}' has intent_transitions.", "intent_transitions")
    yield from _faults_of_starts(sheets)
    yield from _faults_of_intents(sheets, words)
    yield from _never_reached(sheets)


def _faults_of_ids(sheet: Sheet) -> Iterator[Finding]:
    for state in sheet.flow.states:
        if not STATE_ID.fullmatch(state):
            better = re.sub(r"\W+", "_", state).strip("_")
            yield sheet.says(
                f"The state id '{state}' is no single word; a transition written '{better}' would miss it.",
                "states",
                state,
            )


def _faults_of_transitions(sheet: Sheet, sheets: Mapping[str, Sheet]) -> Iterator[Finding]:
    main = sheets[MAIN].flow
    for name, state in sheet.flow.states.items():
        way = ("states", name, "transitions")
        for transition, target in targets(state).items():
            if target not in sheet.flow.states:
                elsewhere = [other for other, at in sheets.items() if target in at.flow.states]
                hint = (
                    f"; '{elsewhere[0]}' has one, which a change_context reaches"
                    if elsewhere
                    else _meant(target, sheet.flow.states)
                )
                yield sheet.says(
                    f"The state '{name}' goes to '{target}' ({transition}), and there is no such state{hint}.",
                    *way,
                    transition,
                )
        if isinstance(state, Reset) and state.transitions.next_state not in main.states:
            target = state.transitions.next_state
            yield sheet.says(
                f"The state '{name}' begins anew at '{target}', which '{MAIN}' has not{_meant(target, main.states)}.",
                *way,
                "next_state",
            )
        if isinstance(state, ChangeContext) and state.transitions.flow not in sheets:
            flow = state.transitions.flow
            yield sheet.says(
                f"The state '{name}' changes to the flow '{flow}', and there is no such flow{_meant(flow, sheets)}.",
                *way,
                "flow",
            )


def _faults_of_starts(sheets: Mapping[str, Sheet]) -> Iterator[Finding]:
    for sheet in sheets.values():
        flow = sheet.flow
        if flow.start is not None and flow.start not in flow.states:
            yield sheet.says(
                f"The flow '{flow.name}' starts at '{flow.start}', and there is no such state"
                f"{_meant(flow.start, flow.states)}.",
                "start",
            )
        elif flow.begins is None:
            yield sheet.says(
                f"The flow '{flow.name}' does not say with which of its {len(flow.states)} states it begins; add start."
            )


def _faults_of_intents(sheets: Mapping[str, Sheet], words: Vocabulary) -> Iterator[Finding]:
    main = sheets[MAIN]
    table = main.flow.intent_transitions
    if not table:
        yield main.says(f"'{MAIN}' has no intent_transitions, so that nothing a person says leads anywhere.")
        return
    for intent, target in table.items():
        if intent not in words.intents:
            yield main.says(
                f"The intent '{intent}' is not in {vocabulary.FILE}, so that nothing means it"
                f"{_meant(intent, words.intents)}.",
                "intent_transitions",
                intent,
            )
        if target not in main.flow.states:
            yield main.says(
                f"The intent '{intent}' leads to '{target}', and there is no such state"
                f"{_meant(target, main.flow.states)}.",
                "intent_transitions",
                intent,
            )
    for intent in words.intents:
        if intent not in table:
            yield main.says(f"Nobody handles the intent '{intent}' of {vocabulary.FILE}.", "intent_transitions")
    for sheet in sheets.values():
        for name, state in sheet.flow.states.items():
            if not isinstance(state, ChangeContext) or state.transitions.flow not in sheets:
                continue
            other = sheets[state.transitions.flow].flow
            sent = (state.properties.update_keys if state.properties else {}).get("intent")
            if sent and not other.is_main and sent not in other.handles:
                handled = f"handles {', '.join(other.handles)}" if other.handles else "does not say what it handles"
                yield sheet.says(
                    f"The state '{name}' sends the intent '{sent}' to '{other.name}', which {handled}.",
                    *("states", name, "properties", "update_keys", "intent"),
                )
        for place, intent in enumerate(sheet.flow.handles):
            if intent not in words.contexts:
                yield sheet.says(
                    f"The flow '{sheet.flow.name}' handles '{intent}', which is no context in {vocabulary.FILE}"
                    f"{_meant(intent, words.contexts)}.",
                    "handles",
                    place,
                )


def _known_keys(sheets: Mapping[str, Sheet], words: Vocabulary) -> set[str]:
    """Return the keys that something sets: slots of the model, services, and what states remember."""
    known = {"intent", FAULT, *words.slots}
    for sheet in sheets.values():
        for state in sheet.flow.states.values():
            if isinstance(state, Service):
                known.add(state.status_key)
            elif isinstance(state, ChangeContext) and state.properties:
                known |= set(state.properties.update_keys)
    return known


def _faults_of_texts(sheet: Sheet, known: Collection[str]) -> Iterator[Finding]:
    for name, state in sheet.flow.states.items():
        way: tuple[str, ...] = ("states", name, "properties")
        texts: list[tuple[tuple[str | int, ...], str]] = []
        if isinstance(state, MessageText):
            texts = [((*way, "text"), state.properties.text)]
        elif isinstance(state, MessageTextRandom):
            texts = [((*way, "responses", n), text) for n, text in enumerate(state.properties.responses)]
        elif isinstance(state, InputUser):
            texts = [((*way, "entities", "slot"), f"{{{{{state.properties.entities.slot}}}}}")]
        elif state.type == "conditional_exists":
            texts = [((*way, "key"), state.properties.key)]
        for at, text in texts:
            for key in KEY.findall(text):
                if key not in known:
                    yield sheet.says(f"The state '{name}' needs '{key}', which nothing sets{_meant(key, known)}.", *at)


def _rounds(sheet: Sheet) -> Iterator[Finding]:
    """Find states that lead back to themselves without waiting for a person on the way."""
    states = sheet.flow.states
    silent = {name: state for name, state in states.items() if not isinstance(state, InputUser | InputContext)}
    told: set[str] = set()
    for first in silent:
        seen: set[str] = set()
        ahead = [target for target in targets(states[first]).values() if target in silent]
        while ahead and first not in told:
            at = ahead.pop()
            if at == first:
                told |= seen | {first}
                yield sheet.says(
                    f"The state '{first}' comes back to itself without asking anything in between.", "states", first
                )
            elif at not in seen:
                seen.add(at)
                ahead += [target for target in targets(states[at]).values() if target in silent]


def _never_reached(sheets: Mapping[str, Sheet]) -> Iterator[Finding]:
    main = sheets[MAIN].flow
    ahead = [(MAIN, main.begins)] if main.begins else []
    ahead += [(MAIN, target) for target in main.intent_transitions.values()]
    for sheet in sheets.values():
        for state in sheet.flow.states.values():
            if isinstance(state, Reset):
                ahead.append((MAIN, state.transitions.next_state))
            elif isinstance(state, ChangeContext) and state.transitions.flow in sheets:
                flow = sheets[state.transitions.flow].flow
                # Where a flow begins that does not say it is a fault of its own, not one of each of its states.
                ahead += [(flow.name, at) for at in ([flow.begins] if flow.begins in flow.states else flow.states)]
    reached: set[tuple[str, str]] = set()
    while ahead:
        flow_name, at = ahead.pop()
        state_at: State | None = sheets[flow_name].flow.states.get(at) if at else None
        if at is None or state_at is None or (flow_name, at) in reached:
            continue
        reached.add((flow_name, at))
        ahead += [(flow_name, target) for target in targets(state_at).values()]
    for sheet in sheets.values():
        for name in sheet.flow.states:
            if (sheet.flow.name, name) not in reached:
                yield sheet.says(f"Nothing leads to the state '{name}'.", "states", name)


def _meant(word: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; '{close[0]}' may be meant" if close else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the files *_flow.yml and vocabulary.yml")
    folder = parser.parse_args().folder
    if not folder.is_dir():
        print(f"There is no folder {folder}.", file=sys.stderr)
        return BAD_INPUT
    try:
        flows = load(folder)
    except FaultyFlowsError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    print(
        f"{len(flows.by_name)} flows with {sum(len(flow.states) for flow in flows.by_name.values())} states: no fault."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
