"""The dataset registry: config/datasets.yaml as objects, checked when read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ontap_mlops import settings
from ontap_mlops.config_file import Flag, Items, Named, Section, Text, Whole, load

_UNIT = {"MB": 1024**2, "GB": 1024**3, "TB": 1024**4}

SCHEMA = Section(
    {
        "datasets": Named(
            Section(
                {
                    "description": Text(default=""),
                    "source": Text(required=True, pattern=r"s3://[^/]+/.*", shape="give it like s3://bucket/prefix/"),
                    "source_conn_id": Text(default="aws_default"),
                    "ontap_conn_id": Text(default="ontap_default"),
                    "svm": Text(required=True),
                    "volume": Text(
                        required=True,
                        pattern=r"[A-Za-z_]\w{0,202}",
                        shape="a volume name is up to 203 letters, digits and underscores, not starting with a digit",
                    ),
                    "size": Text(default="10GB", pattern=r"\d+ ?(MB|GB|TB)", shape="give it like 500MB, 20GB or 4TB"),
                    "schedule": Text(default=None),
                    "check": Section(
                        {
                            "folders": Items(Text()),
                            "minimum_files": Whole(default=1, minimum=0),
                            "allow_personal_data": Flag(default=False),
                        }
                    ),
                    "keep": Section({"versions": Whole(default=30, minimum=1), "days": Whole(default=365, minimum=0)}),
                }
            ),
            name_pattern=r"[a-z][a-z0-9_]{0,39}",
        )
    }
)


@dataclass(frozen=True, kw_only=True)
class Check:
    """What data must satisfy before it may become a version. ``minimum_files`` counts in each of ``folders``."""

    folders: tuple[str, ...] = ()
    minimum_files: int = 1
    allow_personal_data: bool = False


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Versions are kept while they are among the newest ``versions`` or younger than ``days``."""

    versions: int = 30
    days: int = 365


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """``schedule`` is a cron expression or preset; None means that ingest runs only when triggered."""

    name: str
    source: str
    volume: str
    svm: str
    description: str = ""
    source_conn_id: str = "aws_default"
    ontap_conn_id: str = "ontap_default"
    size: str = "10GB"
    schedule: str | None = None
    check: Check = field(default_factory=Check)
    keep: Keep = field(default_factory=Keep)

    @property
    def size_bytes(self) -> int:
        number, unit = re.findall(r"\d+|[MGT]B", self.size)
        return int(number) * _UNIT[unit]


def datasets(path: Path | None = None) -> dict[str, Dataset]:
    """Every dataset by name. Raises ConfigError with file, line and the allowed keys."""
    document = load(path or settings.config_dir() / "datasets.yaml", SCHEMA)
    return {name: _dataset(name, entry) for name, entry in document["datasets"].items()}


def dataset(name: str) -> Dataset:
    known = datasets()
    if name not in known:
        raise ValueError(f"no dataset {name!r} in {settings.config_dir() / 'datasets.yaml'}; it has {sorted(known)}")
    return known[name]


def _dataset(name: str, entry: dict[str, Any]) -> Dataset:
    check = Check(**{**entry["check"], "folders": tuple(entry["check"]["folders"])})
    return Dataset(**{**entry, "name": name, "check": check, "keep": Keep(**entry["keep"])})
