"""FlexCache volumes: made once, filled ahead of use, removed only with our mark on them.

A cache shows its origin's files as they are now; it has no snapshots, clones or mirrors of its own, so versions are
those of the origin (see ``dataset_caches``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import cluster, jobs, volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import JobStillRunning, NameTaken, NotFound, NotOurs, OntapPermanentError, UnderWay
from ontap_mlops.ontap.marks import is_ours
from ontap_mlops.ontap.volumes import Volume
from ontap_mlops.pauses import looks

_FIELDS = (
    "uuid,name,svm.name,path,size,origins.svm.name,origins.volume.name,origins.volume.uuid,origins.cluster.name,"
    "origins.state"
)
_RUNS_ALREADY = "66846947"


@dataclass(frozen=True, kw_only=True)
class Cache:
    """``volume`` is the cache as a volume: its comment, its size and what is used of it. None of it is told of others.

    ``origin_state`` is ``online`` or ``offline``, where ONTAP tells it.
    """

    uuid: str
    name: str
    svm: str
    volume: Volume
    origin_svm: str = ""
    origin_volume: str = ""
    origin_volume_uuid: str = ""
    origin_cluster: str = ""
    origin_state: str | None = None

    @property
    def junction_path(self) -> str | None:
        return self.volume.junction_path

    @property
    def comment(self) -> str:
        return self.volume.comment

    @property
    def size_bytes(self) -> int:
        return self.volume.size_bytes or 0

    @property
    def used_bytes(self) -> int:
        return self.volume.used_bytes or 0

    def __str__(self) -> str:
        return f"cache {self.svm}:{self.name} of volume {self.origin_svm}:{self.origin_volume}"


@dataclass(frozen=True, kw_only=True)
class Reads:
    """Blocks that clients have asked a cache for since ONTAP counts, and those it had to fetch from its origin."""

    requested: int
    missed: int


def find(client: Client, *, svm: str, name: str) -> Cache | None:
    asked = f"look up cache {svm}:{name}"
    found = client.records("Flexcache", asked=asked, fields=_FIELDS, name=name, **{"svm.name": svm})
    record = next((each for each in found if each.get("name") == name), None)
    if record is None:
        return None
    try:
        return _cache(record, volumes.by_uuid(client, uuid=record["uuid"]), svm)
    except NotFound:  # it was removed between the two
        return None


def get(client: Client, *, svm: str, name: str) -> Cache:
    """Raises NotFound, also where there is a volume of that name that is no cache."""
    found = find(client, svm=svm, name=name)
    if found is None:
        cluster.svm_uuid(client, svm=svm)
        there = " It is a volume, but no cache." if volumes.find(client, svm=svm, name=name) else ""
        raise NotFound(f"There is no cache {svm}:{name} on ONTAP at {client.address}.{there} Check the name.")
    return found


def list_caches(client: Client, *, svm: str, name: str | None = None) -> list[Cache]:
    """Return the caches of an SVM; ``name`` may hold ``*``."""
    query = {"svm.name": svm} | ({"name": name} if name else {})
    records = client.records("Flexcache", asked=f"list the caches of SVM {svm!r}", fields=_FIELDS, **query)
    if not records:
        return []
    known = {volume.uuid: volume for volume in volumes.list_volumes(client, svm=svm, name=name)}
    return [_cache(record, known[record["uuid"]], svm) for record in records if record["uuid"] in known]


def reads(client: Client, *, svm: str) -> dict[str, Reads]:
    """Return what was read of the caches of an SVM, by UUID; only of those of which ONTAP tells it."""
    wanted = ("client_requested_blocks", "cache_miss_blocks")
    fields = ",".join(f"statistics.flexcache_raw.{name}" for name in wanted)
    query = {"svm.name": svm, "flexcache_endpoint_type": "cache"}
    found = {}
    for record in client.records(
        "Volume", asked=f"read what was read of the caches of {svm!r}", fields=fields, **query
    ):
        counted = (record.get("statistics") or {}).get("flexcache_raw") or {}
        if all(isinstance(counted.get(name), int) for name in wanted):
            found[record["uuid"]] = Reads(requested=counted[wanted[0]], missed=counted[wanted[1]])
    return found


@repeatable
def ensure(
    client: Client,
    *,
    svm: str,
    name: str,
    origin_svm: str,
    origin_volume: str,
    comment: str,
    size_bytes: int | None = None,
    junction_path: str | None = None,
    aggregate: str | None = None,
    accepts: Callable[[str], bool] | None = None,
) -> Cache:
    """Return the cache of this name, made now or by an earlier try, mounted at the path; grown, never shrunk.

    Raises NameTaken where the name belongs to something else, or to a cache of another volume.

    :param origin_svm: as the cache's SVM knows it: on another cluster, the name of the SVM peer.
    :param comment: our mark (``marks.mark``); a cache of this name with another comment is somebody else's.
    :param size_bytes: a tenth of the origin if not given.
    :param aggregate: where to put it; ONTAP chooses if not given.
    :param accepts: says whether another comment is ours too; without it, none is.
    """
    there = find(client, svm=svm, name=name)
    if there is None:
        body: dict[str, Any] = {"name": name, "svm": {"name": svm}}
        body["origins"] = [{"svm": {"name": origin_svm}, "volume": {"name": origin_volume}}]
        body |= {"size": size_bytes} if size_bytes else {}
        body |= {"path": junction_path} if junction_path else {}
        body |= {"aggregates": [{"name": aggregate}]} if aggregate else {}
        asked = f"create cache {svm}:{name} of volume {origin_svm}:{origin_volume}"
        there = _create_once(client, body, svm=svm, name=name, asked=asked)
    there = _adopted(client, there, origin_svm, origin_volume, comment, accepts)
    volume = there.volume
    if size_bytes:
        volume = volumes.grow(client, volume=volume, size_bytes=size_bytes)
    if junction_path:
        volume = volumes.mount(client, volume=volume, junction_path=junction_path)
    return there if volume is there.volume else get(client, svm=svm, name=name)


def prepopulated(
    client: Client,
    *,
    svm: str,
    name: str,
    paths: Sequence[str],
    exclude: Sequence[str] = (),
    recurse: bool = True,
    cursor: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Look how far the copying of these folders into the cache is; begin it where it has not begun.

    One that runs already is waited for, and then these folders are asked for all the same: what is there by then is not
    copied again. ONTAP tells no percentage, so the payload has the bytes that the cache holds before and after.

    :param paths: folders of the volume, such as ``/good``; ``/`` is all of it.
    :param exclude: folders below them to leave out.
    :param cursor: what the last look gave.
    """
    cache = get(client, svm=svm, name=name)
    now: dict[str, Any] = {"before": cache.used_bytes, "job": None, "began": 0.0, "joined": False, "lost": False} | (
        cursor or {}
    )
    asked = f"prepopulate {cache} with {', '.join(paths)}"
    if now["job"] is None:
        begun = _begin(
            client, cache, asked, {"dir_paths": [*paths], "exclude_dir_paths": [*exclude], "recurse": recurse}
        )
        if begun is None:
            said = [] if now["joined"] else [f"A prepopulate of {cache} runs already; its end is waited for."]
            return {"done": False, "cursor": now | {"joined": True}, "lines": said}
        now |= {"job": begun, "began": time.time()}
    job = None
    if now["job"]:
        job = jobs.state(client, now["job"], asked=asked)
        if job is None and not now["lost"]:
            # ONTAP has forgotten the job, so nobody knows how it ended; asked again, what is there is not copied.
            return {"done": False, "cursor": now | {"job": None, "lost": True}}
        if job is not None and not job.done:
            return {"done": False, "cursor": now}
    after = get(client, svm=svm, name=name)
    facts: dict[str, Any] = {
        "before_bytes": now["before"],
        "used_bytes": after.used_bytes,
        "size_bytes": after.size_bytes,
    }
    # Of a job that ended within its second, ONTAP's times tell nothing.
    facts |= {"job": now["job"], "seconds": (job.seconds if job else None) or round(time.time() - now["began"], 3)}
    return {"done": True, "payload": facts | {"joined": now["joined"]}}


def _begin(client: Client, cache: Cache, asked: str, wish: dict[str, Any]) -> str | None:
    """Return the job, "" where the work was done at once, and None where another one is under way."""
    wish = {key: value for key, value in wish.items() if value != []}
    try:
        answer = client.modify("Flexcache", {"uuid": cache.uuid}, {"prepopulate": wish}, asked=asked, wait=False)
    except UnderWay as error:
        if error.code != _RUNS_ALREADY:
            raise
        return None
    return jobs.begun_by(answer) or ""


@repeatable
def mount(client: Client, *, svm: str, name: str, junction_path: str) -> Cache:
    """Mount the cache at this path of its SVM's namespace."""
    cache = get(client, svm=svm, name=name)
    if cache.junction_path == junction_path:
        return cache
    volumes.mount(client, volume=cache.volume, junction_path=junction_path)
    return get(client, svm=svm, name=name)


@repeatable
def delete(
    client: Client, *, svm: str, name: str, comment: str | None = None, accepts: Callable[[str], bool] | None = None
) -> bool:
    """Unmount and remove it; False if it was gone already. Its origin keeps all files.

    Raises NotOurs for a volume that is no cache, and for a cache without our mark.

    :param comment: if given, only a cache with exactly this comment is removed.
    :param accepts: says of which comments a cache may be removed, in place of ``comment``.
    """
    cache = find(client, svm=svm, name=name)
    if cache is None:
        if volumes.find(client, svm=svm, name=name) is not None:
            raise NotOurs(f"Volume {svm}:{name} was not removed: it is no cache.")
        return False
    if accepts is None:
        volumes.require_removable(cache.volume, comment=comment)
    elif not accepts(cache.comment):
        raise NotOurs(f"The {cache} was not removed: its comment is {cache.comment!r} now.")
    if cache.junction_path:
        asked = f"unmount {cache}"
        client.modify("Volume", {"uuid": cache.uuid}, {"nas": {"path": ""}}, asked=asked)
    try:
        client.remove("Flexcache", {"uuid": cache.uuid}, asked=f"remove {cache}")
    except NotFound:
        return False
    return True


def _create_once(client: Client, body: dict[str, Any], *, svm: str, name: str, asked: str) -> Cache:
    """POST, then return the cache as it is. A name that is taken may be our own earlier try, still being made."""
    taken: NameTaken | None = None
    try:
        client.create("Flexcache", body, asked=asked)
    except NameTaken as error:
        taken = error
    for _ in looks(client.job_timeout_s if taken is None else 10.0):
        if (cache := find(client, svm=svm, name=name)) is not None:
            return cache
        if taken is not None and volumes.find(client, svm=svm, name=name) is not None:
            raise taken  # by a volume that is no cache
    raise taken or JobStillRunning(f"ONTAP was asked to {asked}, and it is not there yet. Try again.")


def _adopted(
    client: Client,
    cache: Cache,
    origin_svm: str,
    origin_volume: str,
    comment: str,
    accepts: Callable[[str], bool] | None,
) -> Cache:
    """Return the cache if it is ours: with our comment, or with none yet and of the very volume that we asked for."""
    if (cache.origin_svm, cache.origin_volume) != (origin_svm, origin_volume):
        raise NameTaken(
            f"Cache {cache.svm}:{cache.name} exists, of volume {cache.origin_svm}:{cache.origin_volume} and not of "
            f"{origin_svm}:{origin_volume}. {NameTaken.advice}.",
            code="66846767",
        )
    if not cache.comment:  # ONTAP takes none when it makes a cache, so an earlier try may have died before this
        marked = volumes.set_comment(client, volume=cache.volume, comment=comment)
        return _with(cache, marked)
    if not (accepts and accepts(cache.comment)):
        volumes.require_ours(cache.volume, comment=comment)
    return cache


def require_mounted(cache: Cache) -> None:
    """Raises OntapPermanentError: only what is mounted can be prepopulated."""
    if not cache.junction_path:
        raise OntapPermanentError(
            f"The {cache} is mounted nowhere, so it can neither be read nor prepopulated. Mount it first "
            "(OntapCacheMountOperator, or junction_path of OntapCacheEnsureOperator)."
        )


def ours(caches: Sequence[Cache]) -> list[Cache]:
    return [cache for cache in caches if is_ours(cache.comment)]


def _with(cache: Cache, volume: Volume) -> Cache:
    return Cache(**{**cache.__dict__, "volume": volume})


def _cache(record: dict[str, Any], volume: Volume, svm: str) -> Cache:
    origin = (record.get("origins") or [{}])[0]
    whose = origin.get("volume") or {}
    return Cache(
        uuid=record["uuid"],
        name=record.get("name", volume.name),
        svm=(record.get("svm") or {}).get("name", svm),
        volume=volume,
        origin_svm=(origin.get("svm") or {}).get("name", ""),
        origin_volume=whose.get("name", ""),
        origin_volume_uuid=whose.get("uuid", ""),
        origin_cluster=(origin.get("cluster") or {}).get("name", ""),
        origin_state=origin.get("state"),
    )
