"""What a flow file holds: states that say something, ask for something, branch, call a service or change the flow.

The form is the one of NetApp's retail assistant (WP-7328), with three additions: ``start`` names the state in which
a flow begins, ``handles`` the intents that another flow may send it, and a state that asks says after how many tries
(``tries``) it gives up, and whereto (``exhausted``).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MAIN = "main_flow"
RESET = "init"
"""Where a main flow begins that names no ``start``."""


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Next(Part):
    next_state: str


class Text(Part):
    text: str


class MessageText(Part):
    """Says a text, in which ``{{key}}`` is what the conversation knows by that name."""

    type: Literal["message_text"]
    properties: Text
    transitions: Next


class Responses(Part):
    responses: Annotated[list[str], Field(min_length=1)]
    delay: float = Field(0, ge=0, le=60)
    """Seconds before it is said."""


class MessageTextRandom(Part):
    """Says one of several texts."""

    type: Literal["message_text_random"]
    properties: Responses
    transitions: Next


class Intent(Part):
    intent: str = "dontcare"


class AnyIntent(Part):
    nlp_type: str = "jarvis"
    entities: Intent = Intent()


class NoTransitions(Part):
    pass


class InputContext(Part):
    """Waits for what a person wants; goes on by the main flow's ``intent_transitions``."""

    type: Literal["input_context"]
    properties: AnyIntent | None = None
    transitions: NoTransitions | None = None


class Slot(Part):
    slot: str


class Asked(Part):
    nlp_type: str = "jarvis"
    entities: Slot
    require_match: bool = True
    """Whether only a slot that the model finds is an answer, or any words are."""
    tries: int = Field(3, ge=1, le=10)


class Matched(Part):
    match: str
    notmatch: str
    exhausted: str | None = None


class InputUser(Part):
    """Waits for the value of one slot; after ``tries`` answers without it, goes to ``exhausted``, or begins anew."""

    type: Literal["input_user"]
    properties: Asked
    transitions: Matched


class Key(Part):
    key: Annotated[str, Field(pattern=r"^\{\{\s*[\w.]+\s*\}\}$")]


class Known(Part):
    exists: str
    notexists: str


class ConditionalExists(Part):
    """Goes one way where the conversation knows a key, and another where it does not."""

    type: Literal["conditional_exists"]
    properties: Key
    transitions: Known


class Update(Part):
    update_keys: dict[str, str] = {}


class ToFlow(Part):
    flow: str


class ChangeContext(Part):
    """Remembers keys, and goes to where another flow starts."""

    type: Literal["change_context"]
    properties: Update | None = None
    transitions: ToFlow


class Nothing(Part):
    pass


class Service(Part):
    """Asks a service about the intent; what it says is then known as ``retail_status`` or ``weather_status``."""

    type: Literal["Retail", "Weather"]
    properties: Nothing | None = None
    transitions: Next

    @property
    def status_key(self) -> str:
        return f"{self.type.lower()}_status"


class Reset(Part):
    """Forgets what the conversation knows, and goes to a state of the main flow."""

    type: Literal["reset"]
    properties: Nothing | None = None
    transitions: Next


State = Annotated[
    MessageText | MessageTextRandom | InputContext | InputUser | ConditionalExists | ChangeContext | Service | Reset,
    Field(discriminator="type"),
]
TYPES = (
    "message_text",
    "message_text_random",
    "input_context",
    "input_user",
    "conditional_exists",
    "change_context",
    "Retail",
    "Weather",
    "reset",
)


class Flow(Part):
    """One file of states; only the main flow has ``intent_transitions``."""

    name: str
    start: str | None = None
    handles: tuple[str, ...] = ()
    intent_transitions: dict[str, str] = {}
    states: Annotated[dict[str, State], Field(min_length=1)]

    @property
    def is_main(self) -> bool:
        return self.name == MAIN

    @property
    def begins(self) -> str | None:
        """The state in which the flow begins; None where the file does not say it."""
        return self.start or (RESET if self.is_main and RESET in self.states else None)


def targets(state: State) -> dict[str, str]:
    """Return the states of the same flow that this one names, by the name of the transition."""
    if isinstance(state, ChangeContext | Reset | InputContext):
        return {}
    return {name: target for name, target in state.transitions.model_dump().items() if target is not None}
