from ontap_mlops.ontap import volumes
from ontap_mlops.operators.planning import TransferPlanOperator
from tests.faults.scenarios.snapshot_restore import changed
from tests.faults.site import Scenario, Site
from tests.ontap_mlops.conftest import GIB, MARK


def at_both(site: Site) -> None:
    """A volume that has changed since a snapshot, and its like at the other site."""
    changed(site)
    with site.there.client() as client:
        volumes.ensure(client, svm="svm2", name="tyre", size_bytes=GIB, comment=MARK, junction_path="/tyre")


def plan(site: Site) -> TransferPlanOperator:
    return TransferPlanOperator(task_id="t", source="svm1:tyre", target="ontap_remote:svm2:tyre", link_mbps=100)


SCENARIOS = [Scenario(operator="TransferPlanOperator", clusters=2, prepare=at_both, make=plan)]
