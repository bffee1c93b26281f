"""Dataset versions cached at other sites.

A cache shows its origin as it is now, and never a snapshot. So the origin is a FlexClone of the version's snapshot,
made at home and never written; one clone serves the caches of all sites, and keeps the snapshot as long as there is
one. The cache's comment says what it is, when it was last used and who is removing it, so nothing beside ONTAP has to
be asked.

A run takes its lease and then reads the comment; an eviction writes the comment and then reads the leases. So of two
that meet, at least one sees the other and steps back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ontap_mlops import names
from ontap_mlops.ontap import cache_uses, caches, clones, volumes
from ontap_mlops.ontap.cache_uses import IsOver
from ontap_mlops.ontap.caches import Cache
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.errors import InUse, NotFound, OntapError, OntapPermanentError, SpaceFull, UnderWay
from ontap_mlops.ontap.marks import mark
from ontap_mlops.ontap.volumes import Volume
from ontap_mlops.records import DatasetVersion

MIB = 1024**2
LEAST_BYTES = 100 * MIB
_SPARE = 10  # one part in so many is added to a version's bytes, for what a file system needs beside
_CACHED = re.compile(re.escape(mark("cache of ")) + r"(\S+) (\S+) at (\S+), used (\S+?)(?:, removed by (.+))?")
_ORIGIN = re.compile(re.escape(mark("cache origin of ")) + r"(\S+) (\S+)")


@dataclass(frozen=True, kw_only=True)
class Cached:
    """A cached version at a site. ``used`` is when it was last said to be used, by the site's clock.

    ``removed_by`` is the owner (see ``cache_uses.owner``) of an eviction that is at it; None where there is none.
    """

    cache: Cache
    dataset: str
    version_id: str
    site: str
    used: datetime
    removed_by: str | None = None

    def __str__(self) -> str:
        return f"{self.dataset} {self.version_id} at {self.site}"


@dataclass(frozen=True, kw_only=True)
class Room:
    """Space for caches at a site, in bytes."""

    budget_bytes: int
    committed_bytes: int

    @property
    def left_bytes(self) -> int:
        return max(0, self.budget_bytes - self.committed_bytes)


@dataclass(frozen=True, kw_only=True)
class Ends:
    """Both ONTAPs: ``home`` has the dataset, ``there`` the cache, on SVM ``svm`` at ``site``.

    ``aggregate`` is where caches are made there; None lets ONTAP choose. ``home_svm`` is what the site's SVM calls the
    dataset's, its peer; None for its own name.
    """

    home: Client
    there: Client
    site: str
    svm: str
    budget_bytes: int
    aggregate: str | None = None
    home_svm: str | None = None


def size_for(version: DatasetVersion) -> int:
    """Bytes that a cache of the whole version takes, in whole MiB."""
    wanted = max(version.bytes + version.bytes // _SPARE, LEAST_BYTES)
    return -(-wanted // MIB) * MIB


def list_cached(client: Client, *, svm: str) -> list[Cached]:
    """Return the cached versions of an SVM, those used longest ago first."""
    named = caches.list_caches(client, svm=svm, name=names.cache_volume("") + "*")
    found = [_cached(cache) for cache in named]
    return sorted((each for each in found if each is not None), key=lambda each: (each.used, each.cache.name))


def find(client: Client, *, svm: str, version_id: str) -> Cached | None:
    cache = caches.find(client, svm=svm, name=names.cache_volume(version_id))
    return _cached(cache) if cache else None


def room(cached: Iterable[Cached], budget_bytes: int) -> Room:
    return Room(budget_bytes=budget_bytes, committed_bytes=sum(each.cache.size_bytes for each in cached))


def ensure(
    ends: Ends, *, version: DatasetVersion, size_bytes: int, owner: str, is_over: IsOver, now: datetime
) -> Cached:
    """Return the cache of the version at the site, made now or by an earlier try, with a lease of ``owner`` on it.

    Raises SpaceFull, naming what could be removed first, where the site's budget has no room for it. Then, and where
    ONTAP refuses, nothing that this made stays.

    :param owner: see ``cache_uses.owner``.
    :param now: becomes the time of its last use.
    """
    name, there = names.cache_volume(version.id), ends.there
    before = list_cached(there, svm=ends.svm)
    known = next((each for each in before if each.cache.name == name), None)
    more = max(0, size_bytes - (known.cache.size_bytes if known else 0))
    _require_room(ends, version, before, more)
    clone = _origin(ends, version, name)
    try:
        cache_uses.take(ends.home, volume_uuid=clone.uuid, site=ends.site, owner=owner)
        cache = caches.ensure(
            there,
            svm=ends.svm,
            name=name,
            origin_svm=ends.home_svm or version.svm,
            origin_volume=name,
            comment=_comment(version.dataset, version.id, ends.site, now),
            size_bytes=size_bytes,
            junction_path=names.junction_path(name),
            aggregate=ends.aggregate,
            accepts=lambda comment: _is_of(comment, version),
        )
        if known is None:
            _withdraw_if_late(ends, version, name)
    except OntapPermanentError as error:
        _undo(ends, version, clone, owner)
        raise _explained(ends, clone, error) from error
    made = _cached(cache)
    if made is None:
        raise UnderWay(f"The comment of {cache} was changed while it was made. {UnderWay.advice}.")
    if made.removed_by and not is_over(made.removed_by):
        cache_uses.release(ends.home, volume_uuid=clone.uuid, site=ends.site, owner=owner)
        raise UnderWay(f"{made} is being removed by {made.removed_by}. {UnderWay.advice}.")
    return touch(there, made, now)


def filled(
    client: Client,
    *,
    version: dict[str, Any],
    svm: str,
    paths: Sequence[str],
    cursor: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Look how far the copying of folders of a version into its cache is, see ``caches.prepopulated``; none is done."""
    if not paths:
        return {"done": True, "payload": {"version": version}}
    name = names.cache_volume(version["id"])
    seen = caches.prepopulated(client, svm=svm, name=name, paths=paths, cursor=cursor)
    return seen | ({"payload": {"version": version, **seen["payload"]}} if seen["done"] else {})


def touch(client: Client, cached: Cached, now: datetime) -> Cached:
    """Note that it is used now, and that nobody removes it; a time that is known and later stays."""
    if cached.used >= now.replace(microsecond=0) and not cached.removed_by:
        return cached
    return note(client, cached, used=max(cached.used, now))


def note(client: Client, cached: Cached, *, used: datetime, removed_by: str | None = None) -> Cached:
    """Write when it was last used, and who removes it, into the comment of the cache."""
    comment = _comment(cached.dataset, cached.version_id, cached.site, used, removed_by)
    marked = volumes.set_comment(client, volume=cached.cache.volume, comment=comment)
    return replace(cached, cache=replace(cached.cache, volume=marked), used=used, removed_by=removed_by)


def release(ends: Ends, *, dataset: str, home_svm: str, owner: str, now: datetime) -> list[str]:
    """Give up what ``owner`` holds of a dataset at the site, and note that it was used until now.

    Return the names of the volumes. A lease is found without its cache too, as a try that died may have left it.
    """
    held = []
    for clone in origins(ends.home, svm=home_svm, dataset=dataset):
        leases = cache_uses.uses(ends.home, volume_uuid=clone.uuid, site=ends.site)
        if any(lease.owner == owner for lease in leases):
            cache = caches.find(ends.there, svm=ends.svm, name=clone.name)
            if cached := _cached(cache) if cache else None:
                touch(ends.there, cached, now)
            cache_uses.release(ends.home, volume_uuid=clone.uuid, site=ends.site, owner=owner)
            held.append(clone.name)
    return held


def origins(client: Client, *, svm: str, dataset: str | None = None) -> list[Volume]:
    """Return the clones at home that were made to be cached, of one dataset or of all."""
    found = [v for v in volumes.list_volumes(client, svm=svm, name=names.cache_volume("") + "*") if is_origin(v)]
    return [v for v in found if dataset is None or v.comment.startswith(mark(f"cache origin of {dataset} "))]


def remove_origin(client: Client, *, svm: str, name: str, is_over: IsOver = lambda owner: False) -> bool:
    """Remove a clone that no cache and no run needs any more; False where it stays, or was gone."""
    clone = volumes.find(client, svm=svm, name=name)
    if clone is None or not is_origin(clone):
        return False
    if not all(is_over(lease.owner) for lease in cache_uses.uses(client, volume_uuid=clone.uuid)):
        return False
    try:
        return clones.delete(client, svm=svm, name=name, comment=clone.comment)
    except InUse:  # the cache of another site
        return False


def is_origin(volume: Volume) -> bool:
    """Tell whether the volume is, beyond doubt, a clone that was made to be cached."""
    match = _ORIGIN.fullmatch(volume.comment)
    return match is not None and volume.is_clone and volume.name == names.cache_volume(match[2])


def _origin(ends: Ends, version: DatasetVersion, name: str) -> Volume:
    return clones.ensure(
        ends.home,
        svm=version.svm,
        name=name,
        parent_volume=version.volume,
        parent_snapshot=version.snapshot,
        comment=mark(f"cache origin of {version.dataset} {version.id}"),
        junction_path=names.junction_path(name),
    )


def _require_room(ends: Ends, version: DatasetVersion, there: Sequence[Cached], more: int) -> None:
    space = room(there, ends.budget_bytes)
    if more <= space.left_bytes:
        return
    used = {each.cache.name: _users(ends, each) for each in there}
    free = [each for each in there if not used[each.cache.name]]
    could = ", ".join(f"{each} ({_mb(each.cache.size_bytes)}, used {each.used:%Y-%m-%d %H:%M} UTC)" for each in free)
    busy = ", ".join(f"{each} ({', '.join(used[each.cache.name])})" for each in there if used[each.cache.name])
    advice = f"Could be removed first (DAG evict_caches): {could}." if could else "None of its caches is unused."
    raise SpaceFull(
        f"Version {version.id} of {version.dataset} was not cached at site {ends.site}: it takes {_mb(more)}, and of "
        f"the {_mb(space.budget_bytes)} that cache_bytes of the site allows {_mb(space.left_bytes)} are left. {advice}"
        + (f" In use: {busy}." if busy else "")
    )


def _users(ends: Ends, cached: Cached) -> list[str]:
    """Owners of leases, as far as this home knows; a cache of another home's dataset shows none."""
    found = cache_uses.uses(ends.home, volume_uuid=cached.cache.origin_volume_uuid, site=cached.site)
    return [lease.owner for lease in found]


def _withdraw_if_late(ends: Ends, version: DatasetVersion, name: str) -> None:
    """Of two that were made at the same time and do not fit together, the later one is taken back."""
    found = sorted(list_cached(ends.there, svm=ends.svm), key=_made)
    committed = 0
    for each in found:
        committed += each.cache.size_bytes
        if each.cache.name == name and committed > ends.budget_bytes:
            caches.delete(ends.there, svm=ends.svm, name=name, accepts=lambda comment: _is_of(comment, version))
            _require_room(ends, version, [other for other in found if other is not each], each.cache.size_bytes)


def _made(cached: Cached) -> tuple[str, str]:
    return cached.cache.volume.created_at or "", cached.cache.name


def _undo(ends: Ends, version: DatasetVersion, clone: Volume, owner: str) -> None:
    """Without a cache at the site the lease means nothing, and the clone goes unless somebody else needs it."""
    try:
        if caches.find(ends.there, svm=ends.svm, name=clone.name) is None:
            cache_uses.release(ends.home, volume_uuid=clone.uuid, site=ends.site, owner=owner)
            remove_origin(ends.home, svm=version.svm, name=clone.name)
    except OntapError:  # what is left is found by the next try, or collected
        return


def _explained(ends: Ends, clone: Volume, error: OntapError) -> OntapError:
    """What is missing may have been removed by an eviction that met this: then it is worth another try."""
    if isinstance(error, NotFound) and volumes.find(ends.home, svm=clone.svm, name=clone.name) is None:
        return UnderWay(f"{error} Its origin was removed meanwhile; {UnderWay.advice.lower()}.")
    return error


def _comment(dataset: str, version_id: str, site: str, used: datetime, removed_by: str | None = None) -> str:
    said = f"cache of {dataset} {version_id} at {site}, used {used.isoformat(timespec='seconds')}"
    return mark(said + (f", removed by {removed_by}" if removed_by else ""))


def _is_of(comment: str, version: DatasetVersion) -> bool:
    match = _CACHED.fullmatch(comment)
    return match is not None and (match[1], match[2]) == (version.dataset, version.id)


def _cached(cache: Cache) -> Cached | None:
    """None for a cache that is not, beyond doubt, one of a dataset version."""
    match = _CACHED.fullmatch(cache.comment)
    if match is None or cache.name != names.cache_volume(match[2]):
        return None
    try:
        used = datetime.fromisoformat(match[4])
    except ValueError:
        return None
    if used.tzinfo is None:
        return None
    return Cached(cache=cache, dataset=match[1], version_id=match[2], site=match[3], used=used, removed_by=match[5])


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
