"""By which a training run reads its dataset version from a cache beside its compute, and says what that was worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops import sites
from ontap_mlops.compute import rendering
from ontap_mlops.locations import HOME
from ontap_mlops.ontap.errors import OntapError, OntapTemporaryError
from ontap_mlops.operators import telling
from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.context import is_last_try, needed, run_record
from ontap_mlops.operators.dataset_caches import DatasetCacheEnsureOperator, DatasetCacheReleaseOperator
from ontap_mlops.records import DatasetCache, RunCache, RunRecord

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client

CACHE = "cache"
BESIDE, SOURCE = "compute", "source"
CHOICES = {BESIDE: "at the site of the compute", SOURCE: "nowhere: read the source"}
BLOCK_BYTES = 4096  # of ONTAP's counters
# Half a minute and one: a longer wait is not worth what a cache saves.
RETRIES = 2


CacheAt = str | sites.Site | Mapping[str, Any]


def site_of(record: RunRecord, cache_at: CacheAt, compute: Any) -> tuple[str | dict[str, Any], str]:
    """Return the site to cache at, as an operator keeps it; "" and the reason where there is none.

    :param cache_at: ``compute`` for the site whose entry in sites.yaml lists the first place, ``source`` for none, or a
        site by name or by value.
    """
    if record.site != HOME:
        return "", f"The run reads the mirror at site {record.site}."
    if cache_at == SOURCE:
        return "", "The run was asked to read the source."
    if cache_at != BESIDE:
        return sites.as_argument(cache_at), ""
    first = next((name for name in rendering.places(compute) if isinstance(name, str)), "")
    found = next((name for name, site in sites.usable().items() if first in site.places), "")
    return found, "" if found else f"Place {first} is at no site: config/sites.yaml lists it under no `places`."


class RunCacheOperator(DatasetCacheEnsureOperator):
    """Cache the run's dataset version at the site of its compute, filled ahead of use, with a lease until the run ends.

    Where that cannot be, the run reads the source and says why: there is no such site, it has no room, the SVMs are no
    peers; or it does not answer, and did not when the task was tried again. A cache is a matter of speed, so no run
    fails for want of one.

    :param dataset: name in datasets.yaml, or a dataset by value.
    :param cache_at: ``compute``, ``source``, or a site by name or by value (see ``site_of``).
    :param compute: the run's places; the first one counts.
    :return: the RunCache, as JSON.
    """

    template_fields: Sequence[str] = (*DatasetCacheEnsureOperator.template_fields, "cache_at", "compute")

    def __init__(self, *, cache_at: CacheAt = BESIDE, compute: Any = (), **kwargs: Any) -> None:
        super().__init__(**{"site": "", "retries": RETRIES, **kwargs})
        self.cache_at = cache_at if isinstance(cache_at, str) else sites.as_argument(cache_at)
        self.compute = compute

    def execute(self, context: Context) -> dict[str, Any]:
        if why := self._settle(context):
            return self._source(why)
        try:
            return super().execute(context)
        except OntapError as error:
            return self._without(context, error)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        self._settle(context)
        try:
            return super().execute_complete(context, event)
        except OntapError as error:
            return self._without(context, error)

    def begin(self, client: Client, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import peers

        with self.ends(client) as (ends, home_svm):
            peer = peers.ensure_svm_peer(
                client, ends.home, svm=ends.svm, peer_svm=home_svm, applications=("flexcache",)
            )
        self.home_svm = peer.name
        return super().begin(client, context)

    def finish(self, client: Client, payload: Any, context: Context) -> dict[str, Any]:
        cache = DatasetCache.from_json(super().finish(client, payload, context))
        filled = max(0, payload["used_bytes"] - payload["before_bytes"]) if "before_bytes" in payload else 0
        self.log.info("%s bytes came from the source to fill it, as ONTAP counts them", f"{filled:,}")
        return RunCache(
            site=cache.site,
            cache=cache,
            filled_bytes=filled,
            fill_seconds=float(payload.get("seconds") or 0.0) if filled else 0.0,
            missed_blocks=missed_blocks(client, cache),
        ).to_json()

    def _settle(self, context: Context) -> str:
        """Take site and version from the run; return why there is nothing to cache, "" where there is."""
        record = run_record(context)
        site, why = site_of(record, self.cache_at, self.compute)
        self.site, self.version = site, record.dataset_version.id
        return why

    def _without(self, context: Context, error: OntapError) -> dict[str, Any]:
        """Read the source for good where no other try of the task can help, or comes; else raise the error."""
        if may_pass(context, error):
            raise error
        return self._source(f"Site {sites.as_site(self.site).name} has no cache for this run. {error}")

    def _source(self, why: str) -> dict[str, Any]:
        for line in telling.lines(f"The source is read. {why}"):
            self.log.warning("%s", line)
        return RunCache(reason=why).to_json()


class RunCacheReleaseOperator(DatasetCacheReleaseOperator):
    """Give up the run's lease on its cache; the teardown of :class:`RunCacheOperator`, with the same parameters.

    A site that answers no try of the task is left alone, and the task skipped with the reason: once the run is over,
    ``evict_caches`` gives the lease up for it.

    :return: names of the cached volumes that the run had held.
    """

    template_fields: Sequence[str] = (*DatasetCacheReleaseOperator.template_fields, "cache_at", "compute")

    def __init__(self, *, cache_at: CacheAt = BESIDE, compute: Any = (), **kwargs: Any) -> None:
        super().__init__(**{"site": "", "retries": RETRIES, **kwargs})
        self.cache_at = cache_at if isinstance(cache_at, str) else sites.as_argument(cache_at)
        self.compute = compute

    def execute(self, context: Context) -> list[str]:
        self.site, why = site_of(run_record(context), self.cache_at, self.compute)
        if why:
            return []
        try:
            return super().execute(context)
        except OntapError as error:
            if may_pass(context, error):
                raise
            site = sites.as_site(self.site).name
            said = f"The lease at site {site} stays until evict_caches finds that the run is over. {error}"
            self.skip_because(context, said, note=False)


def may_pass(context: Context, error: OntapError) -> bool:
    """Whether another try of this task comes, and the error may have passed by then."""
    return isinstance(error, OntapTemporaryError) and not is_last_try(context)


class RunReadsOperator(MlopsOperator):
    """Say how much of the run's data came from the source and how long that took, beside the run before it.

    At a site, ONTAP counts: what it copied to fill the cache, and the blocks that clients asked for in vain. A run that
    reads the source counts what its program read. The figures are kept with the MLflow run, where the next run of the
    same version at the same site finds them.

    :param training: task id of the program that trained; its result has ``mlflow_run_id``, ``data_bytes``,
        ``data_seconds``.
    :param mlflow_conn_id: connection to the tracking server.
    :return: ``site`` ("" for the source), ``reason``, ``source_bytes``, ``fill_seconds``, ``data_seconds``, ``before``
        (the same of the run before, with its ``run_key``; None without one) and ``said``, all of it in a sentence.
    """

    template_fields: Sequence[str] = (*MlopsOperator.template_fields, "mlflow_conn_id")

    def __init__(self, *, training: str = "train", mlflow_conn_id: str = "mlflow_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.training = training
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        run, used = run_record(context), RunCache.from_json(needed(context, CACHE))
        trained = needed(context, self.training)
        figures = {
            "source_bytes": self._from_source(used, trained),
            "fill_seconds": used.fill_seconds,
            "data_seconds": float(trained["data_seconds"]),
        }
        trainings = MlflowHook(self.mlflow_conn_id).trainings
        version, where = run.dataset_version.id, used.site or SOURCE
        before = trainings.reads_before(version, where, run_key=run.run_key)
        if trained.get("mlflow_run_id"):
            trainings.keep_reads(trained["mlflow_run_id"], where, figures)
        facts = {"site": used.site, "reason": used.reason, **figures, "before": before}
        said = sentence(facts)
        for line in telling.lines(said):
            self.log.info("%s", line)
        return {**facts, "said": said}

    def _from_source(self, used: RunCache, trained: Mapping[str, Any]) -> int:
        if used.cache is None:
            return int(trained["data_bytes"])
        return used.filled_bytes + BLOCK_BYTES * self._missed(used, used.cache)

    def _missed(self, used: RunCache, cache: DatasetCache) -> int:
        """Blocks that were not in the cache since it was filled; 0 where ONTAP does not tell, or is away by now."""
        from ontap_mlops.hooks.ontap import OntapHook

        if used.missed_blocks is None:
            return 0
        try:
            with OntapHook(sites.as_site(cache.site).ontap_conn_id).client() as client:
                now = missed_blocks(client, cache)
        except OntapError as error:
            self.log.warning("What was read past the cache at site %s is not known. %s", cache.site, error)
            return 0
        return max(0, (now or 0) - used.missed_blocks)


def missed_blocks(client: Client, cache: DatasetCache) -> int | None:
    """Blocks that the cache had to fetch for clients since ONTAP counts; None where ONTAP does not tell."""
    from ontap_mlops.ontap import caches

    found = caches.reads(client, svm=cache.svm).get(cache.volume_uuid)
    return found.missed if found else None


def sentence(facts: Mapping[str, Any]) -> str:
    """Return what the run read from where, and what the run before it did, for people."""
    if facts["site"]:
        said = f"Data: from the cache at site {facts['site']}; {_figures(facts)}"
    else:
        said = f"Data: from the source; {_figures(facts)}. {facts['reason']}"
    before = facts.get("before")
    return said.rstrip(".") + (f". Run {before['run_key']} before it: {_figures(before)}." if before else ".")


def _figures(facts: Mapping[str, Any]) -> str:
    return (
        f"{facts['source_bytes']:,.0f} bytes from the source, filled in {facts['fill_seconds']:.1f} s, read in "
        f"{facts['data_seconds']:.1f} s"
    )
