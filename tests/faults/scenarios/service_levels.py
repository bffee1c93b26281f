from ontap_mlops.operators.service_levels import OntapServiceLevelOperator, OntapServiceLevelPutBackOperator
from tests.faults.scenarios.volume_settings import tiered
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import Scenario, Site


def give(site: Site) -> OntapServiceLevelOperator:
    """Until then whatever the clock says, so that every try asks for the same."""
    return OntapServiceLevelOperator(
        task_id="t", level="value", volume="tyre", until="2100-01-01T00:00:00+00:00", poll_interval_s=0.01
    )


def given(site: Site) -> None:
    tiered(site)
    site.run(give(site))


SCENARIOS = [
    Scenario(operator="OntapServiceLevelOperator", prepare=tiered, make=give),
    Scenario(operator="OntapServiceLevelOperator", name="nothing to tier to", prepare=tyre, make=give),
    Scenario(
        operator="OntapServiceLevelPutBackOperator",
        prepare=given,
        make=lambda site: OntapServiceLevelPutBackOperator(task_id="t", volume="tyre"),
    ),
]
