"""The edge sites: what ``edge_sites.yaml`` says of each, or a value that a DAG gives itself, as checked objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from ontap_mlops.config_entries import Catalog, Each
from ontap_mlops.config_file import Section
from ontap_mlops.sites import Bytes, Text

FLEXCACHE, SNAPMIRROR, SYNC = "flexcache", "snapmirror", "sync"


def _name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise ValueError(f"{name!r} does not fit: up to 40 of a-z, 0-9 and _, and a letter first")
    return name


NAME = AfterValidator(_name)
Name = Annotated[str, NAME]


class Entry(Section):
    """One entry of ``edge_sites.yaml``, below its name.

    ``way`` is how models come to the SVM of the site; ``inference_conn_id`` leads to its server; ``place``, of
    ``compute.yaml``, mounts the volumes of the site, and for ``sync`` those of home too; ``size`` is that of the site's
    volume of one model, in bytes; ``aggregate`` None lets ONTAP choose.
    """

    way: Literal["flexcache", "snapmirror", "sync"]
    ontap_conn_id: Text
    svm: Text
    inference_conn_id: Text
    description: str = ""
    group: Name = "all"
    place: Text = "local"
    size: Bytes = 1024**3
    aggregate: Text | None = None


class EdgeSite(Entry):
    name: Name


def _one_server_once(path: Path, read: Each[Entry]) -> None:
    read.once(
        path,
        lambda entry: entry.inference_conn_id,
        lambda name, entry, first: (
            f"the server of connection {entry.inference_conn_id!r} is already that of site {first!r}; each would undo "
            f"what is rolled out to the other (in edge_sites.{name})"
        ),
    )


# Edge sites are optional, and so is their file.
_FILE = Catalog(
    "edge_sites.yaml", "edge_sites", "edge site", Entry, EdgeSite, NAME, optional=True, check=_one_server_once
)


def edge_sites(path: Path | None = None) -> dict[str, EdgeSite]:
    """Every site by name. Raises ConfigError with file, line and the allowed keys where any entry is wrong."""
    return _FILE.all(path)


def usable(path: Path | None = None) -> dict[str, EdgeSite]:
    """Every site whose entry is right. Raises ConfigError for a file that cannot be read as a whole."""
    return _FILE.usable(path)


def edge_site(name: str) -> EdgeSite:
    """Raises ConfigError where its entry is wrong, and ValueError, naming the known ones, where there is none."""
    return _FILE.one(name)


def as_edge_site(value: str | EdgeSite | Mapping[str, Any]) -> EdgeSite:
    """A site by name, or by value: an object, or a mapping with the keys of ``edge_sites.yaml`` and ``name``."""
    return _FILE.of(value)


def groups() -> list[str]:
    """The groups that there are, in the order of the file."""
    return list(dict.fromkeys(site.group for site in usable().values()))
