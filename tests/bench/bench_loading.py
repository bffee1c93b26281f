"""Chest X-rays and road scenes read from a folder, from S3 and from a cache, compared.

    python tests/bench/bench_loading.py

In turns, the same pictures: files of the dataset's volume, objects of an S3 server that answers at once or 5 ms late,
as over a network, and files of a FlexCache of the version at another site, which is filled first. Each read is what a
training does before its first step and in its first epoch: list, read, hash, split, decode. Of several rounds the
quickest counts, so that what else this machine is doing counts little. The emulator's caches show
the files of their origin: filling one is measured as its job takes, reading it as a folder is read.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(HOUSE), str(HOUSE / "plugins")]

from ontap_mlops.ontap import cluster, dataset_caches, dataset_versions, marks, volumes  # noqa: E402
from ontap_mlops.ontap.client import Client  # noqa: E402
from ontap_mlops.records import DatasetVersion  # noqa: E402
from tasks.chest import dataset as chest  # noqa: E402
from tasks.chest import generate  # noqa: E402
from tasks.common.data import open_source, open_target  # noqa: E402
from tasks.lane import dataset as lane  # noqa: E402
from tasks.lane import samples  # noqa: E402
from tests.bench.bench_loader import s3_server  # noqa: E402
from tests.bench.measured import stamp  # noqa: E402
from tests.conftest import Emulator, peer  # noqa: E402

DELAYS_MS = (0, 5)
FOLDER, CACHE = "folder", "cache, filled"
GIB = 1024**3


def read_chest(where: str) -> int:
    found = chest.load(open_source(where), chest.Asked(side=64))
    return len(found.training) + len(found.held_out)


def read_lane(where: str) -> int:
    scenes = lane.load(open_source(where), (256, 144))
    examples = scenes.training + scenes.held_out
    for example in examples:
        scenes.picture(example)
    return len(examples)


SYSTEMS: dict[str, Callable[[str], int]] = {"chest": read_chest, "lane": read_lane}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=240, help="of each system")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--output", type=Path, default=HOUSE / "bench" / "loading.json")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, two_clusters(Path(folder)) as (here, there):
        for system in SYSTEMS:
            rows += measured(system, here, there, options)
    for row in rows:
        filled = f"   filled in {row['fill_s']} s" if "fill_s" in row else ""
        print(f"{row['system']:<6} {row['way']:<14} {row['pictures_per_s']:>8.1f}/s {row['ratio']:>6.2f} x{filled}")
    machine = {"cpus": os.cpu_count(), "load": [round(value, 1) for value in os.getloadavg()]}
    facts = {"unit": "pictures/s, of the quickest round; ratio to the folder", "machine": machine, **stamp()}
    facts |= {"pictures": options.pictures, "rounds": options.rounds, "rows": rows}
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(facts, indent=2) + "\n")
    return 0


@contextlib.contextmanager
def two_clusters(folder: Path) -> Iterator[tuple[Emulator, Emulator]]:
    """Home, and the site of the cache."""
    here, there = Emulator(folder / "here"), Emulator(folder / "there", "--svm", "svm2")
    try:
        peer(here.start(), there.start())
        yield here, there
    finally:
        here.close()
        there.close()


def measured(system: str, here: Emulator, there: Emulator, options: argparse.Namespace) -> list[dict[str, Any]]:
    with connected(here) as home, connected(there) as site:
        version, data = frozen(home, here, system, options.pictures)
        cached, fill_s = filled(home, site, there, version)
    read, rates = SYSTEMS[system], defaultdict[str, list[float]](list)
    for _ in range(options.rounds):
        for way, where in ((FOLDER, str(data)), (CACHE, str(cached))):
            rates[way].append(rate(read, where))
        for delay_ms in DELAYS_MS:
            with s3_server(str(data), delay_ms):
                rates[f"S3, {delay_ms} ms"].append(rate(read, "s3://bench"))
    best = {way: max(values) for way, values in rates.items()}
    return [
        {
            "system": system,
            "way": way,
            "pictures_per_s": round(value, 1),
            "ratio": round(value / best[FOLDER], 2),
            **({"fill_s": round(fill_s, 2)} if way == CACHE else {}),
        }
        for way, value in best.items()
    ]


def rate(read: Callable[[str], int], where: str) -> float:
    begun = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):
        count = read(where)
    return count / (time.perf_counter() - begun)


@contextlib.contextmanager
def connected(to: Emulator) -> Iterator[Client]:
    client = Client(host=to.host, port=to.port, username=to.user, password=to.password, verify=to.ca)
    try:
        yield client
    finally:
        client.close()


def frozen(home: Client, here: Emulator, system: str, count: int) -> tuple[DatasetVersion, Path]:
    """A version of drawn pictures, and where its data lies."""
    asked = {"svm": "svm1", "name": system}
    mark = marks.mark(f"dataset {system}")
    volumes.ensure(home, **asked, size_bytes=GIB, comment=mark, junction_path=f"/{system}")
    data = here.namespace / system / "data"
    if system == "chest":
        generate.bring(open_target(str(data)), list(generate.plan(1, count)), 1, generate.SIDE)
    else:
        samples.bring(open_target(str(data)), count, samples.WIDTH)
    files = [path for path in data.rglob("*") if path.is_file()]
    facts = {"source": "drawn", "files": len(files), "size": sum(path.stat().st_size for path in files)}
    made = dataset_versions.freeze(
        home, svm="svm1", volume=system, dataset=system, **facts, digest="sha256:" + "0" * 64, run_key="r0"
    )
    return made.version, data


def filled(home: Client, site: Client, there: Emulator, version: DatasetVersion) -> tuple[Path, float]:
    """The cached version's data at the site, and the seconds from asking for the cache until it is filled."""
    begun = time.perf_counter()
    ends = dataset_caches.Ends(home=home, there=site, site="west", svm="svm2", budget_bytes=10 * GIB)
    owner = {"owner": "r0 bench/manual__1", "is_over": lambda owner: False, "now": cluster.now(site)}
    made = dataset_caches.ensure(ends, version=version, size_bytes=dataset_caches.size_for(version), **owner)
    subject = {"version": version.to_json(), "svm": "svm2", "paths": ["/"]}
    look = dataset_caches.filled(site, **subject)
    while not look["done"]:
        time.sleep(0.05)
        look = dataset_caches.filled(site, **subject, cursor=look["cursor"])
    return there.namespace / made.cache.name / "data", time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
