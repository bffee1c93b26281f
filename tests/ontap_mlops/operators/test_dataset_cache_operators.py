"""A dataset version cached at another site: the version and not what came after it, a budget, leases, and evictions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from running import Run

from ontap_mlops import names, registry
from ontap_mlops.ontap import cache_uses, caches, cluster, dataset_caches, errors, snapshots
from ontap_mlops.operators import reclaim as reclaiming
from ontap_mlops.operators.dataset_caches import (
    DatasetCacheEnsureOperator,
    DatasetCacheEvictOperator,
    DatasetCacheReleaseOperator,
)
from ontap_mlops.operators.reclaim import ReclaimOperator, ReclaimPlanOperator
from tests.ontap_mlops.conftest import GIB
from tests.ontap_mlops.operators.two_sites import DATASETS, SITES, Two

MB = 1024**2


def ensure(run: Run | None = None, **other: Any) -> Any:
    arguments = {"dataset": "tyre", "site": "west", "poll_interval_s": 0.1, **other}
    return (run or Run()).execute(DatasetCacheEnsureOperator, **arguments)


def release(run: Run) -> Any:
    return run.execute(DatasetCacheReleaseOperator, dataset="tyre", site="west")


def evict(run: Run | None = None, **other: Any) -> Any:
    run = run or Run("evict", "evict_caches")
    return run.execute(DatasetCacheEvictOperator, site="west", **other)


def test_what_is_cached_is_the_version_and_not_what_came_after_it(two):
    version = two.version("first")
    made = ensure()
    two.version("second and longer")
    assert two.read(made["volume"]) == "first"
    assert (made["dataset_version"]["id"], made["site"], made["svm"]) == (version.id, "west", "svm2")
    assert made["used_bytes"] >= 5, "it was filled ahead of use"
    assert (made["size_bytes"], made["left_bytes"]) == (100 * MB, 150 * MB)
    assert made["junction_path"] == f"/{made['volume']}"


def test_a_version_is_named_or_that_of_a_date_or_the_newest(two):
    first, second = two.version("first"), two.version("second")
    chosen = [ensure(version=first.id), ensure(as_of=second.created_at), ensure(), ensure(version=second.snapshot)]
    assert [each["dataset_version"]["id"] for each in chosen] == [first.id, second.id, second.id, second.id]
    assert sorted(two.cached()) == sorted({first.id, second.id})
    for wrong, sentence in (({"version": "v9"}, "has no version 'v9'"), ({"as_of": "2001-01-01"}, "had no version at")):
        with pytest.raises(ValueError, match=f"Dataset tyre {sentence} .*newest are: {first.id}, {second.id}"):
            ensure(**wrong)
    with pytest.raises(ValueError, match="as_of is 'soon', which is not a time"):
        ensure(as_of="soon")


def test_a_dataset_without_a_version_and_a_site_that_is_its_home_are_said(two, monkeypatch):
    with pytest.raises(ValueError, match="Dataset tyre has no version yet; run the DAG ingest_tyre first"):
        ensure()
    home = {"name": "near", "ontap_conn_id": "ontap_default", "svm": "svm1", "cache_bytes": GIB}
    with pytest.raises(ValueError, match="Site near is SVM svm1, where dataset tyre lives"):
        ensure(site=home)


def test_asking_again_finds_the_same_cache_and_sets_its_last_use(two):
    version = two.version("first")
    made = ensure()
    two.unused_for(version.id, days=3)
    again = ensure()
    assert again == made
    cached = dataset_caches.find(two.site, svm="svm2", version_id=version.id)
    assert cluster.now(two.site) - cached.used < timedelta(minutes=5)


def test_what_takes_a_site_over_its_budget_is_refused_with_what_could_go_and_leaves_nothing(two):
    versions = [two.version(text) for text in ("one", "two", "three")]
    used = Run("manual__used")
    ensure(used, version=versions[0].id)
    ensure(version=versions[1].id, hold=False)
    before = two.clones()
    with pytest.raises(errors.SpaceFull) as refused:
        ensure(Run("late"), version=versions[2].id)
    said = str(refused.value)
    assert f"Version {versions[2].id} of tyre was not cached at site west: it takes 105 MB" in said
    assert f"Could be removed first (DAG evict_caches): tyre {versions[1].id} at west (105 MB, used " in said
    assert f"In use: tyre {versions[0].id} at west ({used.key} of tyre_quality/manual__used)" in said
    assert two.clones() == before
    assert isinstance(refused.value, errors.OntapPermanentError)


def test_a_cache_that_a_run_holds_is_kept_until_it_is_released_and_unused_for_a_day(two):
    version, run = two.version("first"), Run()
    ensure(run)
    two.unused_for(version.id, days=3)
    why = evict()["kept"][f"tyre {version.id} at west"]
    assert f"in use: {run.key} of tyre_quality/manual__1 since " in why
    assert release(run) == [names.cache_volume(version.id)]
    assert release(run) == []
    assert "last used 0 h ago; unused caches are kept for 1 days" in evict()["kept"][f"tyre {version.id} at west"]
    two.unused_for(version.id, hours=25)
    dry = evict(dry=True)
    assert list(dry["removed"]) == [f"tyre {version.id} at west"] and two.cached() == [version.id]
    done = evict()
    assert "unused for 25 h" in done["removed"][f"tyre {version.id} at west"]
    assert (done["freed_bytes"], done["left_bytes"]) == (100 * MB, 250 * MB)
    assert (two.cached(), two.clones()) == ([], [])
    assert snapshots.delete(two.home, volume_uuid=version.volume_uuid, name=version.snapshot), "nothing holds it"


def test_the_days_of_a_run_go_before_those_of_the_site(two):
    version, run = two.version("first"), Run()
    ensure(run, hold=False)
    assert evict(days="2")["removed"] == {}
    assert list(evict(days=0)["removed"]) == [f"tyre {version.id} at west"]


def test_a_lease_of_a_run_that_is_over_counts_as_a_use_until_now(two):
    version, run, evicting = two.version("first"), Run(), Run("evict", "evict_caches")
    ensure(run)
    two.unused_for(version.id, days=3)
    evicting.runs[(run.dag_id, run.run_id)] = "running"
    assert "in use" in evict(evicting)["kept"][f"tyre {version.id} at west"]
    evicting.runs[(run.dag_id, run.run_id)] = "failed"
    assert "is over without having released it" in evict(evicting, dry=True)["kept"][f"tyre {version.id} at west"]
    assert "is over without having released it" in evict(evicting)["kept"][f"tyre {version.id} at west"]
    assert "last used 0 h ago" in evict(evicting)["kept"][f"tyre {version.id} at west"]


def removed_by(two: Two, version_id: str, run: Run) -> None:
    """As an eviction leaves it that was killed before it removed the cache."""
    cached = dataset_caches.find(two.site, svm="svm2", version_id=version_id)
    assert cached is not None
    dataset_caches.note(
        two.site, cached, used=cached.used, removed_by=cache_uses.owner(run.key, run.dag_id, run.run_id)
    )


def test_a_run_that_meets_an_eviction_comes_back_later_unless_that_has_died(two):
    version, evicting, later = two.version("first"), Run("evict", "evict_caches"), Run("later")
    ensure(hold=False)
    removed_by(two, version.id, evicting)
    with pytest.raises(
        errors.UnderWay, match=f"tyre {version.id} at west is being removed by r.* of evict_caches/evict"
    ):
        ensure(later)
    (clone,) = dataset_caches.origins(two.home, svm="svm1")
    assert cache_uses.uses(two.home, volume_uuid=clone.uuid) == []
    other = evict(Run("another", "evict_caches"), days=0)
    assert "is removing it" in other["kept"][f"tyre {version.id} at west"]
    later.runs[(evicting.dag_id, evicting.run_id)] = "failed"
    assert ensure(later)["dataset_version"]["id"] == version.id
    found = dataset_caches.find(two.site, svm="svm2", version_id=version.id)
    assert found is not None and found.removed_by is None


def test_an_eviction_that_meets_a_run_which_has_just_taken_its_lease_steps_back(two, monkeypatch):
    version, run = two.version("first"), Run()
    ensure(run, hold=False)
    note = dataset_caches.note

    def slow(client: Any, cached: Any, **facts: Any) -> Any:
        """Between the look at the leases and what is said of the removal, a run comes in."""
        monkeypatch.setattr(dataset_caches, "note", note)
        (clone,) = dataset_caches.origins(two.home, svm="svm1")
        owner = cache_uses.owner(run.key, run.dag_id, run.run_id)
        cache_uses.take(two.home, volume_uuid=clone.uuid, site="west", owner=owner)
        return note(client, cached, **facts)

    monkeypatch.setattr(dataset_caches, "note", slow)
    assert "taken into use just now" in evict(days=0)["kept"][f"tyre {version.id} at west"]
    found = dataset_caches.find(two.site, svm="svm2", version_id=version.id)
    assert found is not None and found.removed_by is None


def test_a_clone_left_by_a_try_that_died_is_collected_once_its_run_is_over(two):
    version, run, evicting = two.version("first"), Run(), Run("evict", "evict_caches")
    ensure(run)
    caches.delete(two.site, svm="svm2", name=names.cache_volume(version.id))
    evict(evicting)
    assert len(two.clones()) == 1, "a run that may go on has a lease"
    evicting.runs[(run.dag_id, run.run_id)] = "failed"
    evict(evicting)
    assert two.clones() == []


def test_a_cache_of_a_dataset_that_is_not_configured_any_more_is_kept_and_named(two, tmp_path):
    version = two.version("first")
    ensure(hold=False)
    (tmp_path / "datasets.yaml").write_text(DATASETS.replace("tyre:", "cats:"))
    assert "its dataset is not in datasets.yaml" in evict(days=0)["kept"][f"tyre {version.id} at west"]
    assert registry.usable().keys() == {"cats"}


def test_somebody_elses_cache_at_the_site_is_neither_counted_nor_touched(two):
    two.version("first")
    facts = {"origin_svm": "svm1", "origin_volume": "tyre", "comment": "somebody's", "size_bytes": 500 * MB}
    caches.ensure(two.site, svm="svm2", name="theirs", **facts)
    assert ensure(hold=False)["committed_bytes"] == 100 * MB
    evict(days=0)
    assert [cache.name for cache in caches.list_caches(two.site, svm="svm2")] == ["theirs"]


def test_a_cache_goes_while_another_site_keeps_the_same_version(two, tmp_path):
    two.version("first")
    here = {"name": "near", "ontap_conn_id": "ontap_default", "svm": "svm_near", "cache_bytes": GIB}
    two.here.control("PUT", "/svms", {"name": "svm_near"})
    ensure(hold=False)
    ensure(hold=False, site=here)
    assert len(evict(days=0)["removed"]) == 1
    assert (len(two.clones()), len(caches.list_caches(two.home, svm="svm_near"))) == (1, 1)
    Run("evict2", "evict_caches").execute(DatasetCacheEvictOperator, site=here, days=0)
    assert two.clones() == []


def test_the_home_is_called_what_the_site_calls_its_peer(two):
    two.version("first")
    (peer,) = two.there.records("/svm/peers")
    renamed = two.there.http.patch(f"/api/svm/peers/{peer['uuid']}?return_timeout=20", json={"name": "headquarters"})
    renamed.raise_for_status()
    with pytest.raises(errors.NotPeered):
        ensure()
    assert two.clones() == []
    made = ensure(home_svm="headquarters")
    assert ensure(home_svm="headquarters") == made


def test_accounts_of_the_two_svms_with_the_least_rights_are_enough(two, monkeypatch):
    rights = {"/api/storage/volumes": "all", "/api/cluster/jobs": "readonly", "/api/svm/svms": "readonly"}
    there = {**rights, "/api/storage/flexcache/flexcaches": "all"}
    for cluster_, may, svm, name in ((two.here, rights, "svm1", "DEFAULT"), (two.there, there, "svm2", "REMOTE")):
        privileges = [{"path": path, "access": access} for path, access in may.items()]
        cluster_.control("PUT", "/roles", {"name": "few", "privileges": privileges})
        cluster_.control("PUT", "/users", {"name": "few", "password": "few-rights", "role": "few", "svm": svm})
        extra = {"verify": cluster_.emulator.ca, "svm": svm}
        connection = cluster_.connection(login="few", password="few-rights", extra=extra)
        monkeypatch.setenv(f"AIRFLOW_CONN_ONTAP_{name}", connection)
    version, run = two.version("first"), Run()
    assert ensure(run)["used_bytes"] >= 5
    assert release(run) == [names.cache_volume(version.id)]
    assert list(evict(days=0)["removed"]) == [f"tyre {version.id} at west"]


def reclaim(operator: Any, run: Run | None = None, **other: Any) -> Any:
    run = run or Run("reclaim", "reclaim_space")
    return run.execute(operator, ontap_conn_id="ontap_remote", svm="svm2", **other)


def reasons(found: Any) -> dict[str, str | None]:
    return {item["name"]: item["reason"] for item in found["items"] if item["kind"] == "cache"}


def test_the_reclaimer_judges_and_removes_caches_as_an_eviction_does(two, monkeypatch, tmp_path):
    version, using = two.version("first"), Run("training", "tyre_quality")
    name = ensure(using)["volume"]
    assert reasons(reclaim(ReclaimPlanOperator))[name].startswith("in use: ")
    release(using)
    assert reasons(reclaim(ReclaimPlanOperator))[name] == "last used 0 h ago; unused caches are kept for 1 days"
    two.unused_for(version.id, days=2)
    planned = reclaim(ReclaimPlanOperator)
    assert reasons(planned) == {name: None}
    assert planned["bytes"] == 5 and two.cached() == [version.id]
    ensure(using, version=version.id)
    monkeypatch.setattr(reclaiming, "needed", lambda context, task: planned)
    assert "in use" in reclaim(ReclaimOperator, remove=True)["kept"][name], "taken into use since the plan"
    release(using)
    two.unused_for(version.id, days=2)
    assert reclaim(ReclaimOperator, remove=True) == {"removed": [name], "kept": {}, "bytes": 5}
    assert (two.cached(), two.clones()) == ([], [])


def test_the_reclaimer_leaves_caches_in_doubt(two, monkeypatch, tmp_path):
    version = two.version("first")
    name = ensure(hold=False)["volume"]
    two.unused_for(version.id, days=2)
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", two.here.connection(password="wrong"))
    assert reasons(reclaim(ReclaimPlanOperator))[name].startswith("it cannot be asked who needs it: ")
    (tmp_path / "sites.yaml").write_text(SITES.replace("west", "east"))
    assert reasons(reclaim(ReclaimPlanOperator))[name].startswith("site west is not in sites.yaml here")
    (tmp_path / "sites.yaml").write_text(SITES)
    (tmp_path / "datasets.yaml").write_text(DATASETS.replace("tyre:", "other:"))
    assert reasons(reclaim(ReclaimPlanOperator))[name].startswith("its dataset is not in datasets.yaml")
