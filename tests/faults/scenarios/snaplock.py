from ontap_mlops.ontap import snaplock
from ontap_mlops.operators.snaplock import OntapSnapLockFileKeepOperator, OntapSnapLockVolumeEnsureOperator
from tests.faults.scenarios.snapshot_locks import with_clock
from tests.faults.site import SVM, Scenario, Site
from tests.ontap_mlops.conftest import GIB, MARK

EVIDENCE = {"size_bytes": GIB, "comment": MARK, "junction_path": "/evidence"}


def written(site: Site) -> None:
    """A SnapLock volume with a file that is not kept yet."""
    with_clock(site)
    facts = {"name": "evidence", "kind": "enterprise", "retention": snaplock.Retention()}
    snaplock.ensure(site.client, svm=SVM, **facts, **EVIDENCE)
    (site.here.emulator.namespace / "evidence" / "report.json").write_text("{}")


SCENARIOS = [
    Scenario(
        operator="OntapSnapLockVolumeEnsureOperator",
        prepare=with_clock,
        make=lambda site: OntapSnapLockVolumeEnsureOperator(
            task_id="t", volume="evidence", kind="enterprise", default_retention="P30D", **EVIDENCE
        ),
    ),
    Scenario(
        operator="OntapSnapLockFileKeepOperator",
        prepare=written,
        make=lambda site: OntapSnapLockFileKeepOperator(task_id="t", volume="evidence", path="report.json", days=7),
    ),
]
