from ontap_mlops.ontap import snapshots
from ontap_mlops.operators.snapshots import (
    OntapSnapshotCreateOperator,
    OntapSnapshotDeleteOperator,
    OntapSnapshotExpireOperator,
)
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import Scenario, Site

ONE = {"task_id": "t", "volume": "tyre", "snapshot": "v1"}


def frozen(site: Site) -> None:
    """`v1` of the volume `tyre`, and a file that came after it."""
    snapshots.ensure(site.client, volume_uuid=tyre(site).uuid, name="v1", comment="facts")
    (site.here.emulator.namespace / "tyre" / "two.png").write_bytes(b"second")


def three(site: Site) -> None:
    volume = tyre(site)
    for number in (1, 2, 3):
        snapshots.ensure(site.client, volume_uuid=volume.uuid, name=f"mlops_{number}", comment="ontap-mlops scores")


SCENARIOS = [
    Scenario(
        operator="OntapSnapshotCreateOperator",
        prepare=tyre,
        make=lambda site: OntapSnapshotCreateOperator(**ONE, comment="facts", snapmirror_label="daily"),
    ),
    Scenario(
        operator="OntapSnapshotDeleteOperator",
        prepare=frozen,
        make=lambda site: OntapSnapshotDeleteOperator(**ONE),
    ),
    Scenario(
        operator="OntapSnapshotExpireOperator",
        prepare=three,
        make=lambda site: OntapSnapshotExpireOperator(task_id="t", volume="tyre", keep_newest=1),
    ),
]
