"""Two sites: a dataset is copied, cached and trained on elsewhere, written there while home rests, and brought back."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ontap_mlops import registry
from ontap_mlops.planning import past
from ontap_mlops.planning.ways import bytes_said, time_said
from scripts.embedded import environment, layout
from scripts.follow import RunFailed, follow
from scripts.plan import recorded
from scripts.systems import text
from scripts.systems.system import System
from scripts.systems.tyre import COUNT, fill_with_samples

if TYPE_CHECKING:
    from scripts.pipeline import Demo
    from scripts.services import Stack

SITE = "remote"
REPLICATE, CACHE, FAIL_OVER, RESTORE = "replicate", "cache_dataset", "fail_over", "restore_dataset"
# The training is there for where it reads; its model need not be a good one.
TRAINING = {"site": SITE, "promote": "never", "epochs": 1, "limit": 100}
WRITTEN = Path("data/good/written at the site.txt")


class TwoSites(System):
    name = "two_sites"
    number = 11
    dataset = "tyre_images"
    train_dag = "tyre_quality"
    steps = "clone, train, judge, all of it at the other site"
    metrics = ("accuracy", "roc_auc")
    first = ("ontap", "ontap_remote", "lake", "airflow")
    other_dags = (REPLICATE, CACHE, FAIL_OVER, RESTORE)

    def fill_lake(self, stack: Stack, day: int, options: argparse.Namespace) -> dict[str, Any]:
        return fill_with_samples(stack, COUNT, day)

    def work(self, demo: Demo) -> None:
        """Each version is copied when it is made; the newest is cached and trained on at the site."""
        demo.api.pause(self.train_dag)  # it is to run where we say, not on each version
        sites = self.sites = Sites(demo)
        sites.bring_home()
        demo.begin("copy", f"{self.ingest_dag}, then {REPLICATE}: a version, and all of it to site {SITE}")
        sites.copy()
        demo.end()
        demo.begin("changes", "Some photographs change, and the next version follows: only what is new")
        demo.number += 1
        demo.fill_lake()
        sites.copy()
        demo.end()
        version = demo.versions()[-1].id
        demo.begin("cache", f"{CACHE}: this version near to the site's compute, by FlexCache")
        sites.run(CACHE, {"site": SITE, "version": version})
        demo.end()
        demo.begin("train", f"{self.train_dag} at site {SITE}: {self.steps}")
        demo.stack.wait_ready()
        demo.train_run = sites.run(self.train_dag, {**TRAINING, "dataset_version": version})
        demo.end()

    def facts(self, demo: Demo) -> dict[str, Any]:
        sites = self.sites
        demo.begin("fail_over", f"{FAIL_OVER}, planned: the site is written, then all of it comes back home")
        failed_over = sites.fail_over()
        demo.end()
        demo.begin("restore", f"{RESTORE}: a file that somebody lost comes back with the version")
        restored = sites.restore(demo.versions()[-1].id)
        demo.end()
        return {
            "moved": [record.to_json() for record in sites.moved()],
            "equal": sites.equal,
            "restored": restored,
            "links": {"fail_over": demo.api.run_link(FAIL_OVER, failed_over)},
        }

    def text(self, facts: dict[str, Any]) -> str:
        link = [f"  {'Fail over':<13} {facts['links']['fail_over']}"]
        judged = text.judged(facts, "images", self.metrics)
        return text.joined(text.version(facts), _moved(facts), _equal(facts), judged, text.links(facts) + link)


class Sites:
    """Home and the other site in one demo: what has run, and what both held at each comparison."""

    def __init__(self, demo: Demo) -> None:
        self.demo, self.api, self.dataset = demo, demo.api, demo.system.dataset
        self.runs: list[str] = []
        self.equal: list[tuple[str, int, str]] = []

    def run(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Run id of a run that has succeeded. Raises RunFailed."""
        self.api.unpause(dag_id)
        of_data = {} if dag_id == self.demo.system.train_dag else {"dataset": self.dataset}
        run_id = self.api.trigger(dag_id, {**of_data, **conf})
        follow(self.api, dag_id, run_id)
        self.runs.append(run_id)
        return run_id

    def bring_home(self) -> None:
        """Go back where an earlier demo was cut off after it had failed over."""
        last = self.api.runs(FAIL_OVER, limit=1)
        if last and (last[0]["conf"].get("direction") != "back" or last[0]["state"] != "success"):
            self.run(FAIL_OVER, {"site": SITE, "direction": "back"})

    def copy(self) -> None:
        """Make a version of what is new in the lake, and bring the copy at the site up to it."""
        self.demo.run_ingest()
        self.runs.append(self.demo.ingest_run)
        self.run(REPLICATE, {"site": SITE})
        self.compare(f"copy {len(self.equal) + 1}")

    def fail_over(self) -> str:
        """Write a file at the site while home rests, and bring it home; return the first run's id. Raises RunFailed."""
        home, site = self.folders()
        run_id = self.run(FAIL_OVER, {"site": SITE, "direction": "to_site"})
        self.compare("failed over")
        (site / WRITTEN).write_text("written while home rested\n")
        self.run(FAIL_OVER, {"site": SITE, "direction": "back"})
        if not (home / WRITTEN).exists():
            raise RunFailed(f"{WRITTEN}, written at site {SITE}, is not at home: look into {home}")
        self.compare("back at home")
        return run_id

    def restore(self, version: str) -> dict[str, str]:
        """Lose a file at home and restore the version. Raises RunFailed where home is not as it was then."""
        home, _ = self.folders()
        (home / WRITTEN).unlink()  # it is of no version
        before = contents(home)
        lost = next(path for path in sorted((home / WRITTEN).parent.iterdir()) if path.is_file())
        lost.unlink()
        run_id = self.run(RESTORE, {"version": version, "dry_run": False})
        if contents(home) != before:
            raise RunFailed(f"{home} is not as it was in version {version}, before {lost.name} was lost")
        return {"file": lost.name, "safety": self.api.xcom(RESTORE, run_id, "restore")["safety"]}

    def compare(self, when: str) -> None:
        """Raises RunFailed where the volume at home and the one at the site do not hold the same files."""
        home, site = self.folders()
        at_home, at_site = contents(home), contents(site)
        if differing := sorted({path for path, _ in at_home.items() ^ at_site.items()}):
            raise RunFailed(f"{when}: {home} and {site} differ in {len(differing)} files, such as {differing[0]}")
        self.equal.append((when, len(at_home), digest(at_home)))

    def folders(self) -> tuple[Path, Path]:
        """The volume at home and its copy at the site, as clients have them mounted."""
        volume, kept = registry.dataset(self.dataset).volume, self.demo.stack.layout
        there = layout.namespace_of(kept.ontap_remote) / environment.REMOTE_SVM
        return kept.namespace / environment.SVM / volume, there / volume

    def moved(self) -> list[past.Record]:
        """Return the transfers of this demo's runs, as Airflow keeps them, oldest first."""
        known = past.read(recorded(self.api))
        return sorted((r for r in known if r.run.partition("/")[2] in self.runs), key=lambda r: r.ended_at)


def contents(folder: Path) -> dict[str, str]:
    """Path to digest of every file of the volume as it is now."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and ".snapshot" not in path.parts)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def digest(files: dict[str, str]) -> str:
    """One digest of all files, their names and contents."""
    return hashlib.sha256("".join(f"{path}\0{of}\n" for path, of in sorted(files.items())).encode()).hexdigest()


def _moved(facts: dict[str, Any]) -> list[str]:
    lines, copied = [], 0
    for each in facts["moved"]:
        dag_id = each["run"].partition("/")[0]
        copied = each["bytes"] if dag_id == REPLICATE else copied
        lines.append(f"  {each['way']:<12}{bytes_said(each['bytes']):>10}{time_said(each['seconds']):>9}  {dag_id}")
    whole = facts["dataset_version"]["bytes"]
    return [
        "Moved, by way: bytes and seconds",
        *lines,
        f"  The last copy moved what had changed: {bytes_said(copied)} of the {bytes_said(whole)} of its version",
    ]


def _equal(facts: dict[str, Any]) -> list[str]:
    lines = [f"  {when:<14}{files:>5} files, sha256 {of[:16]}" for when, files, of in facts["equal"]]
    restored = facts["restored"]
    return [
        "Home and site hold the same, by digest",
        *lines,
        f"Lost and restored: {restored['file']}; how the data was before is snapshot {restored['safety']}",
    ]


SYSTEM = TwoSites()
