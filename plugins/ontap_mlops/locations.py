"""Where a dataset is: at home, as its own entry says, or at another site, in the volume that its mirror keeps there.

At a site the volume has the name that it has at home, and SnapMirror brings each snapshot with its name and comment, so
a dataset version has the same id everywhere; see decision 24.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from ontap_mlops import registry, sites
from ontap_mlops.sites import HOME

KEYS = "ontap_s3"


@dataclass(frozen=True, kw_only=True)
class Location:
    """``svm`` empty means that of the connection."""

    site: str
    ontap_conn_id: str
    svm: str

    @property
    def is_home(self) -> bool:
        return self.site == HOME

    @property
    def keys_suffix(self) -> str:
        """What tells the S3 keys of this SVM from those of others."""
        return registry.keys_suffix(self.ontap_conn_id, self.svm)

    @property
    def keys_conn_id(self) -> str:
        """The ``aws`` connection with the keys to the buckets of this SVM, as the DAGs that make them name it."""
        return KEYS + self.keys_suffix


def of(dataset: registry.Dataset, site: str | None = HOME) -> Location:
    """Return where the dataset is at this site.

    Raises ValueError, naming the known ones, where there is no such site, and ConfigError where its entry is wrong.
    """
    if site in (None, "", HOME):
        return Location(site=HOME, ontap_conn_id=dataset.ontap_conn_id, svm=dataset.svm)
    found = sites.site(str(site))
    return Location(site=found.name, ontap_conn_id=found.ontap_conn_id, svm=found.svm)


def choices() -> list[str]:
    """Return home and the sites that a form can offer."""
    return [HOME, *sites.usable()]


def chosen(dataset: registry.Dataset, fact: str, param: str = "site") -> str:
    """Return this fact of the dataset's location as a template that follows the Param ``site`` of a run.

    A table of all sites, not a look at the files, so that a task that is cleared means what it meant. Plain text where
    there is no site to choose.
    """
    table = {site: getattr(of(dataset, site), fact) for site in choices()}
    if len(table) == 1:
        return str(table[HOME])
    return _table(table, param)


def of_dataset(fact: str, param: str = "dataset") -> str:
    """Return a fact of a dataset's own entry, such as ``volume``, as a template that follows the Param ``dataset``."""
    return _table({name: getattr(entry, fact) for name, entry in registry.usable().items()}, param)


def of_site(fact: str, param: str = "site") -> str:
    """Return a fact of a site, or its ``keys_suffix``, as a template that follows a Param without ``home``."""
    known = sites.usable().values()
    if fact == "keys_suffix":
        return _table({site.name: registry.keys_suffix(site.ontap_conn_id, site.svm) for site in known}, param)
    return _table({site.name: getattr(site, fact) for site in known}, param)


def _table(facts: dict[str, str], param: str) -> str:
    return f"{{{{ {json.dumps(facts)}[params.{param}] }}}}"
