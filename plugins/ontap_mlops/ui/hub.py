"""What the hub's pages, its JSON API and MCP ask: one method for each view, each of facts that are kept and dated."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops import registry, sites
from ontap_mlops.ui.facts import airflow, models, storage
from ontap_mlops.ui.facts.kept import Answer, Kept
from ontap_mlops.ui.facts.shapes import (
    Cache,
    Caches,
    Comparison,
    Dataset,
    DatasetPage,
    Datasets,
    Evicted,
    ExperimentPage,
    Lineage,
    Look,
    Model,
    ModelOrigin,
    Models,
    Reclaimable,
    Run,
    Runs,
    Site,
    Storage,
    TrainedOn,
    Version,
    VersionPage,
)

if TYPE_CHECKING:
    from ontap_mlops.ontap.overview import Held
    from ontap_mlops.records import DatasetVersion

PER_PAGE = 25
_CONFIG_S = 10.0  # reading a thousand entries takes a second
_RUNS_S = 3.0
_FILES_AT_MOST = 60  # versions that are asked whether they have a file
_EVICTIONS = 30  # runs of evict_caches whose removals are shown
_FOREVER_S = 24 * 3600.0  # what two snapshots differ in never changes

MayRead = Callable[[str], bool]


class NotThere(Exception):
    """What was asked for does not exist; the text is a sentence."""


class NotKnown(Exception):
    """Nobody can tell now whether it exists; the text says why."""


class NotYet(NotKnown):
    """It is being asked for."""


class Hub:
    """:param refresh: is handed on by each view: ask again in place of showing what was kept."""

    def __init__(self, kept: Kept | None = None) -> None:
        self.kept = kept or Kept()

    # Views

    def datasets(self, *, search: str = "", page: int = 1, refresh: bool = False) -> Datasets:
        known = {name: each for name, each in self._registry().items() if search.lower() in name.lower()}
        shown, pages = _page(sorted(known), page)
        homes, looks = self._homes({(known[n].ontap_conn_id, known[n].svm) for n in shown}, refresh)
        events = self.kept.get(("events", *shown), lambda: airflow.newest_versions(shown), fresh_s=_CONFIG_S)
        if events.trouble:
            looks.append(_look("Airflow", events))
        found = [self._dataset(known[name], homes, (events.value or {}).get(name)) for name in shown]
        return Datasets(looks=looks, total=len(known), page=page, pages=pages, datasets=found)

    def dataset(self, name: str, *, page: int = 1, refresh: bool = False) -> DatasetPage:
        entry = self._entry(name)
        answer = self._versions(entry, refresh)
        registered, caches = self._models(False), self._cached(False)
        all_versions = storage.as_versions(answer.value or [])
        shown, pages = _page(all_versions, page)
        newest = all_versions[0] if all_versions else None
        return DatasetPage(
            looks=[_look("ONTAP", answer), _look("MLflow", registered), *caches[1]],
            dataset=self._dataset(entry, {}, None).model_copy(update={"newest": newest}),
            total=len(all_versions),
            page=page,
            pages=pages,
            versions=shown,
            caches=[storage.filled(each, all_versions) for each in caches[0] if each.dataset == name],
            models=[each for each in registered.value or [] if each.dataset == name],
        )

    def version(self, name: str, version_id: str, *, refresh: bool = False) -> VersionPage:
        entry, answer = self._entry(name), self._versions(self._entry(name), refresh)
        found = storage.as_versions(answer.value or [])
        ids = [each.id for each in found]
        at = ids.index(self._require(answer, ids, name, version_id))
        caches, looks = self._cached(False)
        return VersionPage(
            looks=[_look("ONTAP", answer), *looks],
            dataset=self._dataset(entry, {}, None),
            version=found[at],
            before=ids[at + 1] if at + 1 < len(ids) else None,
            after=ids[at - 1] if at else None,
            caches=[
                storage.filled(each, found) for each in caches if (each.dataset, each.version) == (name, version_id)
            ],
            lineage=self.lineage(name, version_id, refresh=refresh),
        )

    def lineage(self, name: str, version_id: str, *, refresh: bool = False) -> Lineage:
        """From a version to its runs, their models and what serves; known even of a version that is gone."""
        trained = self.kept.get(("trainings", version_id), lambda: models.trainings(version_id), refresh=refresh)
        registered = self._models(refresh)
        return Lineage(
            looks=[_look("MLflow", trained if trained.trouble else registered)],
            dataset=name,
            version=version_id,
            trainings=trained.value or [],
            models=[m for m in registered.value or [] if (m.dataset, m.dataset_version) == (name, version_id)],
        )

    def models(self, *, search: str = "", page: int = 1, refresh: bool = False) -> Models:
        answer = self._models(refresh)
        found = [each for each in answer.value or [] if search.lower() in each.model.lower()]
        shown, pages = _page(found, page)
        return Models(looks=[_look("MLflow", answer)], total=len(found), page=page, pages=pages, models=shown)

    def model(self, name: str, number: int, *, refresh: bool = False) -> ModelOrigin:
        answer = self._models(refresh)
        versions = [each for each in answer.value or [] if each.model == name]
        found = next((each for each in versions if each.version == number), None)
        if found is None:
            raise _missing(answer, f"Model {name} has no version {number} that was registered by a promotion here.")
        return ModelOrigin(
            looks=[_look("MLflow", answer)],
            model=found,
            versions=versions,
            seen=models.origin_of(versions, name),
            serving=next((each for each in versions if each.state == "serving"), None),
        )

    def experiment(self, run_key: str, *, refresh: bool = False) -> ExperimentPage:
        answer = self.kept.get(("experiment", run_key), lambda: models.experiment(run_key), refresh=refresh)
        if answer.value is None:
            if not answer.at:
                raise _missing(answer, "")
            raise NotThere(f"Run {run_key} has frozen no experiment, as far as MLflow knows.")
        found, training = answer.value
        held, looks = self._volumes_of(found.dataset, refresh)
        runs = self._runs(False)
        return ExperimentPage(
            looks=[_look("MLflow", answer), *looks, _look("Airflow", runs)],
            experiment=found,
            training=training,
            there=found.volume in held if held is not None else None,
            repeated=[each for each in runs.value or [] if each.repeat_of == run_key],
        )

    def trained_on(self, name: str, path: str) -> TrainedOn:
        """Which models have seen a file: those trained on a version that has it. Only such versions are asked."""
        entry, answer, registered = self._entry(name), self._versions(self._entry(name), False), self._models(False)
        trained = {each.dataset_version for each in registered.value or [] if each.dataset == name}
        asked = [each for each in reversed(answer.value or []) if each.id in trained][:_FILES_AT_MOST]
        key = ("file", name, path, *(each.id for each in asked))
        there = self.kept.get(key, lambda: storage.holds(entry, asked, path), fresh_s=_FOREVER_S)
        return TrainedOn(
            looks=[_look("ONTAP", there if there.trouble else answer), _look("MLflow", registered)],
            dataset=name,
            path=path,
            versions=there.value or [],
            models=[
                m for m in registered.value or [] if m.dataset == name and m.dataset_version in (there.value or ())
            ],
            asked=len(asked),
        )

    def comparison(self, name: str, before_id: str, after_id: str) -> Comparison:
        entry, answer = self._entry(name), self._versions(self._entry(name), False)
        known = {each.id: each for each in answer.value or []}
        before, after = (known[self._require(answer, known, name, each)] for each in (before_id, after_id))
        key = ("comparison", name, before_id, after_id)
        found = self.kept.get(key, lambda: storage.comparison(entry, before, after), fresh_s=_FOREVER_S)
        counts, changed = found.value or ({}, [])
        return Comparison(
            looks=[_look("ONTAP", found)],
            dataset=name,
            before=storage.version_of(before),
            after=storage.version_of(after),
            counts=counts,
            changed=changed[: storage.COMPARED_AT_MOST],
            truncated=len(changed) > storage.COMPARED_AT_MOST,
        )

    def caches(self, *, refresh: bool = False) -> Caches:
        found, looks = self._cached(refresh)
        judged = self._judged()
        shown = []
        for site in self._sites().values():
            verdicts, evicted, at = judged.get(site.name, ({}, [], None))
            here = [self._filled(each) for each in found if each.site == site.name]
            shown.append(
                Site(
                    name=site.name,
                    description=site.description,
                    budget_bytes=site.cache_bytes,
                    committed_bytes=sum(each.size_bytes for each in here),
                    caches=here,
                    verdicts=verdicts,
                    evicted=evicted,
                    judged_at=at,
                )
            )
        return Caches(looks=looks, sites=shown)

    def storage(self, *, search: str = "", page: int = 1, refresh: bool = False) -> Storage:
        known = self._registry()
        homes, looks = self._homes({(each.ontap_conn_id, each.svm) for each in known.values()}, refresh)
        held = [each for found in homes.values() for each in found.values() if not each.volume.is_svm_root]
        names = {
            (each.volume.svm, each.volume.name): entry.name
            for entry in known.values()
            if (each := homes.get((entry.ontap_conn_id, entry.svm), {}).get(entry.volume)) is not None
        }
        volumes = sorted((storage.stored(each, names) for each in held), key=lambda each: (each.kind, each.name))
        wanted = [v for v in volumes if search.lower() in f"{v.name} {v.kind}".lower()]
        shown, pages = _page(wanted, page)
        items, total, at = self._reclaimable()
        return Storage(
            looks=looks,
            total=len(wanted),
            page=page,
            pages=pages,
            volumes=shown,
            snapshots=sum(each.snapshots for each in volumes),
            clones=sum(bool(each.clone_of) for each in volumes),
            used_bytes=sum(each.used_bytes or 0 for each in volumes),
            reclaimable=items,
            reclaimable_bytes=total,
            judged_at=at,
        )

    def runs(self, may_read: MayRead, *, refresh: bool = False) -> Runs:
        answer = self._runs(refresh)
        return Runs(looks=[_look("Airflow", answer)], runs=_readable(answer.value or [], may_read))

    # What the views share

    def found_version(self, name: str, version_id: str) -> tuple[registry.Dataset, DatasetVersion]:
        """Raises NotThere, and NotKnown where ONTAP is silent."""
        entry, answer = self._entry(name), self._versions(self._entry(name), False)
        known = {each.id: each for each in answer.value or []}
        return entry, known[self._require(answer, known, name, version_id)]

    def junction(self, entry: registry.Dataset) -> tuple[str, str | None]:
        """The dataset's SVM, and where its volume is mounted there; NotKnown where ONTAP is silent."""
        answer = self._home((entry.ontap_conn_id, entry.svm), False)
        if answer.value is None:
            raise NotKnown(answer.trouble or "ONTAP has not answered yet.")
        held = answer.value.get(entry.volume)
        if held is None:
            raise NotThere(f"Volume {entry.volume} of dataset {entry.name} does not exist yet.")
        return held.volume.svm, held.volume.junction_path

    def trained_by(self, name: str) -> list[str]:
        """DAGs that train on the dataset: those that a new version starts."""
        return self.kept.get(("consumers", name), lambda: airflow.consumers(name)).value or []

    def dags(self, dag_ids: Iterable[str]) -> dict[str, bool]:
        wanted = sorted(set(dag_ids))
        return self.kept.get(("dags", *wanted), lambda: airflow.dags(wanted), fresh_s=_CONFIG_S).value or {}

    def _registry(self) -> dict[str, registry.Dataset]:
        answer = self.kept.get(("datasets.yaml",), registry.usable, fresh_s=_CONFIG_S)
        if answer.value is None:
            raise NotKnown(answer.trouble or "The datasets are being read.")
        return answer.value

    def _sites(self) -> dict[str, sites.Site]:
        return self.kept.get(("sites.yaml",), sites.usable, fresh_s=_CONFIG_S).value or {}

    def _entry(self, name: str) -> registry.Dataset:
        entry = self._registry().get(name)
        if entry is None:
            raise NotThere(f"There is no dataset {name!r} in datasets.yaml, or its entry is wrong.")
        return entry

    def _versions(self, entry: registry.Dataset, refresh: bool) -> Answer[list[DatasetVersion]]:
        return self.kept.get(("versions", entry.name), lambda: storage.versions(entry), refresh=refresh)

    def _models(self, refresh: bool) -> Answer[list[Model]]:
        return self.kept.get(("models",), models.registered, refresh=refresh)

    def _runs(self, refresh: bool) -> Answer[list[Run]]:
        return self.kept.get(("runs",), airflow.runs, fresh_s=_RUNS_S, refresh=refresh)

    def _volumes_of(self, dataset: str, refresh: bool) -> tuple[dict[str, Held] | None, list[Look]]:
        """What lies beside the dataset, by name; None where ONTAP does not tell, or nobody knows the dataset."""
        entry = self._registry().get(dataset)
        if entry is None:
            return None, []
        homes, looks = self._homes({(entry.ontap_conn_id, entry.svm)}, refresh)
        answered = all(look.at for look in looks)
        return (homes[entry.ontap_conn_id, entry.svm] if answered else None), looks

    def _home(self, home: tuple[str, str], refresh: bool) -> Answer[dict[str, Held]]:
        def ask() -> dict[str, Held]:
            return {each.volume.name: each for each in storage.volumes(*home)}

        return self.kept.get(("home", *home), ask, refresh=refresh)

    def _homes(
        self, wanted: Iterable[tuple[str, str]], refresh: bool
    ) -> tuple[dict[tuple[str, str], dict[str, Held]], list[Look]]:
        found, looks = {}, []
        for home in sorted(set(wanted)):
            answer = self._home(home, refresh)
            found[home] = answer.value or {}
            looks.append(_look(f"ONTAP ({home[0]})", answer))
        return found, looks

    def _cached(self, refresh: bool) -> tuple[list[Cache], list[Look]]:
        found, looks = [], []
        for site in self._sites().values():
            answer = self.kept.get(("caches", site.name), lambda site=site: storage.caches(site), refresh=refresh)  # type: ignore[misc]
            # What another site's name says in a comment is not of this site.
            found += [each for each in answer.value or [] if each.site == site.name]
            looks.append(_look(f"site {site.name}", answer))
        return found, looks

    def _filled(self, cache: Cache) -> Cache:
        """How much of a version a cache holds is told against the version's size, which its dataset's home knows."""
        entry = self._registry().get(cache.dataset)
        known = (self._versions(entry, False).value or []) if entry else []
        return storage.filled(cache, [storage.version_of(each) for each in known if each.id == cache.version])

    def _judged(self) -> dict[str, tuple[dict[str, str], list[Evicted], Any]]:
        """By site, why caches stay and when that was judged, by the last run of the eviction; what the last ones took
        away, and why."""
        names = [f"evict_at_{site}" for site in self._sites()]
        answer = self.kept.get(("evicted",), lambda: airflow.last_results("evict_caches", names, _EVICTIONS))
        found: dict[str, tuple[dict[str, str], list[Evicted], Any]] = {}
        for task, said, at in answer.value or []:
            if isinstance(said, dict) and not said.get("dry"):
                site = task.removeprefix("evict_at_")
                _, evicted, _ = found.setdefault(site, (dict(said.get("kept", {})), [], at))
                evicted += [Evicted(cache=cache, why=why, at=at) for cache, why in said.get("removed", {}).items()]
        return found

    def _reclaimable(self) -> tuple[list[Reclaimable], int, Any]:
        answer = self.kept.get(("reclaimable",), lambda: airflow.last_results("reclaim_space", ["plan"]))
        for _, said, at in answer.value or []:
            items = said.get("items", []) if isinstance(said, dict) else []
            shown = [Reclaimable.of(item) for item in items if isinstance(item, dict)]
            return shown, sum(each.bytes or 0 for each in shown if each.reason is None), at
        return [], 0, None

    def _dataset(
        self, entry: registry.Dataset, homes: dict[tuple[str, str], dict[str, Held]], newest: dict[str, Any] | None
    ) -> Dataset:
        home = (entry.ontap_conn_id, entry.svm)
        held = homes.get(home, self.kept.known(("home", *home)).value or {}).get(entry.volume)
        return Dataset(
            name=entry.name,
            description=entry.description,
            source=entry.source,
            schedule=entry.schedule,
            volume=entry.volume,
            svm=held.volume.svm if held else entry.svm,
            ontap_conn_id=entry.ontap_conn_id,
            snapshots=held.snapshots if held else None,
            used_bytes=held.volume.used_bytes if held else None,
            newest=self._newest(entry.name, newest),
        )

    def _newest(self, name: str, told: dict[str, Any] | None) -> Version | None:
        from ontap_mlops.records import DatasetVersion

        known = self.kept.known(("versions", name)).value
        if known:
            return storage.as_versions(known)[0]
        try:
            return storage.version_of(DatasetVersion.from_json(told)) if told else None
        except ValueError:
            return None

    def _require(self, answer: Answer[Any], ids: Iterable[str], name: str, version_id: str) -> str:
        if version_id in ids:
            return version_id
        raise _missing(answer, f"Dataset {name} has no version {version_id!r}; it may have been removed.")


def _missing(answer: Answer[Any], sentence: str) -> Exception:
    if answer.value is None:
        return NotKnown(answer.trouble) if answer.trouble else NotYet("There is no answer yet; ask again in a moment.")
    return NotThere(sentence)


def _look(of: str, answer: Answer[Any]) -> Look:
    return Look(of=of, at=answer.at, trouble=answer.trouble, asking=answer.asking)


def _page(found: Sequence[Any], page: int) -> tuple[list[Any], int]:
    pages = max(1, math.ceil(len(found) / PER_PAGE))
    return list(found[(page - 1) * PER_PAGE : page * PER_PAGE]), pages


def _readable(runs: Iterable[Run], may_read: MayRead) -> list[Run]:
    """Each DAG is asked about once."""
    shown = list(runs)
    may = {dag_id: may_read(dag_id) for dag_id in {run.dag_id for run in shown}}
    return [run for run in shown if may[run.dag_id]]
