from ontap_mlops.ontap import volumes
from ontap_mlops.operators.volumes import OntapVolumeDeleteOperator, OntapVolumeEnsureOperator
from tests.faults.site import SVM, Scenario, Site
from tests.ontap_mlops.conftest import GIB, MARK

MODELS = {"volume": "models", "size_bytes": 2 * GIB, "comment": MARK, "junction_path": "/models"}


def ensure(site: Site) -> OntapVolumeEnsureOperator:
    return OntapVolumeEnsureOperator(task_id="t", **MODELS)


def small(site: Site) -> None:
    """Smaller than asked for, and not mounted."""
    volumes.ensure(site.client, svm=SVM, name="models", size_bytes=GIB, comment=MARK)


def tyre(site: Site) -> volumes.Volume:
    """The dataset volume `tyre`, with one file on it."""
    made = volumes.ensure(
        site.client, svm=SVM, name="tyre", size_bytes=GIB, comment=MARK, junction_path="/tyre", unix_permissions="777"
    )
    (site.here.emulator.namespace / "tyre" / "one.png").write_bytes(b"first")
    return made


SCENARIOS = [
    Scenario(operator="OntapVolumeEnsureOperator", make=ensure),
    Scenario(operator="OntapVolumeEnsureOperator", name="grows and mounts", prepare=small, make=ensure),
    Scenario(
        operator="OntapVolumeDeleteOperator",
        prepare=tyre,
        make=lambda site: OntapVolumeDeleteOperator(task_id="t", volume="tyre"),
    ),
]
