from ontap_mlops.ontap import snapshot_policies
from ontap_mlops.operators.snapshot_policies import (
    OntapSnapshotPolicyApplyOperator,
    OntapSnapshotPolicyDeleteOperator,
    OntapSnapshotPolicyEnsureOperator,
)
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import Scenario, Site

DAILY = {"schedule": "daily", "count": 7, "label": "daily"}
WEEKLY = {"schedule": "weekly", "count": 4}
OURS = {"task_id": "t", "policy": "ours"}


def policy(site: Site) -> None:
    """Ours, with two schedules, beside the volume `tyre`."""
    tyre(site)
    copies = [{"schedule": "hourly", "count": 6}, DAILY]
    snapshot_policies.ensure(site.client, svm="svm1", name="ours", copies=copies)


SCENARIOS = [
    Scenario(
        operator="OntapSnapshotPolicyEnsureOperator",
        prepare=policy,
        make=lambda site: OntapSnapshotPolicyEnsureOperator(**OURS, copies=[DAILY | {"count": 3}, WEEKLY]),
    ),
    Scenario(
        operator="OntapSnapshotPolicyApplyOperator",
        prepare=policy,
        make=lambda site: OntapSnapshotPolicyApplyOperator(**OURS, volume="tyre"),
    ),
    Scenario(
        operator="OntapSnapshotPolicyDeleteOperator",
        prepare=policy,
        make=lambda site: OntapSnapshotPolicyDeleteOperator(**OURS),
    ),
]
