from ontap_mlops.ontap import snapshots
from ontap_mlops.sensors.mirrors import OntapMirrorLagSensor
from ontap_mlops.sensors.snapshots import OntapSnapshotSensor
from ontap_mlops.sensors.versions import DatasetVersionSensor
from tests.faults.scenarios.mirrors import mirrored, shown
from tests.faults.scenarios.versions import DATASET, version
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import Scenario, Site

OFTEN = {"task_id": "t", "poke_interval": 0.05, "timeout": 4, "deferrable": False}


def weekly(site: Site) -> None:
    snapshots.ensure(site.client, volume_uuid=tyre(site).uuid, name="weekly.1", comment="")


SCENARIOS = [
    Scenario(
        operator="DatasetVersionSensor",
        prepare=version,
        make=lambda site: DatasetVersionSensor(**OFTEN, dataset=DATASET),
    ),
    Scenario(
        operator="OntapSnapshotSensor",
        prepare=weekly,
        make=lambda site: OntapSnapshotSensor(**OFTEN, volume="tyre", snapshot="weekly.*"),
    ),
    Scenario(
        operator="OntapMirrorLagSensor",
        clusters=2,
        prepare=mirrored,
        make=lambda site: OntapMirrorLagSensor(**OFTEN, ontap_conn_id="ontap_remote", volume="tyre", below_s=86_400),
        end=shown,
    ),
]
