from ontap_mlops.ontap import snapshot_locks
from ontap_mlops.operators.snapshot_locks import (
    OntapComplianceClockInitializeOperator,
    OntapSnapshotLockingEnableOperator,
    OntapSnapshotLockOperator,
)
from tests.faults.scenarios.snapshots import ONE, frozen
from tests.faults.site import Scenario, Site


def with_clock(site: Site) -> None:
    frozen(site)
    snapshot_locks.initialize_clocks(site.client)


def lockable(site: Site) -> None:
    with_clock(site)
    snapshot_locks.enable(site.client, svm="svm1", volume="tyre")


SCENARIOS = [
    Scenario(
        operator="OntapComplianceClockInitializeOperator",
        prepare=frozen,
        make=lambda site: OntapComplianceClockInitializeOperator(task_id="t"),
    ),
    Scenario(
        operator="OntapSnapshotLockingEnableOperator",
        prepare=with_clock,
        make=lambda site: OntapSnapshotLockingEnableOperator(task_id="t", volume="tyre"),
    ),
    Scenario(
        operator="OntapSnapshotLockOperator",
        prepare=lockable,
        make=lambda site: OntapSnapshotLockOperator(**ONE, until="2099-01-31"),
    ),
]
