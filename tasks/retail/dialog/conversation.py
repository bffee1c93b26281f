"""One conversation: where in the flows it stands, what it knows, and what is said next.

A conversation is a value. Each turn gives a new one, which whoever serves it stores before the answer is sent: a
process that is killed loses no turn, and a turn that failed has changed nothing.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from tasks.retail.dialog.flow_check import KEY, Flows
from tasks.retail.dialog.flow_file import (
    MAIN,
    ChangeContext,
    ConditionalExists,
    InputContext,
    InputUser,
    MessageText,
    MessageTextRandom,
    Reset,
    Service,
    State,
)
from tasks.retail.dialog.vocabulary import FAULT, NO_MATCH

LONGEST_TEXT = 1000
"""Characters of what a person says in one turn."""
MOST_STATES = 1000
"""Of one turn. Flows that were checked end long before; those of another version of the files might not."""

TOO_LONG = "That was {length:,} characters, and I can read up to {most:,}. Please say it in fewer words."
NOTHING_SAID = "I did not get any words. Please say that again."
GIVEN_UP = "I still do not know the {slot}, so let us start over."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Understood:
    """What a model found in a text: an intent of the vocabulary, and the words of each slot."""

    intent: str
    slots: Mapping[str, str] = field(default_factory=dict)


class UnderstandingError(Exception):
    """The model gave no answer; the message is for the log."""


class ServiceError(Exception):
    """A service gave no answer; the message is one sentence that a person may be told."""


class Understanding(Protocol):
    async def understand(self, text: str) -> Understood:
        """Return what ``text`` means. Raises UnderstandingError."""
        ...


class Fulfilment(Protocol):
    async def fulfil(self, service: str, keys: Mapping[str, str]) -> str:
        """Return what the service ``Retail`` or ``Weather`` says about ``keys['intent']``, as a sentence.

        Raises ServiceError.
        """
        ...


@dataclass(frozen=True)
class Say:
    """One thing said to a person: a text, not HTML, after ``delay`` seconds."""

    text: str
    delay: float = 0


@dataclass(frozen=True)
class Conversation:
    """Where it stands (a state that waits for a person), what it knows, and how often the same thing was asked."""

    flow: str
    state: str
    keys: Mapping[str, str] = field(default_factory=dict)
    tries: int = 0


@dataclass(frozen=True)
class Turn:
    says: Sequence[Say]
    conversation: Conversation
    understood: Understood | None = None
    """None where nothing was asked of the model, or it gave no answer."""


class UnknownPlaceError(Exception):
    """A stored conversation stands at a state that these flows have not; the message names it."""


class Dialog:
    """Holds conversations by ``flows``; knows nothing of who holds them."""

    def __init__(
        self,
        flows: Flows,
        understanding: Understanding,
        fulfilment: Fulfilment,
        choose: Callable[[Sequence[str]], str] = random.choice,
    ) -> None:
        self._flows = flows
        self._understanding = understanding
        self._fulfilment = fulfilment
        self._choose = choose

    async def begin(self) -> Turn:
        """Return the first words, and a new conversation."""
        return await self._on([], Conversation(MAIN, self._flows.main.begins or ""))

    async def hear(self, conversation: Conversation, text: str) -> Turn:
        """Return what follows ``text``.

        A text that is empty or too long gets a sentence and changes nothing. Raises UnknownPlaceError.
        """
        state = self._state(conversation)
        if not text.strip():
            return Turn([Say(NOTHING_SAID)], conversation)
        if len(text) > LONGEST_TEXT:
            return Turn([Say(TOO_LONG.format(length=len(text), most=LONGEST_TEXT))], conversation)
        understood = None
        try:
            understood = await self._understanding.understand(text)
        except UnderstandingError as error:
            log.warning("The model did not answer: %s", error)
        words = self._flows.vocabulary
        # A new wish forgets what only the last one was about.
        over = {FAULT} if isinstance(state, InputUser) else {FAULT, *words.slots} - set(words.lasting)
        keys = {key: value for key, value in conversation.keys.items() if key not in over}
        keys |= dict(understood.slots) if understood else {FAULT: "model"}
        if isinstance(state, InputUser):
            says, onward = self._answered(replace(conversation, keys=keys), state, text)
        else:
            says, onward = [], self._wished(replace(conversation, keys=keys), understood)
        turn = await self._on(says, onward)
        return replace(turn, understood=understood)

    def _wished(self, conversation: Conversation, understood: Understood | None) -> Conversation:
        table = self._flows.main.intent_transitions
        intent = understood.intent if understood else FAULT
        # A model that was trained on more than these flows handle says words of its own.
        target = table.get(intent) or table[NO_MATCH]
        return Conversation(MAIN, target, {**conversation.keys, "intent": intent})

    def _answered(self, conversation: Conversation, state: InputUser, text: str) -> tuple[list[Say], Conversation]:
        slot = state.properties.entities.slot
        keys = dict(conversation.keys)
        if slot not in keys and not state.properties.require_match and FAULT not in keys:
            keys[slot] = text.strip()
        if slot in keys:
            return [], replace(conversation, state=state.transitions.match, keys=keys, tries=0)
        tries = conversation.tries + 1
        if tries < state.properties.tries:
            return [], replace(conversation, state=state.transitions.notmatch, tries=tries)
        if state.transitions.exhausted:
            return [], replace(conversation, state=state.transitions.exhausted, tries=0)
        return [Say(GIVEN_UP.format(slot=slot.replace(".", " ")))], Conversation(MAIN, self._flows.main.begins or "")

    async def _on(self, says: Sequence[Say], conversation: Conversation) -> Turn:
        """Go from state to state until one waits for a person."""
        said = list(says)
        for _ in range(MOST_STATES):
            state = self._state(conversation)
            if isinstance(state, InputContext | InputUser):
                return Turn(said, conversation)
            spoken, conversation = await self._enter(state, conversation)
            said += spoken
        raise UnknownPlaceError(f"The flow '{conversation.flow}' asks nothing any more at '{conversation.state}'.")

    async def _enter(self, state: State, at: Conversation) -> tuple[list[Say], Conversation]:
        match state:
            case MessageText():
                text = _filled(state.properties.text, at.keys)
                return [Say(text)], replace(at, state=state.transitions.next_state)
            case MessageTextRandom():
                text = _filled(self._choose(state.properties.responses), at.keys)
                return [Say(text, state.properties.delay)], replace(at, state=state.transitions.next_state)
            case ConditionalExists():
                (key,) = KEY.findall(state.properties.key)
                way = state.transitions
                return [], replace(at, state=way.exists if at.keys.get(key) else way.notexists)
            case ChangeContext():
                flow = self._flows.by_name[state.transitions.flow]
                keys = {**at.keys, **(state.properties.update_keys if state.properties else {})}
                return [], Conversation(flow.name, flow.begins or "", keys)
            case Service():
                return [], replace(at, state=state.transitions.next_state, keys=await self._served(state, at.keys))
            case Reset():
                return [], Conversation(MAIN, state.transitions.next_state)
            case _:
                raise UnknownPlaceError(f"The state '{at.state}' of '{at.flow}' waits for a person.")

    async def _served(self, state: Service, keys: Mapping[str, str]) -> dict[str, str]:
        try:
            return {**keys, state.status_key: await self._fulfilment.fulfil(state.type, keys)}
        except ServiceError as error:
            log.warning("The service %s did not answer: %s", state.type, error)
            return {**keys, state.status_key: str(error), FAULT: state.type}

    def _state(self, at: Conversation) -> State:
        flow = self._flows.by_name.get(at.flow)
        state = flow.states.get(at.state) if flow else None
        if state is None:
            raise UnknownPlaceError(f"The flows have no state '{at.state}' in '{at.flow}'.")
        return state


def _filled(text: str, keys: Mapping[str, str]) -> str:
    return KEY.sub(lambda found: keys.get(found[1], ""), text)
