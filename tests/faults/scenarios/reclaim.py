from ontap_mlops.operators.reclaim import PLAN, ReclaimOperator, ReclaimPlanOperator
from tests.faults.scenarios import dataset_caches
from tests.faults.scenarios.workspaces import kept
from tests.faults.site import Scenario, Site

RULES = {"workspace_days": -1}  # what is kept since now is over
REMOTE = dataset_caches.WEST | {"name": "remote"}  # the site that config/sites.yaml knows
AT_SITE = {"ontap_conn_id": "ontap_remote", "svm": "svm2"}


def planned(site: Site) -> None:
    """A workspace that may go, and the plan that names it."""
    kept(site)
    site.results[PLAN] = site.run(ReclaimPlanOperator(task_id=PLAN, **RULES))


def unused(site: Site) -> None:
    dataset_caches.unused(site, REMOTE)


def unused_and_planned(site: Site) -> None:
    unused(site)
    site.results[PLAN] = site.run(ReclaimPlanOperator(task_id=PLAN, **AT_SITE))


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
    Scenario(
        operator="ReclaimPlanOperator",
        name="caches",
        clusters=2,
        prepare=unused,
        make=lambda site: ReclaimPlanOperator(task_id=PLAN, **AT_SITE),
    ),
    Scenario(
        operator="ReclaimOperator",
        name="caches",
        clusters=2,
        prepare=unused_and_planned,
        make=lambda site: ReclaimOperator(task_id="t", remove=True, **AT_SITE),
    ),
]
