"""Sensors on data that a computation needs: before they end, no GPU need be held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from ontap_mlops import locations, registry, sites
from ontap_mlops.operators.dataset_caches import hook_of_site, version_of
from ontap_mlops.records import DatasetVersion
from ontap_mlops.sensors.base import OntapSensor

if TYPE_CHECKING:
    from ontap_mlops.hooks.ontap import OntapHook

INTERVAL_S = 60.0


class _VersionAtSite(OntapSensor):
    """What these sensors share: a version of a dataset, by its id or as another task returned it.

    :param dataset: name in datasets.yaml, or a dataset by value.
    :param version: id, or a DatasetVersion or DatasetCache as JSON.
    :param site: name in sites.yaml.
    """

    template_fields: Sequence[str] = ("dataset", "version", "site")

    def __init__(
        self,
        *,
        dataset: str | registry.Dataset | Mapping[str, Any],
        version: str | Mapping[str, Any],
        site: str | sites.Site | Mapping[str, Any],
        poke_interval: float = INTERVAL_S,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **{"ontap_conn_id": None, **kwargs})
        self.dataset = registry.as_argument(dataset)
        self.version = version
        self.site = sites.as_argument(site)

    @cached_property
    def wanted(self) -> DatasetVersion:
        """Raises ValueError where the dataset has no such version."""
        from ontap_mlops.hooks.ontap import OntapHook

        given: Any = self.version
        if isinstance(given, Mapping):
            return DatasetVersion.from_json(dict(given.get("dataset_version", given)))
        if not given:
            raise ValueError("version is empty; name the dataset version to wait for, or wait for one to be made first")
        dataset = registry.as_dataset(self.dataset)
        home = OntapHook(dataset.ontap_conn_id)
        with home.client() as client:
            return version_of(client, home.svm(dataset.svm), dataset, given)


class OntapCacheWarmSensor(_VersionAtSite):
    """Waits until a dataset version is cached at a site and its cache holds this share of the version's bytes.

    Whoever makes the cache and fills it; this only looks. However many tasks wait for caches of one site, its ONTAP is
    asked once an interval. Data that ONTAP compresses takes less room than its bytes, so ask for a smaller share then;
    exactly, warmth is measured by reading (``tasks.data.warmth``).

    :param share: of the bytes, above 0 and up to 1.
    :return: ``share``, ``used_bytes``, ``version_bytes``, ``version``, ``site``, ``svm``, ``volume``,
        ``junction_path``.
    """

    template_fields: Sequence[str] = (*_VersionAtSite.template_fields, "share")
    survey: ClassVar[str] = "ontap_mlops.ontap.dataset_caches.list_cached"
    judge: ClassVar[str] = "ontap_mlops.ontap.readiness.warm"

    def __init__(self, *, share: float | str = 0.9, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.share = share

    @cached_property
    def hook(self) -> OntapHook:
        return hook_of_site(self)

    def place(self) -> dict[str, Any]:
        return {"svm": sites.as_site(self.site).svm}

    def subject(self) -> dict[str, Any]:
        version, site = self.wanted, sites.as_site(self.site)
        facts = {"dataset": version.dataset, "version_id": version.id, "version_bytes": version.bytes}
        return {"site": site.name, **facts, "share": _share(self.share)}


class DatasetVersionReadySensor(_VersionAtSite):
    """Waits until a dataset version can be read at home, or at the site to which its mirror brings it.

    The version's snapshot has to be there, whole. However many tasks wait for one volume, ONTAP is asked once an
    interval.

    :param site: ``home``, where the dataset's entry says, or a name in sites.yaml.
    :return: ``version``, ``site``, ``snapshot``, ``snapshot_uuid``, ``created_at``.
    """

    survey: ClassVar[str] = "ontap_mlops.ontap.readiness.snapshots_there"
    judge: ClassVar[str] = "ontap_mlops.ontap.readiness.frozen"

    def __init__(self, *, site: str | sites.Site | Mapping[str, Any] = sites.HOME, **kwargs: Any) -> None:
        super().__init__(site=site, **kwargs)

    @cached_property
    def hook(self) -> OntapHook:
        from ontap_mlops.hooks.ontap import OntapHook

        self.ontap_conn_id = self.ontap_conn_id or self._location().ontap_conn_id
        hook = OntapHook(self.ontap_conn_id)
        self.log.info(hook.where())
        return hook

    def place(self) -> dict[str, Any]:
        svm = self.hook.svm(self._location().svm)
        return {"svm": svm, "volume": registry.as_dataset(self.dataset).volume}

    def subject(self) -> dict[str, Any]:
        version, site = self.wanted, self._location().site
        facts = {"dataset": version.dataset, "version_id": version.id, "snapshot": version.snapshot}
        return {"site": site, **facts}

    def _location(self) -> locations.Location:
        if isinstance(self.site, str):
            return locations.of(registry.as_dataset(self.dataset), self.site)
        site = sites.as_site(self.site)
        return locations.Location(site=site.name, ontap_conn_id=site.ontap_conn_id, svm=site.svm)


def _share(value: Any) -> float:
    """Raises ValueError for what is no share."""
    try:
        share = float(value)
    except (TypeError, ValueError):
        share = 0.0
    if not 0 < share <= 1:
        raise ValueError(f"share is {value!r}; give a number above 0 and up to 1, such as 0.9")
    return share
