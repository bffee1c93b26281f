from ontap_mlops.ontap import dataset_versions
from ontap_mlops.operators.dataset_restore import DatasetRestoreOperator, DatasetRestorePlanOperator
from tests.faults.scenarios.snapshot_restore import KEPT
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import SVM, Scenario, Site

DATASET = {"name": "tyre", "source": "s3://lake/tyre/", "volume": "tyre"}


def version(site: Site) -> None:
    """A version of the dataset, and files that came after it."""
    tyre(site)
    made = dataset_versions.freeze(
        site.client,
        svm=SVM,
        volume="tyre",
        dataset="tyre",
        source="s3://lake/tyre/",
        digest="sha256:" + "ab" * 32,
        files=1,
        size=5,
        run_key="r20261101t000000z00000000",
    )
    (site.here.emulator.namespace / "tyre" / "two.png").write_bytes(b"second")
    facts = {"difference": {}, "lost_versions": [], "lost_snapshots": [], "safety": True}
    site.made["plan"] = {"dataset_version": made.version.to_json(), **facts}


SCENARIOS = [
    Scenario(
        operator="DatasetRestorePlanOperator",
        prepare=version,
        make=lambda site: DatasetRestorePlanOperator(task_id="t", dataset=DATASET, as_of="2099-01-01"),
    ),
    Scenario(
        operator="DatasetRestoreOperator",
        keeps=KEPT,
        prepare=version,
        make=lambda site: DatasetRestoreOperator(task_id="t", plan=site.made["plan"]),
    ),
]
