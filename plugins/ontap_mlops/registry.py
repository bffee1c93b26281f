"""The dataset registry: config/datasets.yaml as objects, checked when read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ontap_mlops import settings

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SIZE = re.compile(r"(\d+)\s*(MB|GB|TB)")
_UNIT = {"MB": 1024**2, "GB": 1024**3, "TB": 1024**4}

_CHECK = {"folders": list, "minimum_files": int, "allow_personal_data": bool}
_KEEP = {"versions": int, "days": int}
_DATASET = {
    "description": str,
    "source": str,
    "source_conn_id": str,
    "ontap_conn_id": str,
    "svm": str,
    "volume": str,
    "size": str,
    "schedule": (str, type(None)),
    "check": _CHECK,
    "keep": _KEEP,
}


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
        match = _SIZE.fullmatch(self.size)
        if match is None:
            raise ValueError(f"dataset {self.name}: size is {self.size!r}; give it like 500MB, 20GB or 4TB")
        return int(match[1]) * _UNIT[match[2]]


def datasets(path: Path | None = None) -> dict[str, Dataset]:
    """Every dataset by name. Raises ConfigError with file, line and the allowed keys."""
    from ontap_mlops import config_file

    path = path or settings.config_dir() / "datasets.yaml"
    document = config_file.load(path, {"datasets": {"*": _DATASET}})
    found = {}
    for name, entry in (document.get("datasets") or {}).items():
        try:
            found[name] = _dataset(name, entry)
        except (TypeError, ValueError) as error:
            raise config_file.ConfigError(f"{path}: {_sentence(name, entry, error)}") from None
    return found


def dataset(name: str) -> Dataset:
    known = datasets()
    if name not in known:
        raise ValueError(f"no dataset {name!r} in {settings.config_dir() / 'datasets.yaml'}; it has {sorted(known)}")
    return known[name]


def _dataset(name: str, entry: dict[str, Any]) -> Dataset:
    if not _NAME.fullmatch(name):
        raise ValueError(f"dataset name {name!r} is not 1 to 40 of lower-case letters, digits and underscores")
    check, keep = dict(entry.get("check") or {}), dict(entry.get("keep") or {})
    check["folders"] = tuple(check.get("folders") or ())
    known = Dataset(**{**entry, "name": name, "check": Check(**check), "keep": Keep(**keep)})
    _ = known.size_bytes
    if not known.source.startswith("s3://"):
        raise ValueError(f"dataset {name}: source is {known.source!r}; give it like s3://bucket/prefix/")
    return known


def _sentence(name: str, entry: dict[str, Any], error: Exception) -> str:
    missing = [key for key in ("source", "svm", "volume") if key not in entry]
    return f"dataset {name} lacks {', '.join(missing)}" if missing else str(error)
