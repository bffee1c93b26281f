from ontap_mlops.ontap import dataset_versions
from ontap_mlops.operators.versions import DatasetVersionCreateOperator
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import SVM, Scenario, Site

DATASET = {"name": "tyre_images", "source": "s3://lake/tyre/", "volume": "tyre"}
CHECKED = {"digest": "sha256:" + "a" * 64, "files": 1, "bytes": 5}


def version(site: Site) -> None:
    """A version of the dataset, as JSON in ``made``."""
    tyre(site)
    facts = {"digest": CHECKED["digest"], "files": 1, "size": 5, "run_key": "r0", "source": DATASET["source"]}
    frozen = dataset_versions.freeze(site.client, svm=SVM, volume="tyre", dataset="tyre_images", **facts)
    site.made["version"] = frozen.version.to_json()


SCENARIOS = [
    Scenario(
        operator="DatasetVersionCreateOperator",
        prepare=tyre,
        make=lambda site: DatasetVersionCreateOperator(task_id="t", dataset=DATASET, checked=CHECKED),
    ),
]
