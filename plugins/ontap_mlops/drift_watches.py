"""Which systems are watched for drift: what ``drift.yaml`` says of each, as checked objects."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ontap_mlops import settings
from ontap_mlops.config_entries import Catalog, Each
from ontap_mlops.config_file import Section
from ontap_mlops.sites import Text

CHAMPION, ANEW, NEVER = "champion", "anew", "never"
VERSIONS, DRIFT = "versions", "drift"


def _name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise ValueError(f"{name!r} does not fit: up to 40 of a-z, 0-9 and _, and a letter first")
    return name


NAME = AfterValidator(_name)


class Entry(Section):
    """One entry of ``drift.yaml``, below its name, which is that of the system's reader.

    ``window_days`` say how long ago what counts as new may have come; 0: since the version that the model was trained
    on. ``approval_days`` is how long a person is waited for. ``start`` says how a training that drift starts begins,
    ``train_on`` whether trainings run on each new version too.
    """

    dataset: Text
    model: Text
    schedule: Text | None = "@daily"
    on_new_versions: bool = True
    window_days: Annotated[float, Field(ge=0)] = 1
    approval: bool = True
    approval_days: Annotated[int, Field(ge=1)] = 7
    start: Literal["champion", "anew", "never"] = "champion"
    train_on: Literal["versions", "drift"] = "versions"


class Watch(Entry):
    name: Annotated[str, NAME]


def _one_model_once(path: Path, read: Each[Entry]) -> None:
    read.once(
        path,
        lambda entry: entry.model,
        lambda name, entry, first: f"model {entry.model!r} is watched by {first!r} already (in drift.{name})",
    )


_FILE = Catalog("drift.yaml", "drift", "drift watch", Entry, Watch, NAME, optional=True, check=_one_model_once)


def watches(path: Path | None = None) -> dict[str, Watch]:
    """Every watch by name. Raises ConfigError with file, line and the allowed keys where any entry is wrong."""
    return _FILE.all(path)


def usable(path: Path | None = None) -> dict[str, Watch]:
    """Every watch whose entry is right. Raises ConfigError for a file that cannot be read as a whole."""
    return _FILE.usable(path)


def of_model(model: str) -> Watch | None:
    """Return the watch of a model; None where it has none, or its entry is wrong, as the DAGs of that file say."""
    try:
        known = usable() if settings.has_config_dir() else {}
    except (OSError, ValueError):
        return None
    return next((watch for watch in known.values() if watch.model == model), None)
