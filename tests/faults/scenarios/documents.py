from ontap_mlops import names
from ontap_mlops.ontap import marks, snapshots
from ontap_mlops.operators.context import DECIDE
from ontap_mlops.operators.documents import DocumentsExpireOperator
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import Scenario, Site

KEYS = [f"r2026112{number}t063000z0123456{number}" for number in range(3)]


def indexes(site: Site) -> None:
    """Three, of which the oldest serves."""
    home = tyre(site)
    for key in KEYS:
        snapshots.ensure(site.client, volume_uuid=home.uuid, name=names.snapshot(key), comment=marks.mark("index"))
    site.results[DECIDE] = {"served": KEYS[0]}


SCENARIOS = [
    Scenario(
        operator="DocumentsExpireOperator",
        prepare=indexes,
        make=lambda site: DocumentsExpireOperator(task_id="t", volume="tyre", keep_newest=1),
    ),
]
