from ontap_mlops.ontap import dataset_versions, snapshots
from ontap_mlops.sensors.mirrors import OntapMirrorLagSensor
from ontap_mlops.sensors.readiness import DatasetVersionReadySensor, OntapCacheWarmSensor
from ontap_mlops.sensors.snapshots import OntapSnapshotSensor
from ontap_mlops.sensors.training_data import TrainingDataReadySensor
from ontap_mlops.sensors.versions import DatasetVersionSensor
from tests.faults.scenarios.dataset_caches import WEST, cached
from tests.faults.scenarios.mirrors import mirrored, shown
from tests.faults.scenarios.versions import DATASET, version
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import Scenario, Site

OFTEN = {"task_id": "t", "poke_interval": 0.05, "timeout": 4, "deferrable": False}


def newest(site: Site) -> None:
    """Told to the sensor, so that what looks it up is not disturbed."""
    versions = dataset_versions.list_versions(site.client, svm="svm1", volume="tyre", dataset=DATASET["name"])
    site.made["newest"] = versions[-1].id


def frozen(site: Site) -> None:
    version(site)
    newest(site)


def warm(site: Site) -> None:
    cached(site)
    newest(site)


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
        operator="OntapCacheWarmSensor",
        clusters=2,
        prepare=warm,
        make=lambda site: OntapCacheWarmSensor(**OFTEN, dataset=DATASET, version=site.made["newest"], site=WEST),
    ),
    Scenario(
        operator="DatasetVersionReadySensor",
        prepare=frozen,
        make=lambda site: DatasetVersionReadySensor(**OFTEN, dataset=DATASET, version=site.made["newest"]),
    ),
    Scenario(
        operator="OntapMirrorLagSensor",
        clusters=2,
        prepare=mirrored,
        make=lambda site: OntapMirrorLagSensor(**OFTEN, ontap_conn_id="ontap_remote", volume="tyre", below_s=86_400),
        end=shown,
    ),
    Scenario(
        operator="TrainingDataReadySensor",
        clusters=2,
        prepare=mirrored,
        make=lambda site: TrainingDataReadySensor(**OFTEN, dataset=DATASET, site=WEST, within_min=1440),
        end=shown,
    ),
]
