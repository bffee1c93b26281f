"""No operator on ONTAP without a scenario in ``scenarios/<subject>.py``, but for those that ``not_yet.txt`` names."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import ontap_mlops.operators
import ontap_mlops.sensors
from ontap_mlops.operators.base import OntapOperator
from tests.faults.every import scenarios

NOT_YET = Path(__file__).parent / "not_yet.txt"
# Not of that base, but they begin with what ONTAP says, or change something there.
OTHERS = {"ModelClaimInspectOperator", "ModelClaimOperator", "ModelReleaseOperator", "TransferPlanOperator"}
BASES = {
    "OntapOperator",
    "OntapPairOperator",
    "OntapWaitingOperator",
    "OnSnapshot",
    "OntapSensor",
    "VolumeEnsure",
}


def operators() -> set[str]:
    for room in (ontap_mlops.operators, ontap_mlops.sensors):
        for path in Path(str(room.__file__)).parent.glob("*.py"):
            import_module(f"{room.__name__}.{path.stem}")
    found, look_at = set(), [OntapOperator]
    while look_at:
        kind = look_at.pop()
        found.add(kind)
        look_at += kind.__subclasses__()
    ours = {kind.__name__ for kind in found if kind.__module__.startswith("ontap_mlops.")}
    return {name for name in ours if not name.startswith("_")} - BASES | OTHERS


def test_every_operator_on_ontap_has_a_scenario_or_is_waited_for() -> None:
    covered, waited_for = {scenario.operator for scenario in scenarios()}, set(NOT_YET.read_text().split())
    missing = operators() - covered - waited_for
    assert not missing, f"{', '.join(sorted(missing))}: add a scenario to tests/faults/scenarios/"
    assert not covered & waited_for, f"{', '.join(sorted(covered & waited_for))}: covered, so take it off not_yet.txt"
    assert not waited_for - operators(), f"{', '.join(sorted(waited_for - operators()))}: there is no such operator"


def test_every_scenario_names_an_operator_and_makes_it() -> None:
    assert {scenario.operator for scenario in scenarios()} <= operators()
