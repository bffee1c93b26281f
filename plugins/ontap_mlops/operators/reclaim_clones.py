"""Clones and caches of ours on an SVM: which may go, and why the others stay. Judged for ``reclaim_rules``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from ontap_mlops import registry, settings, sites
from ontap_mlops.operators import cache_judging, reclaim_experiments
from ontap_mlops.operators.reclaim_items import Item, Removers, Rules, Runs

if TYPE_CHECKING:
    from ontap_mlops.ontap.client import Client
    from ontap_mlops.ontap.dataset_caches import Cached
    from ontap_mlops.ontap.reclaim import Contents
    from ontap_mlops.ontap.volumes import Volume
    from ontap_mlops.ontap.workspaces import Used

WORKSPACE, PERSONAL, ORIGIN, CLONE, CACHE = "workspace", "person's workspace", "origin of caches", "clone", "cache"
EXPERIMENT = "experiment"
_CHANGED = "it was taken into use again or extended, or is gone already"


class _Verdict(NamedTuple):
    """``remove`` is what removes it, where ``reason`` is None, and tells whether it did."""

    kind: str
    reason: str | None
    remove: Callable[[], bool] | None = None


def judged(client: Client, rules: Rules, contents: Contents, now: datetime, remove: Removers) -> list[Item]:
    """Return an item for each clone and cache of ours; what may go gets its function in ``remove``."""
    items = []
    for clone in contents.volumes:
        if not clone.is_clone or not clone.is_ours:
            continue
        verdict = _of(client, rules, contents, clone, now)
        if verdict.remove is not None:
            remove[clone.uuid] = _telling(verdict.remove)
        items.append(
            Item(
                kind=verdict.kind,
                name=clone.name,
                volume=clone.parent_volume or "",
                uuid=clone.uuid,
                created_at=clone.created_at or "",
                reason=verdict.reason,
            )
        )
    return items + _caches(client, rules, now, remove)


def _telling(remove: Callable[[], bool]) -> Callable[[], str | None]:
    return lambda: None if remove() else _CHANGED


def _of(client: Client, rules: Rules, contents: Contents, clone: Volume, now: datetime) -> _Verdict:
    from ontap_mlops.ontap import dataset_caches, experiments, personal_workspaces, workspaces

    if (used := workspaces.as_used(clone)) is not None:
        return _Verdict(WORKSPACE, _of_used(used, rules.runs))
    if (kept := workspaces.as_kept(clone)) is not None:
        days = settings.keep_failed_workspaces_days() if rules.workspace_days is None else rules.workspace_days
        if workspaces.is_over(kept, days=days, now=now):
            return _Verdict(WORKSPACE, None, lambda: workspaces.collect(client, svm=rules.svm, kept=kept))
        since = f"{kept.since:%Y-%m-%d %H:%M}"
        return _Verdict(WORKSPACE, f"its run failed, and keeps it since {since} for {days:g} days to be resumed in")
    if (lent := personal_workspaces.as_lent(clone)) is not None:
        if lent.until <= now:
            return _Verdict(PERSONAL, None, lambda: personal_workspaces.collect_one(client, svm=rules.svm, lent=lent))
        return _Verdict(PERSONAL, f"{lent.person} has it until {lent.until:%Y-%m-%d %H:%M}")
    if (key := experiments.run_of(clone)) is not None:
        reason = reclaim_experiments.reason(rules, contents, clone, key, now)
        if reason is not None:
            return _Verdict(EXPERIMENT, reason)
        return _Verdict(EXPERIMENT, None, lambda: experiments.remove(client, svm=rules.svm, volume=clone))
    if dataset_caches.is_origin(clone):
        return _Verdict(ORIGIN, "caches at other sites show it; the DAG evict_caches removes it after the last of them")
    return _Verdict(CLONE, "it was cloned by name; the OntapCloneDeleteOperator of its DAG removes it")


def _of_used(used: Used, runs: Runs) -> str:
    run = f"run {used.run_id} of {used.dag_id}"
    over = runs(used.dag_id, used.run_id)
    if over is None:
        return f"Airflow knows no {run}; remove the volume by hand if nobody uses it"
    return f"{run} has left it behind; the next ingest marks it as kept" if over else f"{run} goes on"


def _caches(client: Client, rules: Rules, now: datetime, remove: Removers) -> list[Item]:
    """Cached dataset versions: who uses one is known where the dataset is at home."""
    from ontap_mlops.ontap import dataset_caches
    from ontap_mlops.ontap.errors import NotAuthorized

    try:
        found = dataset_caches.list_cached(client, svm=rules.svm)
    except NotAuthorized:  # then it made none
        return []
    items = []
    for cached in found:
        evict = _Eviction(client, rules, cached, now)
        reason = evict.reason()
        if reason is None:
            remove[cached.cache.uuid] = evict.remove
        items.append(
            Item(
                kind=CACHE,
                name=cached.cache.name,
                volume=cached.cache.name,
                uuid=cached.cache.uuid,
                created_at=cached.cache.volume.created_at or "",
                reason=reason,
                bytes=cached.cache.used_bytes if reason is None else None,
            )
        )
    return items


class _Eviction:
    """Judges a cache by the rules of the DAG evict_caches, and removes it by them."""

    def __init__(self, there: Client, rules: Rules, cached: Cached, now: datetime) -> None:
        self._there, self._rules, self._cached, self._now = there, rules, cached, now
        self._known = registry.usable()

    def reason(self) -> str | None:
        from airflow.sdk.exceptions import AirflowNotFoundException

        from ontap_mlops.ontap.errors import OntapError

        if self._cached.site not in sites.usable():
            return f"site {self._cached.site} is not in sites.yaml here, so nobody can say for how long it is kept"
        try:
            return self._judged(dry=True)
        except (OntapError, AirflowNotFoundException) as error:
            return f"it cannot be asked who needs it: {error}"

    def remove(self) -> str | None:
        """With the clone at home that it showed, where no other cache shows that."""
        reason = self._judged(dry=False)
        if reason is None:
            cache_judging.remove_origin(self._cached, self._known, self._rules.is_over)
        return reason

    def _judged(self, *, dry: bool) -> str | None:
        verdict = cache_judging.judge(
            self._there,
            self._cached,
            self._known,
            days=sites.usable()[self._cached.site].cache_keep_unused_days,
            now=self._now,
            owner=self._rules.owner,
            is_over=self._rules.is_over,
            dry=dry,
        )
        return None if verdict.removed else verdict.why
