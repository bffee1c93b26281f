"""fio: what is asked of it, and its answer in few figures.

Each job works on files of the folder that it is given, so that a later one may read what an earlier one has written.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.common.program import BadInput, Stopped, TryAgain

MISSING = "fio was not found where this program runs; install it, on Debian with `apt-get install fio`."
BLOCK, PAGE = "1M", "4k"
SLACK_S = 300
"""Beyond its own run time, after which fio counts as stuck on the path."""
_ON_NAMES = ("filestat", "filedelete")
"""Engines that read and write nothing, whatever fio says of bytes."""
_IN_TURN = {"openfiles": 1, "file_service_type": "sequential"}


@dataclass(frozen=True)
class Job:
    """``cache`` is what the reads of it find: ``cold``, ``warm``, or nothing to say for writes."""

    name: str
    title: str
    options: Mapping[str, Any]
    cache: str = ""


def sequential(size: int, *, direct: bool, warm: bool) -> list[Job]:
    file = {"filename": "sequential", "size": size, "bs": BLOCK, "iodepth": 8}
    jobs = [
        Job("seq_write", "sequential write, 1 MiB", {**file, "rw": "write", "end_fsync": 1, **_cold(direct)}),
        Job("seq_read", "sequential read, 1 MiB", {**file, "rw": "read", **_cold(direct)}, "cold"),
    ]
    if warm:
        jobs.append(Job("seq_read_warm", "sequential read, 1 MiB", {**file, "rw": "read", **_WARM}, "warm"))
    return jobs


def random(size: int, seconds: float, *, direct: bool, warm: bool) -> list[Job]:
    file = {"filename": "sequential", "size": size, "bs": PAGE, "iodepth": 32, **_for(seconds)}
    jobs = [
        Job("rand_read", "random read, 4 KiB", {**file, "rw": "randread", **_cold(direct)}, "cold"),
        Job("rand_write", "random write, 4 KiB", {**file, "rw": "randwrite", **_cold(direct)}),
    ]
    if warm:
        jobs.append(Job("rand_read_warm", "random read, 4 KiB", {**file, "rw": "randread", **_WARM}, "warm"))
    return jobs


def mixed(size: int, seconds: float, *, direct: bool) -> list[Job]:
    file = {"filename": "sequential", "size": size, "bs": PAGE, "iodepth": 32, **_for(seconds)}
    asked = {**file, "rw": "randrw", "rwmixread": 70, **_cold(direct)}
    return [Job("mixed", "random, 70 % read and 30 % write, 4 KiB", asked, "cold")]


def frames(size: int, seconds: float, *, direct: bool, frame: int, rate: int, streams: int) -> list[Job]:
    """Streams of frames at a fixed rate, each file read or written front to back as a player or recorder does."""
    each = max(frame, size // streams // frame * frame)
    asked = {"size": each, "bs": frame, "iodepth": 1, "numjobs": streams, "rate_iops": rate, **_for(seconds)}
    what = f"{streams} streams of {rate} frames a second, {frame / 1e6:g} MB each"
    return [
        Job("frames_write", f"write {what}", {**asked, "rw": "write", **_cold(direct)}),
        Job("frames_read", f"read {what}", {**asked, "rw": "read", **_cold(direct)}, "cold"),
    ]


def small_files(count: int, size: int) -> list[Job]:
    files = {"nrfiles": count, "filesize": size, "bs": size, "filename_format": "small.$filenum", **_IN_TURN}
    told = f"{count} files of {size // 1024} KiB"
    return [
        Job(
            "small_write",
            f"write {told}",
            {**files, "rw": "write", "create_on_open": 1, "fsync_on_close": 1, "ioengine": "psync"},
        ),
        Job("small_read", f"read {told}", {**files, "rw": "read", "ioengine": "psync", "invalidate": 1}, "cold"),
        Job("small_stat", f"look at {told}", {**files, "ioengine": "filestat"}),
        Job("small_delete", f"delete {told}", {**files, "ioengine": "filedelete"}),
    ]


def _for(seconds: float) -> dict[str, Any]:
    return {"runtime": f"{max(1, round(seconds * 1000))}ms", "time_based": 1}


def _cold(direct: bool) -> dict[str, Any]:
    return {"ioengine": "libaio", "direct": 1} if direct else {"ioengine": "psync", "invalidate": 1}


_WARM = {"ioengine": "psync", "invalidate": 0, "pre_read": 1}


def goes_direct(folder: Path) -> bool:
    """Whether files there can be read past this machine's page cache."""
    path = folder / "direct"
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_DIRECT))
    except (OSError, AttributeError):
        return False
    finally:
        path.unlink(missing_ok=True)
    return True


def run(job: Job, folder: Path, seconds: float) -> dict[str, Any]:
    """Return the figures of the job: rate, operations a second, latency, frames dropped.

    Raises BadInput where fio is not there, TryAgain with fio's own sentence where the path failed it.
    """
    program = shutil.which("fio")
    if program is None:
        raise BadInput(MISSING)
    with tempfile.TemporaryDirectory() as elsewhere:
        answer = Path(elsewhere) / "answer.json"
        asked = {"name": job.name, "directory": folder, "group_reporting": 1, **job.options}
        command = [program, "--output-format=json+", f"--output={answer}"]
        command += [f"--{name}={value}" for name, value in asked.items()]
        said = _finished(command, job, folder, seconds)
        try:
            (told,) = json.loads(answer.read_text())["jobs"]
        except (OSError, ValueError, KeyError):
            raise TryAgain(f"fio gave no answer on {folder} for {job.name}: {_said(said)}.") from None
    if told["error"]:
        raise TryAgain(f"fio failed on {folder} in {job.name}: {os.strerror(told['error'])}; {_said(said)}.")
    return figures(job, told)


def _finished(command: list[str], job: Job, folder: Path, seconds: float) -> str:
    """What fio said. It is ended with this program, and where it hangs on the path."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        said, _ = process.communicate(timeout=seconds + SLACK_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise TryAgain(
            f"{folder} has not answered for {SLACK_S} s in {job.name}; see whether the storage is there."
        ) from None
    except Stopped:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode:
        raise TryAgain(f"fio failed on {folder} in {job.name}: {_said(said)}.")
    return said


def figures(job: Job, told: Mapping[str, Any]) -> dict[str, Any]:
    """fio's answer in MB/s (10^6 bytes), operations a second and milliseconds; reads and writes together."""
    sides = [told[side] for side in ("read", "write") if told[side]["total_ios"]]
    if not sides:
        raise TryAgain(f"fio did nothing in {job.name}; is the run time too short for the path?")
    slowest = max(sides, key=lambda side: side["clat_ns"]["mean"])
    found: dict[str, Any] = {
        "title": job.title,
        "cache": job.cache,
        "mb_per_s": 0.0 if job.options["ioengine"] in _ON_NAMES else sum(side["bw_bytes"] for side in sides) / 1e6,
        "operations_per_s": sum(side["iops"] for side in sides),
        "p50_ms": _percentile(slowest, "50.000000"),
        "p99_ms": _percentile(slowest, "99.000000"),
    }
    rate = job.options.get("rate_iops")
    if rate:
        found |= _dropped(job, sides[0], rate)
    return found


def _dropped(job: Job, side: Mapping[str, Any], rate: int) -> dict[str, Any]:
    """Frames that came later than the next one was due, and those that were never asked for since others were late."""
    period_ns = 1e9 / rate
    late = sum(count for ns, count in side["clat_ns"].get("bins", {}).items() if int(ns) > period_ns)
    due = int(job.options["numjobs"] * rate * side["runtime"] / 1000)
    return {"frames": due, "dropped": min(due, late + max(0, due - side["total_ios"]))}


def _percentile(side: Mapping[str, Any], which: str) -> float:
    return float(side["clat_ns"].get("percentile", {}).get(which, side["clat_ns"]["mean"])) / 1e6


def _said(text: str) -> str:
    """The line that names what went wrong; fio's last one often says only that it stops."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower() or "is not" in line]
    return (telling or lines or ["it said nothing"])[0].removeprefix("fio: ").rstrip(".")
