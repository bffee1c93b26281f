"""What `make` calls; it uses this checkout's config/ and tasks/ unless the environment says otherwise."""

import os
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(_ROOT / "config"))
os.environ.setdefault("AIRFLOW__ONTAP_MLOPS__PROGRAMS_DIR", str(_ROOT))
