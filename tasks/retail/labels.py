"""The labels of the published training data: 53 of slots, and of intents its three with those the flows want beside."""

from __future__ import annotations

SLOT_NAMES = (
    "store.type",
    "store.name",
    "store.status",
    "store.hour.start",
    "store.hour.end",
    "store.hour.day",
    "item.type",
    "item.name",
    "item.color",
    "item.size",
    "item.quantity",
    "location",
    "cost.high",
    "cost.average",
    "cost.low",
    "time.period_of_time",
    "rating.high",
    "rating.average",
    "rating.low",
    "interrogative.location",
    "interrogative.manner",
    "interrogative.time",
    "interrogative.personal",
    "interrogative",
    "verb",
    "article",
)
BEGIN, INSIDE, OUTSIDE = "B-", "I-", "O"
SLOTS = (*(BEGIN + name for name in SLOT_NAMES), *(INSIDE + name for name in SLOT_NAMES), OUTSIDE)
"""In the published order: ``I-`` is 26 after its ``B-``, and ``O`` is 52."""

PUBLISHED_INTENTS = ("price_check", "find_the_store", "unknown")
INTENTS = (
    *PUBLISHED_INTENTS,
    "inventory_check",
    "weather",
    "temperature",
    "sunny",
    "cloudy",
    "snow",
    "rain",
    "snowfall",
    "rainfall",
    "tempyesno",
    "humidity",
    "humidity_yes_no",
    "start_navigation",
    "time_of_arrival",
    "show_direction",
    "show_map",
)


def spans(labels: list[str]) -> list[tuple[str, int, int]]:
    """Return the slots of a sentence as (name, first word, word after the last).

    An ``I-`` that continues nothing begins a slot of its own, as evaluation of such labels is usually done.
    """
    found: list[tuple[str, int, int]] = []
    for place, label in enumerate(labels):
        mark, name = label[:2], label[2:]
        if label == OUTSIDE:
            continue
        if mark == INSIDE and found and found[-1][0] == name and found[-1][2] == place:
            found[-1] = (name, found[-1][1], place + 1)
        else:
            found.append((name, place, place + 1))
    return found
