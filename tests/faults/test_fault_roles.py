"""Every operator works with an account that has the rights of the generated table and no other.

``ONTAP_FAULTS=record`` finds the rights out, by taking each away in turn, and writes them; see ``record.py``.
"""

from __future__ import annotations

import json
import os

import pytest

from scripts import roles
from tests.faults.every import scenarios
from tests.faults.playing import undisturbed
from tests.faults.recording import calls_of, check, needs, refused
from tests.faults.site import Scenario, Site

MODE = os.environ.get("ONTAP_FAULTS", "")
SCENARIOS = [pytest.param(s, id=s.title) for s in scenarios() if MODE in ("all", "record") or not s.mlflow]


@pytest.mark.skipif(MODE != "all", reason="among the quick tests, test_fault_matrix.py does it")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_with_the_rights_of_the_table_it_ends_as_with_all(scenario: Scenario, site: Site) -> None:
    check(site, scenario, undisturbed(site, scenario))


@pytest.mark.skipif(MODE != "all", reason="`make faults` takes every right away")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_right_that_is_taken_away_is_named(scenario: Scenario, site: Site) -> None:
    good, known = undisturbed(site, scenario), roles.calls()[scenario.operator]
    full = {cluster: roles.rights(roles.needed(found)) for cluster, found in known.items()}
    made, missed = calls_of(good.calls), {}
    for cluster, given in full.items():
        used = [path for path in given if path in roles.rights(made.get(cluster, ()))]
        if used:  # of an operator with several scenarios, one may ask a cluster for nothing
            missed[cluster] = [path for path in used if refused(site, scenario, good, full, cluster, path, "none")]
    # What is needed in one scenario of an operator may be no more than asked for in another.
    alone = [each.operator for each in scenarios()].count(scenario.operator) == 1
    assert missed and (all if alone else any)(missed.values()), f"{scenario.title} needs none of {full}: {missed}"


@pytest.mark.skipif(MODE != "record", reason="writes the table anew")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_record(scenario: Scenario, site: Site) -> None:
    known = json.loads(roles.CALLS.read_text()) if roles.CALLS.exists() else {}
    of_operator = known.setdefault(scenario.operator, {})
    for cluster, found in needs(site, scenario, undisturbed(site, scenario)).items():
        before = of_operator.setdefault(cluster, {})
        # Needed in one scenario is needed.
        before.update({call: how for call, how in found.items() if before.get(call) != roles.NEEDED})
    roles.CALLS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def test_the_role_of_all_together_covers_each() -> None:
    known = roles.calls()
    sums, order = roles.summed(known), ["readonly", "read_create", "read_modify", "read_create_modify", "all"]
    for operator, clusters in known.items():
        for found in clusters.values():
            for path, access in roles.rights(roles.needed(found)).items():
                assert order.index(sums[path]) >= order.index(access), f"{operator}: {path}"
    assert json.loads(roles.bodies(known))[0]["name"] == roles.NAME
