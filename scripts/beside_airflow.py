"""What a program that runs beside Airflow, and is none of its tasks, does to find connections as they do."""

from __future__ import annotations

import logging
import os


def find_connections() -> None:
    """Let connections be rows of Airflow's database: outside its own processes, Airflow looks at variables only."""
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    # Airflow hands every value of an extra to its masker, which warns of those too short to mask, such as "svm1".
    logging.getLogger("airflow._shared.secrets_masker.secrets_masker").addFilter(lambda record: False)
