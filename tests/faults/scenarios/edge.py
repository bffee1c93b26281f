from typing import Any

from ontap_mlops.ontap import mirrors, volumes
from ontap_mlops.operators.edge import EdgeSiteBringOperator
from tests.faults.scenarios.mirrors import KEPT
from tests.faults.site import SVM, Scenario, Site
from tests.ontap_mlops.conftest import GIB, MARK

EDGE = {"name": "west", "ontap_conn_id": "ontap_remote", "svm": "svm2", "inference_conn_id": "west", "size": "50MB"}
AT_SITE = "tyre_models_at_west"


def models(site: Site) -> None:
    """The model volume `tyre_models`, with one version in its repository."""
    volumes.ensure(
        site.client,
        svm=SVM,
        name="tyre_models",
        size_bytes=GIB,
        comment=MARK,
        junction_path="/tyre_models",
        unix_permissions="777",
    )
    folder = site.here.emulator.namespace / "tyre_models" / "triton" / "tyre" / "1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"first")


def bring(way: str) -> Any:
    def make(site: Site) -> EdgeSiteBringOperator:
        item = {"site": EDGE | {"way": way}, "model": "tyre"}
        return EdgeSiteBringOperator(task_id="t", site=item, poll_interval_s=0.01)

    return make


def brought(site: Site) -> None:
    """A second version has come since the site was brought up to date."""
    models(site)
    site.run(bring("snapmirror")(site))
    (site.here.emulator.namespace / "tyre_models" / "triton" / "tyre" / "1" / "config.json").write_bytes(b"{}")


def shown(site: Site) -> object:
    """The site's volume with its files: of snapshots, SnapMirror's own names differ each time."""
    with site.there.client() as client:
        known = [(m.source, m.destination, m.state, m.policy) for m in mirrors.list_mirrors(client)]
    kinds = {v["name"]: (v["type"], v["comment"]) for v in site.there.records("/storage/volumes")}
    top = site.there.emulator.namespace / AT_SITE
    files = {str(p.relative_to(top)): p.read_bytes() for p in sorted(top.rglob("*")) if p.is_file()}
    return known, kinds, {name: content for name, content in files.items() if ".snapshot" not in name}


SCENARIOS = [
    Scenario(
        operator="EdgeSiteBringOperator", name="cache", clusters=2, prepare=models, end=shown, make=bring("flexcache")
    ),
    Scenario(
        operator="EdgeSiteBringOperator",
        name="mirror",
        clusters=2,
        keeps=KEPT,
        prepare=models,
        end=shown,
        make=bring("snapmirror"),
    ),
    Scenario(
        operator="EdgeSiteBringOperator",
        name="mirror, again",
        clusters=2,
        keeps=KEPT,
        prepare=brought,
        end=shown,
        make=bring("snapmirror"),
    ),
    Scenario(
        operator="EdgeSiteBringOperator", name="own volume", clusters=2, prepare=models, end=shown, make=bring("sync")
    ),
]
