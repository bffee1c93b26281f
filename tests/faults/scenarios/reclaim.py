from ontap_mlops.operators.reclaim import PLAN, ReclaimOperator, ReclaimPlanOperator
from tests.faults.scenarios.workspaces import kept
from tests.faults.site import Scenario, Site

RULES = {"workspace_days": -1}  # what is kept since now is over


def planned(site: Site) -> None:
    """A workspace that may go, and the plan that names it."""
    kept(site)
    site.results[PLAN] = site.run(ReclaimPlanOperator(task_id=PLAN, **RULES))


SCENARIOS = [
    Scenario(
        operator="ReclaimPlanOperator",
        prepare=kept,
        make=lambda site: ReclaimPlanOperator(task_id=PLAN, **RULES),
    ),
    Scenario(
        operator="ReclaimOperator",
        prepare=planned,
        make=lambda site: ReclaimOperator(task_id="t", remove=True, **RULES),
    ),
]
