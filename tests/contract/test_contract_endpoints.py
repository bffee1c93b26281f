"""The list of ONTAP's endpoints behind the coverage page is the official client's."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from netapp_ontap import resources

KNOWN = Path(__file__).parents[2] / "emulator" / "known_endpoints.txt"


def test_the_known_endpoints_are_those_of_the_official_client():
    paths = {getattr(member, "_path", "") for _, member in inspect.getmembers(resources, inspect.isclass)}
    collections = {path.removeprefix("/api") for path in paths if path.startswith("/api/")}
    named = {re.sub(r"\{(\w+)\[(\w+)\]\}", r"{\1.\2}", path) for path in collections}
    assert set(KNOWN.read_text().split()) == named
