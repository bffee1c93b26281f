"""One look at work under way, through any hook, for a trigger that knows only plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.module_loading import import_string


def look(
    hook: str, where: Mapping[str, Any], function: str, subject: Mapping[str, Any], stop: str = "", cursor: Any = None
) -> dict[str, Any]:
    """Call ``function(client, **subject)`` once, with a client of ``hook(**where)``; ``stop`` is for ``cancel``.

    Returns what a ``PollingTrigger`` wants of a look.
    """
    with import_string(hook)(**where).client() as client:
        return import_string(function)(client, **subject, **({} if cursor is None else {"cursor": cursor}))


def cancel(hook: str, where: Mapping[str, Any], function: str, subject: Mapping[str, Any], stop: str) -> None:
    """Call ``stop(client, **subject)``; arguments as those of ``look``."""
    with import_string(hook)(**where).client() as client:
        import_string(stop)(client, **subject)
