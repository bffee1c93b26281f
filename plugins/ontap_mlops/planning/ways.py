"""The ways there are: for each, why it cannot be, and what it would cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ontap_mlops.planning.facts import DAY_S, Job, Kind

# ONTAP's own minimum for a cache: 10 % of the origin, or 1 GB for each constituent if that is more.
CACHE_PART, CACHE_LEAST = 0.1, 10**9
RELEASES_APART = 4  # minor releases between origin and cache (ONTAP's documentation of FlexCache)
FLEXCACHE, SNAPMIRROR, COPY_AND_SYNC, XCP, S3_SYNC, CLONE = (
    "FlexCache",
    "SnapMirror",
    "Copy and Sync",
    "XCP",
    "S3 sync",
    "FlexClone",
)


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way, with what it moves, takes and needs; times are None where no speed is known.

    ``why_not`` is empty for one that fits, else a sentence; ``first_do`` says what has to be done before it can begin.
    """

    name: str
    first_bytes: float
    daily_bytes: float
    space_bytes: float
    first_s: float | None = None
    daily_s: float | None = None
    why_not: str = ""
    first_do: str = ""

    @property
    def fits(self) -> bool:
        return not self.why_not

    def total(self, days: float) -> float:
        """Bytes over so many days."""
        return self.first_bytes + self.daily_bytes * days


Reasons = Iterator[str]

_PEER = {
    SNAPMIRROR: "its two SVMs are not peered yet: the DAG replicate does that by itself",
    FLEXCACHE: "its two SVMs are not peered yet: the DAG cache_dataset does that by itself",
}


def all_ways(job: Job) -> list[Way]:
    """Return every way, those that do not fit with the first reason why."""
    return [_way(job, name, *costs(job), reasons(job)) for name, (costs, reasons) in _WAYS.items()]


def _way(job: Job, name: str, first: float, daily: float, space: float, reasons: Reasons) -> Way:
    rate = job.rate(name)
    first_s, daily_s = (first / rate, daily / rate) if rate else (None, None)
    limits = _limits(job, name, first_s, daily_s, space)
    why_not = next(reasons, "") or next(limits, "")
    return Way(
        name=name,
        first_bytes=first,
        daily_bytes=daily,
        space_bytes=space,
        first_s=first_s,
        daily_s=daily_s,
        why_not=why_not,
        first_do="" if why_not or job.peered is not False else _PEER.get(name, ""),
    )


def _limits(job: Job, name: str, first_s: float | None, daily_s: float | None, space: float) -> Reasons:
    """What rules out any way: no room, too slow at first, or slower each day than the data changes."""
    free = job.target.free_bytes
    if free is not None and space > free:
        yield f"needs {bytes_said(space)} at {job.target.name}, where {bytes_said(free)} are free"
    if first_s is not None and job.within_s is not None and first_s > job.within_s:
        yield f"needs {time_said(first_s)} at first, more than the {time_said(job.within_s)} there are"
    if daily_s is not None and daily_s > DAY_S:
        yield f"each day's changes need {time_said(daily_s)} on this line: it never catches up"


def _whole(job: Job) -> tuple[float, float, float]:
    """Copies of whole files: all of it, then every file that has changed, in whole."""
    daily = min(job.changed * job.whole_files, max(float(job.size_bytes), job.changed))
    return float(job.size_bytes), daily, float(job.size_bytes)


def _clone(job: Job) -> tuple[float, float, float]:
    """A clone shares every block with its parent; space is what is written to it, or kept of what changed."""
    return 0.0, 0.0, min(job.changed * job.keep_days, float(job.size_bytes))


def _cache(job: Job) -> tuple[float, float, float]:
    """What is read, once; then what has changed of that, at most as often as it is read."""
    read = job.size_bytes * job.readers.share if job.readers.count else 0.0
    again = min(job.changed, job.size_bytes * job.readers.each_day) * job.readers.share if job.readers.count else 0.0
    return read, again, max(read, job.size_bytes * CACHE_PART, float(CACHE_LEAST))


def _mirror(job: Job) -> tuple[float, float, float]:
    """All of it, then the blocks that have changed; what has changed is kept in the target's snapshots."""
    return float(job.size_bytes), job.changed, job.size_bytes + job.changed * job.keep_days


def _not_a_clone(job: Job) -> Reasons:
    if not job.both_on_ontap:
        yield f"{_foreign(job)} is not on ONTAP"
    if not job.same_cluster:
        yield f"{job.source.name} and {job.target.name} are not on one cluster"


def _not_a_cache(job: Job) -> Reasons:
    if not job.both_on_ontap:
        yield f"{_foreign(job)} is not on ONTAP"
    if job.snapshots:
        yield "a cache has no snapshots and no clones, and versions are wanted at the target"
    if job.source.is_cache:
        yield f"{job.source.name} is a cache itself, and a cache of a cache there is not"
    if job.source.is_s3_volume:
        yield f"{job.source.name} holds S3 buckets only, and cannot be an origin"
    old = next((end for end in (job.source, job.target) if end.version and end.version < (9, 8)), None)
    if old:
        yield f"ONTAP of {old.name} is older than 9.8, before which a cache cannot be filled in advance"
    if _apart(job) > RELEASES_APART:
        yield f"the releases are {_apart(job)} apart, and a cache takes at most {RELEASES_APART}"
    if job.writes and min((end.version or (9, 99)) for end in (job.source, job.target)) < (9, 15):
        yield "somebody writes at the target, and a cache writes through to the origin before 9.15.1"


def _not_a_mirror(job: Job) -> Reasons:
    if not job.both_on_ontap:
        yield f"{_foreign(job)} is not on ONTAP"
    if job.writes:
        yield "somebody writes at the target, and a mirror is read-only until it is broken"
    if job.source.is_cache:
        yield f"{job.source.name} is a cache, of which there is no mirror"
    bare = next((end for end in (job.source, job.target) if end.snapmirror_licence is False), None)
    if bare:
        yield f"{bare.name} has no licence for SnapMirror"


def _not_copy_and_sync(job: Job) -> Reasons:
    yield from _no_versions(job)
    if job.copy_and_sync is False:
        yield "there is no data broker of NetApp Copy and Sync"
    kinds = {job.source.kind, job.target.kind}
    if Kind.SMB in kinds and Kind.NFS in kinds:
        yield "Copy and Sync has no pair of NFS and SMB"


def _not_xcp(job: Job) -> Reasons:
    yield from _no_versions(job)
    other = next((end for end in (job.source, job.target) if end.kind not in (Kind.ONTAP, Kind.NFS)), None)
    if other:
        yield f"{other.name} is {other.kind.upper()}, and XCP copies from NFS to NFS here"


def _not_s3_sync(job: Job) -> Reasons:
    yield from _no_versions(job)
    ends = (job.source, job.target)
    if all(end.kind is not Kind.S3 for end in ends):
        yield "neither end is an S3 bucket"
    other = next((end for end in ends if end.kind is not Kind.S3 and not (end.kind in _FOLDERS and end.mounts)), None)
    if other:
        yield f"{other.name} is no folder that programs of this project mount"
    if all(end.kind is Kind.S3 for end in ends):
        yield "both ends are buckets, and S3 sync needs one that is a folder"


_FOLDERS = (Kind.ONTAP, Kind.NFS)


def _no_versions(job: Job) -> Reasons:
    if job.snapshots and not job.target.on_ontap:
        yield f"versions are wanted, and {job.target.name} has no snapshots"


_WAYS: dict[str, tuple[Callable[[Job], tuple[float, float, float]], Callable[[Job], Reasons]]] = {
    CLONE: (_clone, _not_a_clone),
    FLEXCACHE: (_cache, _not_a_cache),
    SNAPMIRROR: (_mirror, _not_a_mirror),
    S3_SYNC: (_whole, _not_s3_sync),
    XCP: (_whole, _not_xcp),
    COPY_AND_SYNC: (_whole, _not_copy_and_sync),
}
NAMES = tuple(_WAYS)


def _foreign(job: Job) -> str:
    return next(end.name for end in (job.source, job.target) if not end.on_ontap)


def _apart(job: Job) -> int:
    """Minor releases between the two ends; 0 where one is not known."""
    if not job.source.version or not job.target.version:
        return 0
    return abs(job.source.version[1] - job.target.version[1])


def bytes_said(count: float) -> str:
    """Return a number of bytes in words, by 1000."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.4g} PB"


def time_said(seconds: float | None) -> str:
    """Return a time in words."""
    if seconds is None:
        return "not known"
    for unit, length in (("days", DAY_S * 2), ("h", 5400), ("min", 90)):
        if seconds >= length:
            return f"{seconds / {'days': DAY_S, 'h': 3600, 'min': 60}[unit]:.3g} {unit}"
    return f"{seconds:.3g} s"
