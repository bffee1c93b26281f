from typing import Any

from ontap_mlops.ontap import mirrors, volumes
from ontap_mlops.ontap.marks import mark
from ontap_mlops.operators.edge import EdgeSiteBringOperator
from ontap_mlops.operators.edge_inputs import EdgeInputsBringOperator
from tests.faults.scenarios.mirrors import KEPT
from tests.faults.site import SVM, Scenario, Site
from tests.ontap_mlops.conftest import GIB, MARK

EDGE = {"name": "west", "ontap_conn_id": "ontap_remote", "svm": "svm2", "inference_conn_id": "west", "size": "50MB"}
AT_SITE = "tyre_models_at_west"
INPUTS, INPUTS_HERE = "tyre_inputs_at_west", "tyre_inputs_from_west"


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


def bring_inputs(way: str) -> Any:
    def make(site: Site) -> EdgeInputsBringOperator:
        item = {"site": EDGE | {"way": way}, "model": "tyre", "dataset": "edge_inputs"}
        return EdgeInputsBringOperator(task_id="t", site=item, poll_interval_s=0.01)

    return make


def asked(site: Site) -> None:
    """The site's server has been asked something."""
    with site.there.client() as client:
        where = {"name": INPUTS, "junction_path": f"/{INPUTS}", "unix_permissions": "777"}
        volumes.ensure(client, svm="svm2", size_bytes=50 * 10**6, comment=mark("inputs of tyre at west"), **where)
    (site.there.emulator.namespace / INPUTS / "closed").mkdir()
    (site.there.emulator.namespace / INPUTS / "closed" / "one.png").write_bytes(b"picture")


def shown_here(site: Site) -> object:
    """The site's volume, and what home has of it."""
    with site.here.client() as client:
        known = [(m.source, m.destination, m.state, m.policy) for m in mirrors.list_mirrors(client)]
    kinds = {v["name"]: (v["type"], v["comment"]) for v in site.here.records("/storage/volumes")}
    kinds |= {v["name"]: (v["type"], v["comment"]) for v in site.there.records("/storage/volumes")}
    file = site.here.emulator.namespace / INPUTS_HERE / "closed" / "one.png"
    return known, kinds, file.read_bytes() if file.is_file() else None


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
        operator="EdgeInputsBringOperator",
        name="cache",
        clusters=2,
        prepare=asked,
        end=shown_here,
        make=bring_inputs("flexcache"),
    ),
    Scenario(
        operator="EdgeInputsBringOperator",
        name="mirror",
        clusters=2,
        keeps=KEPT,
        prepare=asked,
        end=shown_here,
        make=bring_inputs("snapmirror"),
    ),
    Scenario(
        operator="EdgeInputsBringOperator",
        name="volume",
        clusters=2,
        prepare=lambda site: None,
        end=shown_here,
        make=bring_inputs("sync"),
    ),
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
