"""What every place has, whatever its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from ontap_mlops import settings
from ontap_mlops.compute.workload import Runner
from ontap_mlops.config_file import Section


class BasePlace(Section):
    """An entry of ``compute.yaml``; a kind adds its own keys, and says in ``kind`` what it is called.

    ``slots``: programs at once, as the size of the place's Airflow pool. ``pending_limit_s``: how long one may wait for
    room before it is offered to the next place named; None for ever. ``environment``: further variables for programs,
    which get little of the worker's own.
    """

    slots: Annotated[int, Field(ge=1)] = 4
    pending_limit_s: Annotated[float, Field(ge=1)] | None = None
    environment: dict[str, str] = {}

    def runner(self) -> Runner:
        raise NotImplementedError


def base_folder() -> Path:
    """Where relative folders start. A place by value works without a folder of configuration."""
    return settings.config_dir().resolve() if settings.has_config_dir() else Path.cwd()
