"""Operators on cached dataset versions: cache one at a site, release it, remove those that nobody uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ontap_mlops import registry, sites
from ontap_mlops.operators import cache_judging
from ontap_mlops.operators.base import OntapOperator, bytes_of
from ontap_mlops.operators.caches import keep_filling, listed
from ontap_mlops.operators.context import is_over, owner_of
from ontap_mlops.operators.links import DatasetVersionLink
from ontap_mlops.operators.recording import _RecordsTransfer
from ontap_mlops.operators.waiting import OntapWaitingOperator
from ontap_mlops.records import DatasetCache, DatasetVersion

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.hooks.ontap import OntapHook
    from ontap_mlops.ontap.client import Client
    from ontap_mlops.ontap.dataset_caches import Ends


class _CacheAtSite(OntapOperator):
    """What these operators share: a site, and a dataset at its home.

    :param site: name in sites.yaml, or a site by value. Caches are made with its connection and on its SVM.
    :param dataset: name in datasets.yaml, or a dataset by value.
    """

    template_fields: Sequence[str] = ("site", "dataset")

    def __init__(
        self,
        *,
        site: str | sites.Site | Mapping[str, Any],
        dataset: str | registry.Dataset | Mapping[str, Any],
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"ontap_conn_id": None, **kwargs})
        self.site = sites.as_argument(site)
        self.dataset = registry.as_argument(dataset)

    @cached_property
    def hook(self) -> OntapHook:
        return hook_of_site(self)

    @contextmanager
    def ends(self, there: Client, home_svm: str | None = None) -> Iterator[tuple[Ends, str]]:
        """Both ONTAPs, and the dataset's SVM at home. Raises ValueError where the site is the dataset's home."""
        from ontap_mlops.hooks.ontap import OntapHook
        from ontap_mlops.ontap.dataset_caches import Ends

        site, dataset = sites.as_site(self.site), registry.as_dataset(self.dataset)
        hook = OntapHook(dataset.ontap_conn_id)
        svm = hook.svm(dataset.svm)
        if (dataset.ontap_conn_id, svm) == (self.ontap_conn_id, site.svm):
            raise ValueError(
                f"Site {site.name} is SVM {svm}, where dataset {dataset.name} lives: it is not cached there."
            )
        with hook.client() as home:
            yield (
                Ends(
                    home=home,
                    there=there,
                    site=site.name,
                    svm=site.svm,
                    budget_bytes=site.cache_bytes,
                    aggregate=site.aggregate,
                    home_svm=home_svm,
                ),
                svm,
            )


class DatasetCacheEnsureOperator(_RecordsTransfer, _CacheAtSite, OntapWaitingOperator):
    """Cache one dataset version at a site: a FlexCache of a clone of the version, filled ahead of use.

    A version that is cached already is used again, and its time of last use is set. The run holds a lease on it until
    :class:`DatasetCacheReleaseOperator` or the end of the run, so that no eviction removes it. What would take the
    site's caches over ``cache_bytes`` is refused at once, with the names of those that could be removed first. A retry
    finds what its first try made, and a prepopulate that runs is joined.

    :param version: id of a version; the one current at ``as_of``, or else the newest, if not given.
    :param as_of: date or time (ISO 8601).
    :param prepopulate: folders to copy ahead of use, ``/`` for all; none leaves the cache to fill as it is read.
    :param size_bytes: space for the cache; the version's own bytes and a tenth, but no less than 100 MiB.
    :param hold: keep the lease for this run; False where only later runs use the cache.
    :param home_svm: what the site calls the dataset's SVM, or the result of ``OntapSvmPeerEnsureOperator``; its own
        name if not given.
    :return: the DatasetCache, as JSON.
    """

    template_fields: Sequence[str] = (
        *_CacheAtSite.template_fields,
        "version",
        "as_of",
        "prepopulate",
        "size_bytes",
        "home_svm",
    )
    operator_extra_links = (DatasetVersionLink(),)
    look = "ontap_mlops.ontap.dataset_caches.filled"

    def __init__(
        self,
        *,
        version: str | None = None,
        as_of: str | None = None,
        prepopulate: Sequence[str] | str = ("/",),
        size_bytes: int | str | None = None,
        hold: bool = True,
        home_svm: str | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.version = version
        self.home_svm = home_svm
        self.as_of = as_of
        self.prepopulate = prepopulate
        self.size_bytes = size_bytes
        self.hold = hold

    def begin(self, client: Client, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import cluster, dataset_caches

        peer = self.home_svm
        named = peer["name"] if isinstance(peer, Mapping) else peer
        with self.ends(client, named or None) as (ends, home_svm):
            dataset = registry.as_dataset(self.dataset)
            version = version_of(ends.home, home_svm, dataset, self.version, self.as_of)
            cached = dataset_caches.ensure(
                ends,
                version=version,
                size_bytes=bytes_of(self.size_bytes) if self.size_bytes else dataset_caches.size_for(version),
                owner=owner_of(context),
                is_over=is_over(context),
                now=cluster.now(client),
            )
        self.log.info("Version %s of %s is cached as %s", version.id, version.dataset, cached.cache)
        return {"version": version.to_json(), "svm": cached.cache.svm, "paths": listed(self.prepopulate)}

    def finish(self, client: Client, payload: Any, context: Context) -> Any:
        from ontap_mlops.ontap import cluster, dataset_caches

        site, version = sites.as_site(self.site), DatasetVersion.from_json(payload["version"])
        there = dataset_caches.list_cached(client, svm=site.svm)
        cache = next(each.cache for each in there if each.version_id == version.id)
        space = dataset_caches.room(there, site.cache_bytes)
        if not self.hold:
            with self.ends(client) as (ends, home_svm):
                now, owner = cluster.now(client), owner_of(context)
                dataset_caches.release(ends, dataset=version.dataset, home_svm=home_svm, owner=owner, now=now)
        self.log.info("%s of %s bytes are filled", f"{cache.used_bytes:,}", f"{version.bytes:,}")
        if "before_bytes" in payload:
            keep_filling(self, context, cache, payload, version.dataset)
        return DatasetCache(
            dataset_version=version,
            site=site.name,
            svm=cache.svm,
            volume=cache.name,
            volume_uuid=cache.uuid,
            junction_path=cache.junction_path or "",
            size_bytes=cache.size_bytes,
            used_bytes=cache.used_bytes,
            committed_bytes=space.committed_bytes,
            left_bytes=space.left_bytes,
        ).to_json()


class DatasetCacheReleaseOperator(_CacheAtSite):
    """Give up this run's leases on cached versions of a dataset at a site; the caches stay for whoever comes next.

    Use as the teardown of :class:`DatasetCacheEnsureOperator`. It goes by the run, not by what the setup returned, so
    that a lease is found even if the setup died before it could say so.

    :return: names of the cached volumes that the run had held.
    """

    def execute(self, context: Context) -> list[str]:
        from ontap_mlops.ontap import cluster, dataset_caches

        dataset = registry.as_dataset(self.dataset)
        with self.hook.client() as there, self.ends(there) as (ends, home_svm):
            now, owner = cluster.now(there), owner_of(context)
            released = dataset_caches.release(ends, dataset=dataset.name, home_svm=home_svm, owner=owner, now=now)
        self.log.info("Released: %s", ", ".join(released) or "nothing, this run held none")
        return released


class DatasetCacheEvictOperator(OntapOperator):
    """Remove the cached versions at a site that have been unused for long enough, and say why each goes or stays.

    Never removed is what a run holds a lease on. A lease of a run that Airflow knows to be over is given up for it, and
    counts as a use until now; one of a run that Airflow does not know stays, and is named. With the last cache of a
    version its clone at home goes too, so that the version's snapshot is free again.

    :param site: name in sites.yaml, or a site by value.
    :param days: for how long an unused cache is kept; ``cache_keep_unused_days`` of the site if not given.
    :param dry: only say what would be done.
    :param version: id of the one dataset version to release: the others are not looked at, the days do not count, and
        one that is in use or in doubt fails the task with the reason.
    :return: ``removed`` and ``kept`` (each cache with its reason), ``freed_bytes``, ``committed_bytes`` and
        ``left_bytes`` after it, ``dry``.
    """

    template_fields: Sequence[str] = ("site", "days", "dry", "version")

    def __init__(
        self,
        *,
        site: str | sites.Site | Mapping[str, Any],
        days: float | str | None = None,
        dry: bool | str = False,
        version: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"ontap_conn_id": None, **kwargs})
        self.site = sites.as_argument(site)
        self.days = days
        self.dry = dry
        self.version = version

    @cached_property
    def hook(self) -> OntapHook:
        return hook_of_site(self)

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import dataset_caches

        site, dry = sites.as_site(self.site), str(self.dry).lower() == "true"
        with self.hook.client() as there:
            verdicts = self._judged(there, site, dry, context)
            left = dataset_caches.list_cached(there, svm=site.svm)
        said = {True: "would be removed" if dry else "removed", False: "kept"}
        for verdict in verdicts:
            size = f"{verdict.cached.cache.size_bytes / 1e6:,.0f} MB"
            self.log.info("%s, %s: %s: %s", verdict.cached, size, said[verdict.removed], verdict.why)
        self._check_released(verdicts)
        space = dataset_caches.room(left, site.cache_bytes)
        gone = [verdict for verdict in verdicts if verdict.removed]
        return {
            "removed": {str(verdict.cached): verdict.why for verdict in gone},
            "kept": {str(verdict.cached): verdict.why for verdict in verdicts if not verdict.removed},
            "freed_bytes": sum(verdict.cached.cache.size_bytes for verdict in gone),
            "committed_bytes": space.committed_bytes,
            "left_bytes": space.left_bytes,
            "dry": dry,
        }

    def _check_released(self, verdicts: Sequence[Any]) -> None:
        """Raise ValueError where the version that was to be released stays. One that is not there is released."""
        for verdict in verdicts if self.version else ():
            if not verdict.removed:
                raise ValueError(f"The cache of {verdict.cached} was not released: {verdict.why}.")

    def _judged(self, there: Client, site: sites.Site, dry: bool, context: Context) -> list[Any]:
        from ontap_mlops.ontap import cluster, dataset_caches

        days = float(site.cache_keep_unused_days if self.days in (None, "") else self.days)  # type: ignore[arg-type]
        days = 0.0 if self.version else days
        known, now, over = registry.usable(), cluster.now(there), is_over(context)
        own, verdicts = owner_of(context), []
        for cached in dataset_caches.list_cached(there, svm=site.svm):
            if self.version and cached.version_id != self.version:
                continue
            judged = cache_judging.judge(there, cached, known, days=days, now=now, owner=own, is_over=over, dry=dry)
            verdicts.append(judged)
        if not dry:
            self._collect(known, over)
        return verdicts

    def _collect(self, known: Mapping[str, registry.Dataset], over: Any) -> None:
        """Clones at home of which there is no cache: of those just removed, and what a try left that died."""
        from ontap_mlops.hooks.ontap import OntapHook
        from ontap_mlops.ontap import cache_eviction

        for conn_id, named in sorted({(dataset.ontap_conn_id, dataset.svm) for dataset in known.values()}):
            hook = OntapHook(conn_id)
            with hook.client() as home:
                found = cache_eviction.collect_origins(home, svm=hook.svm(named), is_over=over)
            for name in found:
                self.log.info("Clone %s at home removed: no cache is made of it", name)


def version_of(
    home: Client, svm: str, dataset: registry.Dataset, version: str | None, as_of: str | None = None
) -> DatasetVersion:
    """Return the version with this id, else the one current at this time, else the newest.

    Raises ValueError, naming the newest ones, where there is no such version.
    """
    from ontap_mlops.ontap import dataset_versions

    versions = dataset_versions.list_versions(
        home,
        svm=svm,
        volume=dataset.volume,
        dataset=dataset.name,
        adopt=dataset_versions.Adoption(*dataset.adopted),
    )
    if not versions:
        raise ValueError(f"Dataset {dataset.name} has no version yet; run the DAG ingest_{dataset.name} first.")
    known = ", ".join(each.id for each in versions[-5:])
    if version:
        found = next((v for v in versions if version in (v.id, v.snapshot, v.snapshot_uuid)), None)
        missing = f"has no version {version!r}"
    elif as_of:
        found = dataset_versions.current_at(versions, _time(as_of))
        missing = f"had no version at {as_of}"
    else:
        found, missing = versions[-1], ""
    if found is None:
        raise ValueError(f"Dataset {dataset.name} {missing} on volume {svm}:{dataset.volume}; newest are: {known}.")
    return found


def hook_of_site(operator: Any) -> OntapHook:
    """The hook of the site's connection, unless the task names another."""
    from ontap_mlops.hooks.ontap import OntapHook

    operator.ontap_conn_id = operator.ontap_conn_id or sites.as_site(operator.site).ontap_conn_id
    hook = OntapHook(operator.ontap_conn_id)
    operator.log.info(hook.where())
    return hook


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"as_of is {text!r}, which is not a time; give it like 2026-11-20.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
