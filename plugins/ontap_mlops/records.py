"""What one step hands to the next: frozen facts that hold all a later step needs, to and from plain JSON.

They travel through XCom, asset events, MLflow tags and files on the volumes, and must read the same from each.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Record:
    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises ValueError naming the record and the keys when one is missing or unknown."""
        known = {f.name: f for f in dataclasses.fields(cls)}
        required = {
            n for n, f in known.items() if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        }
        unknown, missing = set(value) - set(known), required - set(value)
        if unknown or missing:
            raise ValueError(
                f"not a {cls.__name__}: missing {sorted(missing) or 'nothing'}, unknown {sorted(unknown) or 'nothing'}"
            )
        return cls(**{n: cls._nested(n, v) for n, v in value.items()})

    @classmethod
    def _nested(cls, name: str, value: Any) -> Any:
        kind = _NESTED.get((cls.__name__, name))
        return kind.from_json(value) if kind is not None and isinstance(value, dict) else value


@dataclass(frozen=True, kw_only=True)
class DatasetVersion(Record):
    """One ONTAP snapshot of a dataset volume.

    ``created_at`` is ISO 8601 by ONTAP's clock, the one clock that orders versions.
    """

    dataset: str
    id: str
    svm: str
    volume: str
    volume_uuid: str
    snapshot: str
    snapshot_uuid: str
    created_at: str
    digest: str
    files: int
    bytes: int
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Workspace(Record):
    """A FlexClone of one dataset version, made for one run: mounted at ``junction_path``; ``bucket`` may be empty."""

    run_key: str
    svm: str
    volume: str
    volume_uuid: str
    junction_path: str
    bucket: str
    dataset_version: DatasetVersion


@dataclass(frozen=True, kw_only=True)
class ModelVersion(Record):
    """A model's files on the model volume, frozen by ``snapshot`` and registered in MLflow.

    ``folder`` is relative to the root of the volume.
    """

    model: str
    version: int
    run_key: str
    mlflow_run_id: str
    dataset_version: DatasetVersion
    svm: str
    volume: str
    folder: str
    digest: str
    snapshot: str
    snapshot_uuid: str
    created_at: str
    code_commit: str
    volume_uuid: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Deployment(Record):
    """A model version that serves, with one real inference as proof. ``endpoint`` is the URL a client posts to."""

    model_version: ModelVersion
    endpoint: str
    previous_version: int | None
    proof: dict[str, Any]
    deployed_at: str


_NESTED: dict[tuple[str, str], type[Record]] = {
    ("Workspace", "dataset_version"): DatasetVersion,
    ("ModelVersion", "dataset_version"): DatasetVersion,
    ("Deployment", "model_version"): ModelVersion,
}
