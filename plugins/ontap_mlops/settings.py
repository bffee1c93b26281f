"""Every knob of the provider, each an environment variable with unit and default. Read when called, never at import.

=================================  ==========================================  =====================================
Variable                           Default                                     Meaning
=================================  ==========================================  =====================================
``ONTAP_MLOPS_CONFIG_DIR``         ``config/`` beside ``plugins/``             Folder of datasets.yaml, compute.yaml.
``ONTAP_MLOPS_CODE_COMMIT``        ``unknown``                                 Commit recorded with runs when the DAG
                                                                               bundle has no version of its own.
``ONTAP_MLOPS_WORKLOADS_DIR``      ``.local/workloads``                        Where the local runner keeps programs'
                                                                               state and logs.
``ONTAP_MLOPS_CLOCK_SKEW_S``       ``300`` (seconds; ``0`` switches it off)    Difference between ONTAP's clock and the
                                                                               worker's from which a warning is logged.
``ONTAP_MLOPS_SNAPSHOT_WARNING``   ``900`` (snapshots; the limit is 1,023)     Snapshots on a volume from which a freeze
                                                                               warns that the limit is near.
=================================  ==========================================  =====================================
"""

from __future__ import annotations

import os
from pathlib import Path

_HOUSE = Path(__file__).resolve().parents[2]


def config_dir() -> Path:
    return Path(os.environ.get("ONTAP_MLOPS_CONFIG_DIR") or _HOUSE / "config")


def code_commit() -> str:
    return os.environ.get("ONTAP_MLOPS_CODE_COMMIT") or "unknown"


def workloads_dir() -> Path:
    return Path(os.environ.get("ONTAP_MLOPS_WORKLOADS_DIR") or _HOUSE / ".local" / "workloads")


def clock_skew_s() -> int:
    return _integer("ONTAP_MLOPS_CLOCK_SKEW_S", 300)


def snapshot_warning() -> int:
    return _integer("ONTAP_MLOPS_SNAPSHOT_WARNING", 900)


def _integer(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}; give a whole number (default {default})") from None
