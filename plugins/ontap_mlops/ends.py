"""The ends of a way that data takes, as a person names them: datasets, sites, volumes, buckets, exports, shares."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ontap_mlops import registry, sites
from ontap_mlops.planning import End, Job, Kind, Record, learned

if TYPE_CHECKING:
    from ontap_mlops.ontap.transfer_facts import VolumeFacts

_FOREIGN = (
    (re.compile(r"s3://[^/]+.*"), Kind.S3),
    (re.compile(r"azure://[^/]+.*"), Kind.BLOB),
    (re.compile(r"//[^/]+/.+"), Kind.SMB),
    (re.compile(r"[^:/\s]+:/(?!/).*"), Kind.NFS),
)
_VOLUME = re.compile(r"(?:(?P<conn>[\w.-]+):)?(?P<svm>[\w.-]+):(?P<volume>\w+)")


@dataclass(frozen=True, kw_only=True)
class Place:
    """``ontap_conn_id`` is empty for an end that is not on ONTAP; ``svm`` empty means the connection's own."""

    name: str
    kind: Kind
    ontap_conn_id: str = ""
    svm: str = ""
    volume: str = ""
    link_mbps: float | None = None

    def for_volume_of(self, source: Place) -> Place:
        """Return this place, a site, as where the source's volume is to be."""
        return self if self.volume else replace(self, volume=source.volume)

    def volume_facts(self) -> VolumeFacts | None:
        """Ask ONTAP for the volume here; None for an end that is not there."""
        if self.kind is not Kind.ONTAP:
            return None
        from ontap_mlops.hooks.ontap import OntapHook
        from ontap_mlops.ontap import transfer_facts

        hook = OntapHook(self.ontap_conn_id)
        with hook.client() as client:
            return transfer_facts.of_volume(client, svm=hook.svm(self.svm), volume=self.volume)

    def end(self) -> End:
        if self.kind is not Kind.ONTAP:
            return End(name=self.name, kind=self.kind)
        from ontap_mlops.hooks.ontap import OntapHook
        from ontap_mlops.ontap import transfer_facts

        hook = OntapHook(self.ontap_conn_id)
        with hook.client() as client:
            found = transfer_facts.of_place(client, svm=hook.svm(self.svm))
        return End(
            name=self.name,
            kind=Kind.ONTAP,
            cluster=found.cluster,
            version=found.version,
            free_bytes=found.free_bytes,
            snapmirror_licence=found.snapmirror_licence,
        )


def place(text: str) -> Place:
    """Read an end as a person names it. Raises ValueError that lists the forms, for any other text."""
    for pattern, kind in _FOREIGN:
        if pattern.fullmatch(text):
            return Place(name=text, kind=kind)
    if (found := registry.find(text)) is not None:
        return Place(name=text, kind=Kind.ONTAP, ontap_conn_id=found.ontap_conn_id, svm=found.svm, volume=found.volume)
    if (site := sites.usable().get(text)) is not None:
        return Place(
            name=text, kind=Kind.ONTAP, ontap_conn_id=site.ontap_conn_id, svm=site.svm, link_mbps=site.link_mbps
        )
    if match := _VOLUME.fullmatch(text):
        conn = match["conn"] or registry.DEFAULT_CONN_ID
        return Place(name=text, kind=Kind.ONTAP, ontap_conn_id=conn, svm=match["svm"], volume=match["volume"])
    raise ValueError(
        f"{text!r} is no end of a way: give a dataset or a site by its name, a volume as svm:volume or "
        "connection:svm:volume, s3://bucket/prefix/, host:/export, //host/share or azure://container"
    )


_FILES = re.compile(r"(?:nfs|efs|fsx|anf|cvo|cvs|onprem)://([^/]+)/(.*)")


def canonical(text: str, *, is_target: bool = False) -> str:
    """Return the one name under which an end is remembered, however it was named: of a source its dataset's, of a
    target its site's, where there is one. A text that names no end is returned as it is."""
    if match := _FILES.fullmatch(text):  # as Copy and Sync tells its ends
        text = f"{match[1]}:/{match[2]}"
    text = text.replace("cifs://", "//", 1) if text.startswith("cifs://") else text
    try:
        found = place(text)
    except (OSError, ValueError):
        return text
    if found.kind is not Kind.ONTAP:
        return text.rstrip("/") or text
    conn = found.ontap_conn_id if text.count(":") != 1 else ""  # svm:volume is of whichever cluster
    if text in registry.usable() and not is_target:
        return text
    names = [_site_of, _dataset_of] if is_target else [_dataset_of, _site_of]
    known = (name for of in names if (name := of(found, conn)))
    return next(known, text)


def _site_of(end: Place, conn: str) -> str:
    """Name of the site whose SVM this is; ``conn`` empty for any connection."""
    fits = (site for site in sites.usable().values() if site.svm == end.svm and conn in ("", site.ontap_conn_id))
    return next((site.name for site in fits), "")


def _dataset_of(end: Place, conn: str) -> str:
    """Name of the dataset whose home this volume is; an entry without SVM fits that of its connection, so any."""
    for each in registry.usable().values():
        if each.volume == end.volume and end.svm in ("", each.svm or end.svm) and conn in ("", each.ontap_conn_id):
            return each.name
    return ""


def job(
    source: str,
    target: str,
    *,
    done: Iterable[Record] = (),
    size_bytes: float | None = None,
    change_bytes_a_day: float | None = None,
    files: float | None = None,
    link_mbps: float | None = None,
    **facts: Any,
) -> Job:
    """Return what is asked of the planner, with the facts that are not given asked of ONTAP and of past transfers.

    Raises ValueError where the size is not given and nobody can tell it.

    :param source: as ``place`` reads it, and so ``target``.
    :param done: transfers of the past.
    :param facts: further ones of ``planning.Job``.
    """
    start = place(source)
    goal = place(target).for_volume_of(start)
    told = start.volume_facts()
    if told is not None:
        size_bytes = told.used_bytes if size_bytes is None else size_bytes
        change_bytes_a_day = told.change_bytes_a_day if change_bytes_a_day is None else change_bytes_a_day
        files = told.files if files is None else files
    if size_bytes is None:
        raise ValueError(f"size_bytes is not given, and {start.name} is not on ONTAP, which could tell it")
    one, other = replace(start.end(), is_cache=bool(told and told.is_cache)), goal.end()
    return Job(
        source=one,
        target=other,
        size_bytes=int(size_bytes),
        files=None if files is None else int(files),
        change_bytes_a_day=change_bytes_a_day,
        link_mbps=link_mbps or goal.link_mbps or start.link_mbps,
        peered=_peered(start, goal, one, other),
        rates=_rates(done, start.name, goal.name),
        **facts,
    )


def _rates(done: Iterable[Record], source: str, target: str) -> dict[str, float]:
    """Speeds of the past on this route, however its ends were named then."""
    called = functools.cache(canonical)  # the files of datasets and sites are read once for each name
    named = (
        dataclasses.replace(each, source=called(each.source), target=called(each.target, is_target=True))
        for each in done
    )
    return learned(named, source=called(source), target=called(target, is_target=True))


def _peered(source: Place, target: Place, one: End, other: End) -> bool | None:
    """Ask the target whether its SVM has the source's as a peer; None where that does not matter, or is not told."""
    if not (one.on_ontap and other.on_ontap) or (one.cluster and one.cluster == other.cluster):
        return None
    from ontap_mlops.hooks.ontap import OntapHook
    from ontap_mlops.ontap import transfer_facts

    source_svm = OntapHook(source.ontap_conn_id).svm(source.svm)
    hook = OntapHook(target.ontap_conn_id)
    with hook.client() as client:
        svm = hook.svm(target.svm)
        return transfer_facts.peered(client, svm=svm, peer_svm=source_svm, peer_cluster=one.cluster)
