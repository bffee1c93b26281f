"""The gate before everything of a training that takes room at a place: its data is where it will be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.bases.sensor import PokeReturnValue

from ontap_mlops import locations, registry, sites
from ontap_mlops.sensors.base import OntapSensor

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.hooks.ontap import OntapHook

INTERVAL_S = 60.0
NOTHING = ("", "None", None)  # what a template leaves of an empty Param


class TrainingDataReadySensor(OntapSensor):
    """Wait until what a training reads at another site is there; at home there is nothing to wait for.

    It waits in the triggerer and in no place's pool, so that no GPU and no slot is held meanwhile, and says what it
    waits for. However many trainings wait for one volume, the site's ONTAP is asked once an interval.

    :param dataset: name in datasets.yaml, or a dataset by value.
    :param site: ``home``, a name in sites.yaml, or a site by value.
    :param version: id of the version that has to be at the site; empty: whichever is newest there.
    :param within_min: minutes that the site may be behind home, at most; empty: it may be behind.
    :return: ``version`` and ``snapshot`` at the site, or ``lag_s`` of its mirror, as far as they were asked for.
    """

    template_fields: Sequence[str] = ("dataset", "site", "version", "within_min")
    survey: ClassVar[str] = "ontap_mlops.ontap.training_data.survey"
    judge: ClassVar[str] = "ontap_mlops.ontap.training_data.ready"

    def __init__(
        self,
        *,
        dataset: str | registry.Dataset | Mapping[str, Any],
        site: str | sites.Site | Mapping[str, Any] = locations.HOME,
        version: str | None = None,
        within_min: Any = None,
        poke_interval: float = INTERVAL_S,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **{**kwargs, "ontap_conn_id": None})
        self.dataset = registry.as_argument(dataset)
        self.site = sites.as_argument(site)
        self.version = version
        self.within_min = within_min

    @cached_property
    def location(self) -> locations.Location:
        if isinstance(self.site, str):
            return locations.of(registry.as_dataset(self.dataset), self.site)
        site = sites.as_site(self.site)
        return locations.Location(site=site.name, ontap_conn_id=site.ontap_conn_id, svm=site.svm)

    @cached_property
    def hook(self) -> OntapHook:
        from ontap_mlops.hooks.ontap import OntapHook

        self.ontap_conn_id = self.location.ontap_conn_id
        return OntapHook(self.ontap_conn_id)

    def poke(self, context: Context) -> PokeReturnValue:
        asked = self.version not in NOTHING or self.within_min not in NOTHING
        if self.location.is_home or not asked:
            why = "data at home" if self.location.is_home else f"whatever version is newest at site {self.site}"
            self.log.info("Nothing to wait for: the run takes %s", why)
            return PokeReturnValue(True, {})
        return super().poke(context)

    def place(self) -> dict[str, Any]:
        return {"svm": self.hook.svm(self.location.svm), "volume": registry.as_dataset(self.dataset).volume}

    def subject(self) -> dict[str, Any]:
        dataset = registry.as_dataset(self.dataset)
        facts = {"site": self.location.site, "dataset": dataset.name, **self.place()}
        version = "" if self.version in NOTHING else str(self.version)
        return {**facts, "version_id": version, "below_s": _seconds(self.within_min)}


def _seconds(minutes: Any) -> float:
    """Raises ValueError for what is no number of minutes."""
    if minutes in NOTHING:
        return 0.0
    try:
        seconds = float(minutes) * 60
    except (TypeError, ValueError):
        seconds = 0.0
    if not seconds > 0:
        raise ValueError(f"within_min is {minutes!r}; give a number of minutes above 0, or leave it empty")
    return seconds
