"""What a connection's extra holds."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Connection

log = logging.getLogger(__name__)

_TOLD: set[tuple[str, str]] = set()
_SECRET = re.compile("token|secret|password|passphrase|private_key|access_key|keyfile", re.IGNORECASE)


def extra_of(connection: Connection) -> dict[str, Any]:
    """Return the extra as a dictionary; what its names call a secret is masked in logs from here on.

    Airflow's ``extra_dejson`` hands every value to the masker, which then warns in each task's log of values such as
    ``svm1`` that are too short to mask.
    """
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        return {}
    if not isinstance(extra, dict):
        return {}
    _mask(extra, secret=False)
    return extra


def warn_of_unused(conn_id: str, extra: Mapping[str, Any], used: Collection[str]) -> None:
    """Name what nobody reads, once per process, so that no setting is dropped in silence."""
    for name in sorted(set(extra) - set(used)):
        if (conn_id, name) not in _TOLD:
            _TOLD.add((conn_id, name))
            log.warning("Connection %s has %s in its extra, which is not used here.", conn_id, name)


def _mask(value: Any, *, secret: bool) -> None:
    from airflow.sdk.log import mask_secret

    if isinstance(value, dict):
        for name, each in value.items():
            _mask(each, secret=secret or bool(_SECRET.search(name)))
    elif isinstance(value, list):
        for each in value:
            _mask(each, secret=secret)
    elif secret and isinstance(value, str):
        mask_secret(value)
