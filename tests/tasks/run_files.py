"""RUN_FILE as the runner writes it, for tests of programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RUN: dict[str, Any] = {
    "schema": 1,
    "run_key": "r1",
    "dag_id": "a_dag",
    "run_id": "manual__1",
    "model": "a_model",
    "dataset_version": {
        "schema": 1,
        "dataset": "tyre_images",
        "id": "v1",
        "svm": "svm1",
        "volume": "tyre_images",
        "volume_uuid": "v-1",
        "snapshot": "mlops_v1",
        "snapshot_uuid": "s-1",
        "created_at": "2026-11-20T06:30:00+00:00",
        "digest": "0123456789abcdef" * 4,
        "files": 72,
        "bytes": 1000,
        "source": "s3://lake/tyre",
    },
    "parameters": {},
    "promote": "if_better",
    "code_commit": "c0ffee",
    "repeat_of": None,
}


def write_run_file(path: Path, parameters: dict[str, Any] | None = None, **fields: Any) -> Path:
    """``fields`` are those beside ``run``: step, data, folders, champion."""
    content = {"schema": 1, "run": {**RUN, "parameters": parameters or {}}, "step": "train", "data": None}
    path.write_text(json.dumps({**content, "folders": {}, "champion": None, **fields}))
    return path
