from ontap_mlops.ontap import s3
from ontap_mlops.operators.clones import OntapCloneCreateOperator, OntapCloneDeleteOperator
from tests.faults.scenarios.snapshots import frozen
from tests.faults.site import SVM, Scenario, Site


def served(site: Site) -> None:
    frozen(site)
    s3.ensure_service(site.client, svm=SVM)


def create(site: Site) -> OntapCloneCreateOperator:
    return OntapCloneCreateOperator(
        task_id="t", clone="ws_r1", parent_volume="tyre", parent_snapshot="v1", with_bucket=True
    )


def cloned(site: Site) -> None:
    served(site)
    site.run(create(site))


SCENARIOS = [
    Scenario(operator="OntapCloneCreateOperator", prepare=served, make=create),
    Scenario(
        operator="OntapCloneDeleteOperator",
        prepare=cloned,
        make=lambda site: OntapCloneDeleteOperator(task_id="t", clone="ws_r1"),
    ),
]
