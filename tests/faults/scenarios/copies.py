from typing import Any

from ontap_mlops.ontap import mirrors, transfers, volumes
from ontap_mlops.operators.copies import OntapCopyCheckOperator, OntapCopyHideOperator, OntapCopyShowOperator
from ontap_mlops.operators.fail_over import FailOverLookOperator
from tests.faults.scenarios.s3 import served
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import SVM, Scenario, Site
from tests.ontap_mlops.conftest import GIB, MARK

SHOWN = {"task_id": "t", "dataset": "tyre", "volume": "tyre"}


def unmounted(site: Site) -> None:
    served(site)
    volumes.unmount(site.client, volume=volumes.get(site.client, svm=SVM, name="tyre"))


def mirrored(site: Site) -> None:
    """The volume `tyre` here has its copy `tyre` there, and nothing new."""
    tyre(site)
    there, svm = site.there.client(), site.there.emulator.svm
    mirrors.ensure_destination(there, svm=svm, volume="tyre", size_bytes=GIB, comment=MARK)
    made = mirrors.ensure(there, svm=svm, volume="tyre", source_svm=SVM, source_volume="tyre")
    begun = transfers.begin(there, mirror=made)
    while not transfers.look(there, mirror=made.uuid, transfer=begun.uuid)["done"]:
        pass


def look(site: Site) -> FailOverLookOperator:
    both: dict[str, Any] = {"ontap_conn_id": "ontap_remote", "source_conn_id": "ontap_default"}
    return FailOverLookOperator(**SHOWN, **both, site="west", direction="to_site")


SCENARIOS = [
    Scenario(
        operator="OntapCopyShowOperator",
        prepare=unmounted,
        make=lambda site: OntapCopyShowOperator(**SHOWN),
    ),
    Scenario(
        operator="OntapCopyHideOperator",
        prepare=tyre,
        make=lambda site: OntapCopyHideOperator(task_id="t", volume="tyre"),
    ),
    Scenario(
        operator="OntapCopyCheckOperator",
        clusters=2,
        prepare=mirrored,
        make=lambda site: OntapCopyCheckOperator(task_id="t", volume="tyre", source_conn_id="ontap_remote"),
    ),
    Scenario(operator="FailOverLookOperator", clusters=2, prepare=mirrored, make=look),
]
