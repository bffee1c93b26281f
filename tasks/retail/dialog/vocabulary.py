"""The words of a conversation: one table joins the intents of flows, the contexts they set and the labels trained.

The published files name the same wish three times: ``store_location`` where a person's words are understood,
``find_the_store`` where a flow hands it on and where the model is trained. ``vocabulary.yml`` has a row for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.retail.dialog.located import Finding, read

FILE = "vocabulary.yml"
FAULT = "jarvis_error"
"""The intent, and the key, that says a service or the model failed."""
NO_MATCH = "nomatch.none"


class Wish(BaseModel):
    """One row: what a person may want."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    context: str | None = None
    """What flows hand on; None where no other flow is asked."""
    label: str | None = None
    """The intent of the training data; None where it is not trained, but said by the service itself."""


class Vocabulary(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    intents: Annotated[dict[str, Wish], Field(min_length=1)]
    slots: Annotated[tuple[str, ...], Field(min_length=1)]
    lasting: tuple[str, ...] = ()
    """Slots that are still known when a person wants something else: one who asked for the weather in a city means that
    city's stores next, but not the article of the question before."""

    @property
    def contexts(self) -> set[str]:
        return {wish.context for wish in self.intents.values() if wish.context}

    def intent_of_label(self) -> Mapping[str, str]:
        """Return the intent that each label of the training data stands for."""
        return {wish.label: intent for intent, wish in self.intents.items() if wish.label}


def load(path: Path) -> Vocabulary | list[Finding]:
    """Return the table, or its faults: a key that does not belong there, one label for two intents."""
    source = read(path)
    if isinstance(source, list):
        return source
    try:
        words = Vocabulary.model_validate(source.values)
    except ValidationError as error:
        return [
            source.finding(f"{'.'.join(map(str, found['loc'])) or 'the table'}: {found['msg']}.", *found["loc"])
            for found in error.errors()
        ]
    labels: dict[str, str] = {}
    twice = []
    for intent, wish in words.intents.items():
        if wish.label in labels:
            first = labels[wish.label]
            twice.append(
                source.finding(
                    f"The label '{wish.label}' stands for '{first}' and for '{intent}'.", "intents", intent, "label"
                )
            )
        elif wish.label:
            labels[wish.label] = intent
    return twice or words
