"""How the emulator logs: lines to read or, where ONTAP_MLOPS_LOG_FORMAT says json, objects with Airflow's own keys."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime

FORMAT = "ONTAP_MLOPS_LOG_FORMAT"
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Lines(logging.Formatter):
    """``timestamp``, ``level``, ``logger``, ``event`` and, of an error, ``exception``: the names that Airflow uses."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)


def configure(environment: Mapping[str, str] = os.environ) -> None:
    """SystemExit with a sentence on a format that there is not."""
    wanted = environment.get(FORMAT) or "text"
    if wanted not in ("text", "json"):
        raise SystemExit(f"{FORMAT} is {wanted!r}; give text or json.")
    handler = logging.StreamHandler()
    handler.setFormatter(Lines() if wanted == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
