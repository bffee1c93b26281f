from ontap_mlops.ontap import snapshots
from ontap_mlops.operators.differences import OntapSnapshotDifferenceOperator
from ontap_mlops.operators.snapshot_restore import OntapFileRestoreOperator, OntapSnapshotRestoreOperator
from tests.faults.scenarios.snapshots import ONE, frozen
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import Scenario, Site


def changed(site: Site) -> None:
    """`v1`, and after it a file changed, one removed and a folder added."""
    volume = tyre(site)
    top = site.here.emulator.namespace / "tyre"
    (top / "gone.png").write_bytes(b"gone")
    (top / "kept.png").write_bytes(b"kept")
    snapshots.ensure(site.client, volume_uuid=volume.uuid, name="v1", comment="facts")
    (top / "gone.png").unlink()
    (top / "kept.png").write_bytes(b"changed since")
    (top / "new").mkdir()
    (top / "new" / "more.png").write_bytes(b"new")


# The lease of a restore that has stopped half way, which holds how the volume was before.
KEPT = ("snapshot mlops_restoring ",)

SCENARIOS = [
    Scenario(
        operator="OntapSnapshotRestoreOperator",
        keeps=KEPT,
        prepare=changed,
        make=lambda site: OntapSnapshotRestoreOperator(**ONE),
    ),
    Scenario(
        operator="OntapSnapshotRestoreOperator",
        keeps=KEPT,
        name="in one step",
        prepare=frozen,
        make=lambda site: OntapSnapshotRestoreOperator(**ONE, safety=False),
    ),
    Scenario(
        operator="OntapFileRestoreOperator",
        prepare=changed,
        make=lambda site: OntapFileRestoreOperator(**ONE, path="gone.png"),
    ),
    Scenario(
        operator="OntapSnapshotDifferenceOperator",
        prepare=changed,
        make=lambda site: OntapSnapshotDifferenceOperator(task_id="t", volume="tyre", before="v1"),
    ),
]
