from ontap_mlops.ontap import mirrors, transfers
from ontap_mlops.operators.mirrors import (
    OntapMirrorAbortOperator,
    OntapMirrorBreakOperator,
    OntapMirrorDeleteOperator,
    OntapMirrorEnsureOperator,
)
from ontap_mlops.operators.transfers import (
    OntapMirrorResyncOperator,
    OntapMirrorReverseOperator,
    OntapMirrorUpdateOperator,
)
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import Scenario, Site

THERE = {"task_id": "t", "ontap_conn_id": "ontap_remote"}
BOTH = {**THERE, "source_conn_id": "ontap_default"}
QUICK = {"poll_interval_s": 0.01}


def mirrored(site: Site) -> None:
    """`tyre` of `svm1`, mirrored to `svm2`; one file came after the first transfer."""
    tyre(site)
    site.run(OntapMirrorEnsureOperator(**BOTH, **QUICK, volume="tyre", junction_path="/tyre"))
    (site.here.emulator.namespace / "tyre" / "two.png").write_bytes(b"second")


def broken(site: Site) -> None:
    mirrored(site)
    with site.there.client() as client:
        mirrors.break_off(client, mirror=mirrors.get(client, svm="svm2", volume="tyre"))


def moving(site: Site) -> None:
    """A transfer that waits for its turn until somebody aborts it."""
    mirrored(site)
    site.there.jobs("seconds", 3600)
    with site.there.client() as client:
        transfers.begin(client, mirror=mirrors.get(client, svm="svm2", volume="tyre"))
    site.there.jobs("immediate")


def shown(site: Site) -> object:
    """Mirrors of both, and every volume with its files: of snapshots, SnapMirror's own names differ each time."""
    found = []
    for cluster in site.clusters:
        with cluster.client() as client:
            known = [(m.source, m.destination, m.state, m.policy, m.schedule) for m in mirrors.list_mirrors(client)]
        svm = cluster.emulator.svm
        with cluster.client() as client:
            to = [(m.source, m.destination) for m in mirrors.list_destinations(client, svm=svm, volume="tyre")]
        kinds = {v["name"]: (v["type"], v["comment"]) for v in cluster.records("/storage/volumes")}
        top = cluster.emulator.namespace / "tyre"
        files = {p.name: p.read_bytes() for p in top.iterdir() if p.is_file()} if top.exists() else None
        found.append((known, to, kinds, files))
    return found


# SnapMirror's own, at the source, of a transfer that was cut off: the next one removes it.
KEPT = ("snapshot snapmirror.",)

SCENARIOS = [
    Scenario(
        operator="OntapMirrorEnsureOperator",
        clusters=2,
        keeps=KEPT,
        prepare=tyre,
        end=shown,
        make=lambda site: OntapMirrorEnsureOperator(
            **BOTH, **QUICK, volume="tyre", junction_path="/tyre", schedule="monthly"
        ),
    ),
    Scenario(
        operator="OntapMirrorUpdateOperator",
        clusters=2,
        keeps=KEPT,
        prepare=mirrored,
        end=shown,
        make=lambda site: OntapMirrorUpdateOperator(**THERE, **QUICK, mirror_volume="tyre"),
    ),
    Scenario(
        operator="OntapMirrorBreakOperator",
        clusters=2,
        keeps=KEPT,
        prepare=mirrored,
        end=shown,
        make=lambda site: OntapMirrorBreakOperator(**THERE, mirror_volume="tyre"),
    ),
    Scenario(
        operator="OntapMirrorBreakOperator",
        name="while it moves",
        clusters=2,
        keeps=KEPT,
        prepare=moving,
        end=shown,
        make=lambda site: OntapMirrorBreakOperator(**THERE, mirror_volume="tyre", abort_transfer=True),
    ),
    Scenario(
        operator="OntapMirrorResyncOperator",
        clusters=2,
        keeps=KEPT,
        prepare=broken,
        end=shown,
        make=lambda site: OntapMirrorResyncOperator(**BOTH, **QUICK, mirror_volume="tyre"),
    ),
    Scenario(
        operator="OntapMirrorReverseOperator",
        clusters=2,
        keeps=KEPT,
        prepare=broken,
        end=shown,
        make=lambda site: OntapMirrorReverseOperator(
            task_id="t", **QUICK, source_conn_id="ontap_remote", mirror_volume="tyre", lose_changes=True
        ),
    ),
    Scenario(
        operator="OntapMirrorAbortOperator",
        clusters=2,
        keeps=KEPT,
        prepare=moving,
        end=shown,
        make=lambda site: OntapMirrorAbortOperator(**THERE, mirror_volume="tyre"),
    ),
    Scenario(
        operator="OntapMirrorDeleteOperator",
        clusters=2,
        keeps=KEPT,
        prepare=mirrored,
        end=shown,
        make=lambda site: OntapMirrorDeleteOperator(**THERE, mirror_volume="tyre"),
    ),
]
