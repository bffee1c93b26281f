"""What an answer of the network means in a conversation: the same when it is served as when it is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tasks.retail.dialog.conversation import Understood
from tasks.retail.dialog.vocabulary import NO_MATCH
from tasks.retail.labels import spans
from tasks.retail.reading import Answer

LEAST_CONFIDENCE = 0.4
"""Of an intent; below it nothing is known, which is better said than guessed."""
SIGNS = ".,;:!?\"'()"


def meaning(
    words: Sequence[str],
    answer: Answer,
    intents: Sequence[str],
    slots: Sequence[str],
    intent_of_label: Mapping[str, str],
) -> Understood:
    """Return the intent of the vocabulary, and the words of each slot that is found first.

    :param intents: labels by number, as are ``slots``.
    :param intent_of_label: the vocabulary's.
    """
    label = intents[answer.intent] if answer.confidence >= LEAST_CONFIDENCE else ""
    found: dict[str, str] = {}
    for name, begin, end in spans([slots[slot] for slot in answer.slots]):
        found.setdefault(name, " ".join(words[begin:end]).strip(SIGNS))
    return Understood(intent_of_label.get(label, NO_MATCH), {name: value for name, value in found.items() if value})
