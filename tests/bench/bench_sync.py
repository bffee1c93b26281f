"""How fast a dataset arrives on a volume, beside a plain copy of the same files, measured in turns in one run.

    python tests/bench/bench_sync.py

Beside the sync stand `cp -r` of the files themselves (no server in between, nothing verified) and the plain way from
S3, one boto3 `download_file` after the other. Two datasets: many small images, and a few large files. Each figure is
the median of several rounds; the S3 server and the sync share the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HOUSE))

from tests.lake import Lake  # noqa: E402

SETS = {"small": (600, 12_000), "large": (4, 24 << 20)}  # files, bytes of each


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=HOUSE / "bench" / "sync.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ontap-mlops-bench-") as name:
        rows = measured(Path(name), options.rounds)
    for row in rows:
        print(
            f"{row['set']:<6} {row['what']:<28} {row['seconds']:>7.2f} s {row['files_per_s']:>8.0f} files/s "
            f"{row['mb_per_s']:>7.1f} MB/s {row['of_plain_s3']:>6.2f} x plain S3 {row['of_cp']:>6.3f} x cp"
        )
    options.output.parent.mkdir(exist_ok=True)
    report = {"unit": "median seconds", "rounds": options.rounds, "cpus": os.cpu_count(), "rows": rows}
    options.output.write_text(json.dumps(report, indent=2) + "\n")
    return 0


def measured(folder: Path, rounds: int) -> list[dict[str, object]]:
    (folder / "lake").mkdir()
    lake = Lake(folder / "lake")
    lake.start()
    os.environ |= lake.environment
    try:
        lake.client.create_bucket(Bucket="lake")
        return [row for name in SETS for row in rows_of(name, folder, lake, rounds)]
    finally:
        lake.stop()


def rows_of(name: str, folder: Path, lake: Lake, rounds: int) -> list[dict[str, object]]:
    count, size = SETS[name]
    plain = folder / name
    plain.mkdir()
    for number in range(count):
        (plain / f"{number:05}.bin").write_bytes(random.Random(number).randbytes(size))
    upload(plain, name)
    ways: dict[str, Callable[[Path], None]] = {
        "cp -r (no S3, unverified)": lambda to: copied(plain, to),
        "plain S3, one by one": lambda to: downloaded(lake, name, to),
        "sync, everything new": lambda to: synced(name, to),
        "sync, nothing changed": lambda to: synced(name, to),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, go in ways.items():
            target = folder / "volume" / ("data" if way.startswith("sync") else way[:2])
            began = time.monotonic()
            go(target)
            times[way].append(time.monotonic() - began)
        shutil.rmtree(folder / "volume")
    medians = {way: statistics.median(taken) for way, taken in times.items()}
    cp, s3 = (medians[way] for way in list(ways)[:2])
    return [
        {
            "set": name,
            "what": way,
            "seconds": round(seconds, 3),
            "files_per_s": round(count / seconds),
            "mb_per_s": round(count * size / seconds / 1e6, 1),
            "of_plain_s3": round(s3 / seconds, 2),
            "of_cp": round(cp / seconds, 3),
        }
        for way, seconds in medians.items()
    ]


def copied(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-r", source, target], check=True)


def downloaded(lake: Lake, prefix: str, target: Path) -> None:
    client = lake.client
    target.mkdir(parents=True)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="lake", Prefix=f"{prefix}/"):
        for item in page.get("Contents", []):
            client.download_file("lake", item["Key"], str(target / Path(item["Key"]).name))


def synced(prefix: str, target: Path) -> None:
    """The program as it is run, with the start of Python and all."""
    program(["--source", f"s3://lake/{prefix}", "--destination", str(target), "--delete"])


def upload(source: Path, prefix: str) -> None:
    program(["--source", str(source), "--destination", f"s3://lake/{prefix}"])


def program(arguments: list[str]) -> None:
    subprocess.run(
        [sys.executable, "-m", "tasks.data.sync", *arguments], cwd=HOUSE, check=True, stderr=subprocess.DEVNULL
    )


if __name__ == "__main__":
    sys.exit(main())
