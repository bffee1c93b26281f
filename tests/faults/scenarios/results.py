from ontap_mlops.operators.context import CHOOSE
from ontap_mlops.operators.results import ResultsFreezeOperator
from ontap_mlops.records import DatasetVersion, RunRecord
from tests.faults.scenarios.versions import version
from tests.faults.site import DAG_ID, RUN_ID, Scenario, Site


def chosen(site: Site) -> None:
    """What the run has settled, with a version of the dataset on the volume `tyre`."""
    version(site)
    site.results[CHOOSE] = RunRecord(
        run_key=site.run_key,
        dag_id=DAG_ID,
        run_id=RUN_ID,
        model="tyre",
        dataset_version=DatasetVersion.from_json(site.made["version"]),
        parameters={"seed": 1},
        promote="if_better",
        code_commit="abc",
    ).to_json()


SCENARIOS = [
    Scenario(
        operator="ResultsFreezeOperator",
        prepare=chosen,
        make=lambda site: ResultsFreezeOperator(task_id="t", volume="tyre", what="scores"),
    ),
]
