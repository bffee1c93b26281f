from ontap_mlops.ontap import clones, moves, snapshots
from ontap_mlops.operators.file_clones import OntapFileCloneOperator
from ontap_mlops.operators.flexgroups import OntapFlexGroupEnsureOperator
from ontap_mlops.operators.moves import OntapVolumeMoveOperator
from ontap_mlops.operators.qos_policies import OntapQosPolicyDeleteOperator, OntapQosPolicyEnsureOperator
from ontap_mlops.operators.sizes import OntapVolumeAutosizeOperator, OntapVolumeResizeOperator
from ontap_mlops.operators.splits import OntapCloneSplitOperator
from ontap_mlops.operators.tiering import (
    OntapEncryptionCheckOperator,
    OntapVolumeEfficiencyOperator,
    OntapVolumeTieringOperator,
)
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import SVM, Scenario, Site

ONE = {"task_id": "t", "volume": "tyre"}
GIB = 1024**3
IOPS = {"max_throughput_iops": 1000}


def tiered(site: Site) -> None:
    """`tyre` on the aggregate that has an object store."""
    tyre(site)
    moves.begin(site.client, svm=SVM, name="tyre", aggregate="aggr2")


def encrypted(site: Site) -> None:
    volume, secret = tyre(site), {"onboard": {"passphrase": "p" * 64}}
    site.here.http.post("/api/security/key-managers", json=secret).raise_for_status()
    change = {"encryption": {"enabled": True}}
    site.client.modify("Volume", {"uuid": volume.uuid}, change, asked="encrypt the volume")


def cloned(site: Site) -> None:
    volume = tyre(site)
    snapshots.ensure(site.client, volume_uuid=volume.uuid, name="v1", comment="facts")
    clones.ensure(
        site.client, svm=SVM, name="copy", parent_volume="tyre", parent_snapshot="v1", comment="ontap-mlops copy"
    )


def flexgroup(site: Site) -> OntapFlexGroupEnsureOperator:
    wanted = {"aggregates": ["aggr1", "aggr2"], "per_aggregate": 2, "junction_path": "/wide"}
    return OntapFlexGroupEnsureOperator(
        task_id="t", volume="wide", size_bytes=GIB, comment="ontap-mlops wide", **wanted
    )


def policy(site: Site) -> OntapQosPolicyEnsureOperator:
    return OntapQosPolicyEnsureOperator(task_id="t", policy="training", fixed=IOPS)


SCENARIOS = [
    Scenario(
        operator="OntapVolumeResizeOperator",
        prepare=tyre,
        make=lambda site: OntapVolumeResizeOperator(**ONE, size_bytes=3 * GIB),
    ),
    Scenario(
        operator="OntapVolumeAutosizeOperator",
        prepare=tyre,
        make=lambda site: OntapVolumeAutosizeOperator(**ONE, mode="grow", maximum_bytes=8 * GIB),
    ),
    Scenario(
        operator="OntapVolumeMoveOperator",
        prepare=tyre,
        make=lambda site: OntapVolumeMoveOperator(**ONE, aggregate="aggr2", poll_interval_s=0.01),
    ),
    Scenario(
        operator="OntapVolumeTieringOperator",
        prepare=tiered,
        make=lambda site: OntapVolumeTieringOperator(**ONE, policy="auto", cooling_days=40),
    ),
    Scenario(
        operator="OntapVolumeEfficiencyOperator",
        prepare=tyre,
        make=lambda site: OntapVolumeEfficiencyOperator(**ONE, compression="both"),
    ),
    Scenario(
        operator="OntapEncryptionCheckOperator",
        prepare=encrypted,
        make=lambda site: OntapEncryptionCheckOperator(**ONE),
    ),
    Scenario(
        operator="OntapCloneSplitOperator",
        prepare=cloned,
        make=lambda site: OntapCloneSplitOperator(task_id="t", clone="copy", parent="tyre", poll_interval_s=0.01),
    ),
    Scenario(
        operator="OntapFileCloneOperator",
        prepare=tyre,
        make=lambda site: OntapFileCloneOperator(**ONE, source="one.png", target="two.png"),
    ),
    Scenario(operator="OntapFlexGroupEnsureOperator", make=flexgroup),
    Scenario(operator="OntapQosPolicyEnsureOperator", make=policy),
    Scenario(
        operator="OntapQosPolicyDeleteOperator",
        prepare=lambda site: site.run(policy(site)),
        make=lambda site: OntapQosPolicyDeleteOperator(task_id="t", policy="training"),
    ),
]
