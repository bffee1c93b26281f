"""What ONTAP tells: volumes of a home, versions of a dataset, caches of a site. One request for each, where it can be.

Everything here is asked by :class:`ontap_mlops.ui.facts.kept.Kept`, so it may be slow, and raises what ONTAP says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from ontap_mlops import names, registry, sites
from ontap_mlops.ui.facts.shapes import Cache, Changed, StoredVolume, Version

if TYPE_CHECKING:
    from ontap_mlops.ontap.overview import Held
    from ontap_mlops.records import DatasetVersion

COMPARED_AT_MOST = 500
"""Files that a comparison lists; it counts all of them."""


def volumes(conn_id: str, svm: str) -> list[Held]:
    """:param svm: empty for the connection's own."""
    from ontap_mlops.hooks.ontap import OntapHook
    from ontap_mlops.ontap import overview

    hook = OntapHook(conn_id)
    with hook.client() as client:
        return overview.look(client, svm=hook.svm(svm))


def versions(dataset: registry.Dataset) -> list[DatasetVersion]:
    """Oldest first."""
    from ontap_mlops.hooks.ontap import OntapHook
    from ontap_mlops.ontap import overview
    from ontap_mlops.ontap.dataset_versions import Adoption

    hook = OntapHook(dataset.ontap_conn_id)
    with hook.client() as client:
        return overview.list_versions(
            client,
            svm=hook.svm(dataset.svm),
            volume=dataset.volume,
            dataset=dataset.name,
            adopt=Adoption(*dataset.adopted),
        )


def as_versions(found: Sequence[DatasetVersion]) -> list[Version]:
    """Newest first, each compared with the one before it."""
    shown = [version_of(found[0])] if found else []
    for before, version in pairwise(found):
        counted = bool(before.files and version.files)  # nobody has counted the files of an adopted one
        shown.append(version_of(version, before if counted else None))
    return shown[::-1]


def version_of(version: DatasetVersion, before: DatasetVersion | None = None) -> Version:
    return Version(
        id=version.id,
        created_at=version.created_at,  # type: ignore[arg-type]  # pydantic reads the text
        files=version.files,
        bytes=version.bytes,
        source=version.source,
        digest=version.digest,
        snapshot=version.snapshot,
        snapshot_uuid=version.snapshot_uuid,
        since_files=version.files - before.files if before else None,
        since_bytes=version.bytes - before.bytes if before else None,
    )


def caches(site: sites.Site) -> list[Cache]:
    """Those of dataset versions, the latest used first; how much of each version they hold is filled in later."""
    from ontap_mlops.hooks.ontap import OntapHook
    from ontap_mlops.ontap import caches as flexcaches
    from ontap_mlops.ontap import dataset_caches

    with OntapHook(site.ontap_conn_id).client() as client:
        found = dataset_caches.list_cached(client, svm=site.svm)
        reads = flexcaches.reads(client, svm=site.svm) if found else {}
    shown = []
    for each in reversed(found):
        counted = reads.get(each.cache.uuid)
        hits = 1 - counted.missed / counted.requested if counted and counted.requested else None
        shown.append(
            Cache(
                site=each.site,
                dataset=each.dataset,
                version=each.version_id,
                volume=each.cache.name,
                size_bytes=each.cache.size_bytes,
                used_bytes=each.cache.used_bytes,
                used_at=each.used,
                hits=max(0.0, hits) if hits is not None else None,
                removed_by=each.removed_by,
            )
        )
    return shown


def filled(cache: Cache, known: Iterable[Version]) -> Cache:
    """The same cache with the share of its version that it holds, where that version is known."""
    bytes_ = next((version.bytes for version in known if version.id == cache.version), 0)
    return cache.model_copy(update={"filled": min(1.0, cache.used_bytes / bytes_)}) if bytes_ else cache


def stored(held: Held, datasets: dict[tuple[str, str], str]) -> StoredVolume:
    """:param datasets: (SVM, volume) to the name of the dataset."""
    from ontap_mlops.ontap import overview

    volume = held.volume
    kind = overview.kind_of(volume)
    if (volume.svm, volume.name) in datasets:
        kind = f"dataset {datasets[volume.svm, volume.name]}"
    elif kind == overview.OURS and volume.name.endswith("_models"):
        kind = "models"
    key = volume.name.removeprefix(names.experiment_volume(""))
    experiment = key if volume.is_ours and key != volume.name else ""
    if experiment:
        kind = "experiment"
    parent = f"{volume.parent_volume}, {volume.parent_snapshot}" if volume.is_clone else ""
    return StoredVolume(
        name=volume.name,
        svm=volume.svm,
        kind=kind,
        snapshots=held.snapshots,
        used_bytes=volume.used_bytes,
        size_bytes=volume.size_bytes,
        clone_of=parent,
        comment=volume.comment if volume.is_ours else "",
        experiment=experiment,
    )


def comparison(
    dataset: registry.Dataset, before: DatasetVersion, after: DatasetVersion
) -> tuple[dict[str, int], list[Changed]]:
    """What differs file by file, without a mount; one request a folder on either side."""
    from ontap_mlops.hooks.ontap import OntapHook
    from ontap_mlops.ontap import differences

    with OntapHook(dataset.ontap_conn_id).client() as client:
        found = differences.between(client, volume_uuid=after.volume_uuid, before=before.snapshot, after=after.snapshot)
    listed = [
        Changed(path=entry.path, how=how, bytes=entry.size)  # type: ignore[arg-type]
        for how in ("added", "changed", "removed")
        for entry in getattr(found, how)
        if entry.kind != "directory" and not entry.path.startswith(".mlops/")
    ]
    counts = {how: sum(each.how == how for each in listed) for how in ("added", "changed", "removed")}
    return counts, listed[: COMPARED_AT_MOST + 1]


def holds(dataset: registry.Dataset, found: Sequence[DatasetVersion], path: str) -> list[str]:
    """Ids of those versions that have a file at this path of their data; one request a version."""
    from ontap_mlops.hooks.ontap import OntapHook
    from ontap_mlops.ontap import files
    from ontap_mlops.ontap.errors import NotFound

    folder, _, name = f"data/{path}".rpartition("/")
    there = []
    with OntapHook(dataset.ontap_conn_id).client() as client:
        for version in found:
            try:
                listed = files.list_folder(
                    client, volume_uuid=version.volume_uuid, path=files.within(version.snapshot, folder)
                )
            except NotFound:
                continue
            if any(entry.path == name and entry.kind == files.FILE for entry in listed):
                there.append(version.id)
    return there
