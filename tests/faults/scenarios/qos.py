from ontap_mlops.operators.qos import OntapQosLowerOperator, OntapQosRaiseOperator
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import Scenario, Site


def lift(site: Site) -> OntapQosRaiseOperator:
    return OntapQosRaiseOperator(task_id="t", volume="tyre", policy="extreme")


def raised(site: Site) -> None:
    tyre(site)
    site.run(lift(site))


SCENARIOS = [
    Scenario(operator="OntapQosRaiseOperator", prepare=tyre, make=lift),
    Scenario(
        operator="OntapQosLowerOperator",
        prepare=raised,
        make=lambda site: OntapQosLowerOperator(task_id="t", volume="tyre"),
    ),
]
