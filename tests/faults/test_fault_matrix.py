"""Every operator meets every fault at its calls, and ends as if undisturbed or says clearly why it cannot.

``make faults`` plays all faults and prints the table: a kill during each call that changes something and between any
two calls (of those that only read, between the last and what comes next), any other fault at a few calls, those that
change something first. The quick tests play one fault at one call of each, and then nothing but with an account that
has the rights of the generated table and no other.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults import recording
from tests.faults.every import scenarios
from tests.faults.playing import Undisturbed, play, undisturbed
from tests.faults.site import Scenario, Site
from tests.faults.trouble import TROUBLES, Trouble

ALL = os.environ.get("ONTAP_FAULTS") == "all"
# Of two clusters, twenty kills are minutes on a busy machine.
pytestmark = pytest.mark.timeout(1200 if ALL else 300)
# Calls of one run that are disturbed, each in a run of its own. What one call does about a fault the next does too, in
# the client that all of them go through; but a task that is killed has another half done at each.
MOST = 3 if ALL else 1
IN_QUICK = 1  # fault that each scenario meets in the quick tests; each fault meets some scenario
_KNOWN: dict[str, Undisturbed] = {}


def most(trouble: Trouble) -> int:
    return sys.maxsize if ALL and trouble.everywhere else MOST


def cells() -> Iterator[Any]:
    """One scenario is played in one process, which knows its undisturbed run."""
    for number, scenario in enumerate(each for each in scenarios() if ALL or not each.mlflow):
        meets = [trouble for trouble in TROUBLES if scenario.clusters >= trouble.clusters]
        turn = number * IN_QUICK % len(meets)
        for trouble in meets if ALL else (meets + meets)[turn : turn + IN_QUICK]:
            yield pytest.param(
                scenario, trouble, id=f"{scenario.title}-{trouble.title}", marks=pytest.mark.xdist_group(scenario.title)
            )


@pytest.mark.parametrize(("scenario", "trouble"), list(cells()))
def test_disturbed_it_ends_as_undisturbed_or_says_why_not(
    scenario: Scenario, trouble: Trouble, site: Site, record_property: pytest.RecordProperty
) -> None:
    if scenario.title not in _KNOWN:
        _KNOWN[scenario.title] = undisturbed(site, scenario)
    record_property("cell", (scenario.title, trouble.title, "BROKEN"))
    cell = play(site, scenario, trouble, _KNOWN[scenario.title], most(trouble))
    record_property("cell", (scenario.title, trouble.title, str(cell)))
    if not ALL:  # else it is a test of its own; here it shares the undisturbed run
        recording.check(site, scenario, _KNOWN[scenario.title])
