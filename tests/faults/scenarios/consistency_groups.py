from ontap_mlops.ontap import consistency_groups, volumes
from ontap_mlops.operators.consistency_groups import (
    OntapConsistencyGroupDeleteOperator,
    OntapConsistencyGroupEnsureOperator,
    OntapConsistencyGroupRestoreOperator,
    OntapConsistencyGroupSnapshotOperator,
)
from tests.faults.scenarios.snapshot_restore import KEPT
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import SVM, Scenario, Site
from tests.ontap_mlops.conftest import GIB, MARK

OURS = {"task_id": "t", "group": "all"}


def two(site: Site) -> None:
    """The volumes `tyre` and `models`."""
    tyre(site)
    facts = {"name": "models", "size_bytes": GIB, "comment": MARK, "junction_path": "/models"}
    volumes.ensure(site.client, svm=SVM, **facts, unix_permissions="777")


def grouped(site: Site) -> None:
    two(site)
    consistency_groups.ensure(site.client, svm=SVM, name="all", members=["tyre", "models"])


def frozen(site: Site) -> None:
    """A snapshot of both, and a file in each that came after it."""
    grouped(site)
    group = consistency_groups.get(site.client, svm=SVM, name="all")
    consistency_groups.ensure_snapshot(site.client, group=group, name="v1", comment="facts")
    for name in ("tyre", "models"):
        (site.here.emulator.namespace / name / "two.png").write_bytes(b"second")


SCENARIOS = [
    Scenario(
        operator="OntapConsistencyGroupEnsureOperator",
        prepare=two,
        make=lambda site: OntapConsistencyGroupEnsureOperator(**OURS, volumes=["tyre", "models"]),
    ),
    Scenario(
        operator="OntapConsistencyGroupSnapshotOperator",
        prepare=grouped,
        make=lambda site: OntapConsistencyGroupSnapshotOperator(**OURS, snapshot="v1"),
    ),
    Scenario(
        operator="OntapConsistencyGroupRestoreOperator",
        keeps=KEPT,
        prepare=frozen,
        make=lambda site: OntapConsistencyGroupRestoreOperator(**OURS, snapshot="v1"),
    ),
    Scenario(
        operator="OntapConsistencyGroupDeleteOperator",
        prepare=frozen,
        make=lambda site: OntapConsistencyGroupDeleteOperator(**OURS),
    ),
]
