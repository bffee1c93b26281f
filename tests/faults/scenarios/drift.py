from ontap_mlops.ontap import dataset_versions
from ontap_mlops.operators.context import CHOOSE, REGISTER
from ontap_mlops.operators.drift import DriftBaselineOperator
from tests.faults.scenarios.models import register, trained
from tests.faults.scenarios.results import chosen
from tests.faults.scenarios.versions import DATASET
from tests.faults.site import SVM, Scenario, Site


def newer(site: Site) -> None:
    """A model of one version of the dataset, and a run on the next one."""
    trained(site)
    site.results[REGISTER] = site.run(register(site))
    site.here.control("PUT", "/clock", {"offset_s": 86400})
    facts = {"digest": "sha256:" + "b" * 64, "files": 2, "size": 9, "run_key": "r1", "source": DATASET["source"]}
    frozen = dataset_versions.freeze(site.client, svm=SVM, volume="tyre", dataset="tyre_images", **facts)
    site.here.control("PUT", "/clock", {"offset_s": 0})
    chosen(site)
    site.results[CHOOSE]["dataset_version"] = frozen.version.to_json()


SCENARIOS = [
    Scenario(
        operator="DriftBaselineOperator",
        mlflow=True,
        prepare=newer,
        make=lambda site: DriftBaselineOperator(task_id="t", dataset=DATASET, model=site.made["model"], version=1),
        end=lambda site: {"held": site.held()},
    ),
]
