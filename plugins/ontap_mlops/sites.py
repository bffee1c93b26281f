"""The other sites: what ``sites.yaml`` says, or a value that a DAG gives itself, as checked objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from ontap_mlops.config_entries import Catalog, Each
from ontap_mlops.config_file import Section, Texts, bytes_of, shaped

HOME = "home"  # said of the SVM of a dataset's own entry; never the name of a site


def _name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise ValueError(f"{name!r} does not fit: up to 40 of a-z, 0-9 and _, and a letter first")
    if name == HOME:
        raise ValueError(f"{HOME!r} means where a dataset's own entry says; give the site another name")
    return name


def _bytes(value: Any) -> Any:
    """A size with its unit in bytes; anything else is left to the model."""
    return bytes_of(value) if isinstance(value, str) and not value.isdecimal() else value


NAME = AfterValidator(_name)
Name = Annotated[str, NAME]
Text = Annotated[str, shaped(r".*\S.*", "an empty text names nothing")]
Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=1)]


class Entry(Section):
    """One entry of ``sites.yaml``, below its name.

    ``cache_bytes`` are for all caches there together; ``aggregate`` None lets ONTAP choose; ``link_mbps`` is in
    megabits per second, None where nobody has measured it; ``places`` are those of ``compute.yaml`` at this site.
    """

    ontap_conn_id: Text
    svm: Text
    cache_bytes: Bytes
    description: str = ""
    aggregate: Text | None = None
    cache_keep_unused_days: Annotated[int, Field(ge=0)] = 1
    link_mbps: Annotated[float, Field(gt=0)] | None = None
    places: Texts = ()


class Site(Entry):
    name: Name


def _one_svm_once(path: Path, read: Each[Entry]) -> None:
    read.once(
        path,
        lambda entry: (entry.ontap_conn_id, entry.svm),
        lambda name, entry, first: (
            f"SVM {entry.svm!r} of connection {entry.ontap_conn_id!r} is already site {first!r}; two sites would each "
            f"spend its space for caches (in sites.{name}.svm)"
        ),
    )


# Other sites are optional, and so is their file.
_FILE = Catalog("sites.yaml", "sites", "site", Entry, Site, NAME, optional=True, check=_one_svm_once)


def sites(path: Path | None = None) -> dict[str, Site]:
    """Every site by name. Raises ConfigError with file, line and the allowed keys where any entry is wrong."""
    return _FILE.all(path)


def usable(path: Path | None = None) -> dict[str, Site]:
    """Every site whose entry is right. Raises ConfigError for a file that cannot be read as a whole."""
    return _FILE.usable(path)


def site(name: str) -> Site:
    """Raises ConfigError where its entry is wrong, and ValueError, naming the known ones, where there is none."""
    return _FILE.one(name)


def as_site(value: str | Site | Mapping[str, Any]) -> Site:
    """A site by name, or by value: an object, or a mapping with the keys of ``sites.yaml`` and ``name``."""
    return _FILE.of(value)


def as_argument(value: str | Site | Mapping[str, Any]) -> str | dict[str, Any]:
    """The same as an operator keeps it, so that Airflow can store and template it: the name, or plain values."""
    return _FILE.argument(value)
