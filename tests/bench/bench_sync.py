"""How fast a dataset arrives, as a whole process from start to end, beside rclone and s5cmd, in turns in one run.

    python tests/bench/bench_sync.py

All read from one server that is not what limits them (tests/bench/slow_s3.py), and write to memory where there is room,
so that no disk does. Sync reads every file again after it arrived and compares its MD5, rclone compares the MD5 of what
it received, s5cmd compares nothing. Target: with everything new at least as fast as the faster of the two, with nothing
changed at most 0.5 s slower than it. ``cp -r`` of the files themselves stands beside them. Figures are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HOUSE))

SETS = {"small": (5000, 22_000), "large": (4, 250 << 20)}  # files, bytes of each
FOLDERS = 10  # that the files lie in
OURS, OTHERS = "sync", ("rclone", "s5cmd")
TARGET_RATIO, TARGET_UNCHANGED_S = 1.0, 0.5
CONNECTIONS = 16  # at once, of each of them
MEMORY = Path("/dev/shm")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--target", type=Path, help="folder to write in; in memory where there is room otherwise")
    parser.add_argument("--output", type=Path, default=HOUSE / "bench" / "sync.json")
    options = parser.parse_args()
    target = options.target or (MEMORY if has_room(MEMORY) else None)
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="ontap-mlops-bench-", dir=target) as place:
        for name in options.sets:
            with tempfile.TemporaryDirectory(prefix="ontap-mlops-bench-") as source:
                make_files(Path(source) / name, name)
                with s3_server(Path(source)):
                    rows += measured(Path(source) / name, name, Path(place), options.rounds)
    for row in rows:
        print(
            f"{row['set']:<6} {row['state']:<10} {row['what']:<7} {row['seconds']:>7.2f} s {row['cpu_s']:>7.2f} CPU s"
        )
    verdicts = [verdict(rows, name, state) for name in options.sets for state in ("new", "unchanged")]
    print("\n".join(verdicts))
    options.output.parent.mkdir(exist_ok=True)
    machine = {"cpus": os.cpu_count(), "load": [round(value, 1) for value in os.getloadavg()]}
    where = "memory" if target == MEMORY else "disk"
    report = {"unit": "seconds, median", "rounds": options.rounds, "machine": machine, "written_to": where}
    options.output.write_text(json.dumps({**report, "verdicts": verdicts, "rows": rows}, indent=2) + "\n")
    return 0


def has_room(folder: Path) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free > 4 << 30


def make_files(folder: Path, name: str) -> None:
    count, size = SETS[name]
    for number in range(count):
        path = folder / f"{number % FOLDERS:02}" / f"{number:05}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.Random(number).randbytes(size))


@contextmanager
def s3_server(folder: Path) -> Iterator[None]:
    """The files as bucket "bench" of a server on a free port, named to S3 clients by the environment."""
    program = [sys.executable, str(Path(__file__).with_name("slow_s3.py")), f"--folder={folder}"]
    server = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        os.environ["AWS_ENDPOINT_URL_S3"] = f"http://127.0.0.1:{int(server.stdout.readline())}"
        os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench", AWS_REGION="us-east-1")
        yield
    finally:
        server.kill()
        server.wait()


def measured(source: Path, name: str, place: Path, rounds: int) -> list[dict[str, object]]:
    """The programs in turns, each first with everything new, then with nothing changed."""
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for what in (OURS, *OTHERS, "cp"):
            target = place / what
            for state in ("new", "unchanged") if what != "cp" else ("new",):
                taken.setdefault((state, what), []).append(run(command(what, name, source, target)))
            check(source, target / "data" if what == OURS else target)
            shutil.rmtree(target)
    return [
        {
            "set": name,
            "state": state,
            "what": what,
            "seconds": round(statistics.median(wall for wall, _ in runs), 3),
            "cpu_s": round(statistics.median(cpu for _, cpu in runs), 3),
            "runs": [round(wall, 3) for wall, _ in runs],
        }
        for (state, what), runs in sorted(taken.items())
    ]


def command(what: str, name: str, source: Path, target: Path) -> list[str]:
    endpoint, programs = os.environ["AWS_ENDPOINT_URL_S3"], Path(sys.executable).parent
    if what == OURS:
        flags = [f"--source=s3://bench/{name}", f"--destination={target}/data", "--delete"]
        return [sys.executable, "-m", "tasks.data.sync", *flags, f"--connections={CONNECTIONS}"]
    if what == "rclone":
        remote = ["--s3-provider=Other", f"--s3-endpoint={endpoint}", "--s3-env-auth", "--s3-list-version=2"]
        speed = [f"--transfers={CONNECTIONS}", f"--checkers={CONNECTIONS}", "--fast-list", "--use-server-modtime"]
        return [str(programs / "rclone"), "--config=", *remote, *speed, "sync", f":s3:bench/{name}", str(target)]
    if what == "s5cmd":
        program = next(Path(str(f.locate())) for f in distribution("s5cmd").files or () if f.match("bin/s5cmd"))
        flags = ["--log=error", f"--endpoint-url={endpoint}", f"--numworkers={CONNECTIONS}"]
        return [str(program), *flags, "sync", "--delete", f"s3://bench/{name}/*", f"{target}/"]
    return ["cp", "-r", str(source), str(target)]


def run(arguments: list[str]) -> tuple[float, float]:
    """Seconds by the wall and of processor time, with the start of the program and all."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(arguments, cwd=HOUSE, stderr=subprocess.PIPE, text=True, timeout=600)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def check(source: Path, target: Path) -> None:
    """Whoever copied less than all has not been fast."""
    wanted = sorted((p.relative_to(source), p.stat().st_size) for p in source.rglob("*") if p.is_file())
    arrived = sorted((p.relative_to(target), p.stat().st_size) for p in target.rglob("*") if p.is_file())
    if wanted != arrived:
        sys.exit(f"{len(arrived)} of {len(wanted)} files arrived in {target}, or not in full.")


def verdict(rows: list[dict[str, object]], name: str, state: str) -> str:
    seconds = {row["what"]: float(str(row["seconds"])) for row in rows if (row["set"], row["state"]) == (name, state)}
    best = min(OTHERS, key=lambda what: seconds[what])
    ours, theirs = seconds[OURS], seconds[best]
    met = ours <= theirs / TARGET_RATIO if state == "new" else ours <= theirs + TARGET_UNCHANGED_S
    wanted = "no more" if state == "new" else f"at most {TARGET_UNCHANGED_S} s more"
    said = f"{name}, {state}: {ours:.2f} s, {best} {theirs:.2f} s ({theirs / ours:.2f} x)"
    return f"{said}; target {wanted} than the faster: {'met' if met else 'missed'}"


if __name__ == "__main__":
    sys.exit(main())
