"""Which data a run read, as MLflow's Dataset tab and search know it: a dataset version, named by its snapshot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from tasks.common.model_folder import Tensor
from tasks.common.run_file import RunFile
from tasks.common.s3_url import is_s3

LONGEST_DIGEST = 36  # characters that MLflow keeps of one
TRAINING, EVALUATION = "training", "evaluation"


@dataclass(frozen=True)
class Dataset:
    """``source`` says where it is and ``kind`` by what rules; ``profile`` how much it is, ``schema`` of what."""

    name: str
    digest: str
    kind: str
    source: Mapping[str, Any]
    profile: Mapping[str, Any]
    schema: Mapping[str, Any]

    def as_input(self, context: str) -> dict[str, Any]:
        """For MLflow's ``runs/log-inputs``. MLflow keeps one input of a name and digest in a run, so that what is held
        out of a dataset has a name of its own."""
        whole = {
            "name": self.name if context == TRAINING else f"{self.name} (held out)",
            "digest": self.digest[:LONGEST_DIGEST],
            "source_type": self.kind,
            "source": json.dumps(self.source),
            "profile": json.dumps(self.profile),
            "schema": json.dumps(self.schema),
        }
        return {"dataset": whole, "tags": [{"key": "mlflow.data.context", "value": context}]}


def dataset(
    run: RunFile | None, url: str, digest: str, *, profile: Mapping[str, Any], schema: Mapping[str, Any]
) -> Dataset:
    """Return the dataset version of a run; by hand the folder or bucket at ``url`` and its content's ``digest``."""
    version = run.dataset_version if run else {}
    if not version.get("digest"):
        kind = "s3" if is_s3(url) else "local"
        return Dataset(PurePosixPath(url).name or url, digest, kind, {"uri": url}, profile, schema)
    place = f"ontap://{version.get('svm')}/{version.get('volume')}?snapshot={version.get('snapshot')}"
    source = {"uri": place, **{key: version.get(key) for key in ("snapshot_uuid", "id", "created_at", "source")}}
    measured = {key: version[key] for key in ("files", "bytes") if key in version}
    return Dataset(
        str(version.get("dataset")), str(version["digest"]), "ontap", source, {**measured, **profile}, schema
    )


def tensor_schema(tensor: Tensor) -> dict[str, Any]:
    return {"mlflow_tensorspec": {"features": tensor.signature(), "targets": None}}


def column_schema(columns: Mapping[str, str]) -> dict[str, Any]:
    """``columns`` maps names to MLflow's types, such as long, float and string."""
    return {"mlflow_colspec": [{"name": name, "type": kind} for name, kind in columns.items()]}
