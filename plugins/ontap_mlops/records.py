"""What one step hands to the next: frozen facts that hold all a later step needs, to and from plain JSON.

They travel through XCom, asset events, MLflow tags, snapshot comments and files on the volumes, and read the same from
each. Every JSON form carries ``schema``. A field that this release does not know is left out when read, so that a
record may grow; a field gets a default when it is added, so that an older record can still be read.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self


@dataclass(frozen=True, kw_only=True)
class Record:
    """``SCHEMA`` grows when the meaning of a field changes, not when a field is added."""

    SCHEMA: ClassVar[int] = 1

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers, with ``schema``."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        plain = {name: value.to_json() if isinstance(value, Record) else value for name, value in values.items()}
        return {"schema": self.SCHEMA, **plain}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises ValueError naming the record and the keys when one is missing, and the schema when it is newer."""
        if not isinstance(value, dict):
            raise ValueError(f"not a {cls.__name__}: it is {type(value).__name__}, not an object")
        known = {f.name: f for f in dataclasses.fields(cls)}
        missing = sorted(name for name, f in known.items() if name not in value and _is_required(f))
        if missing:
            schema = value.get("schema", cls.SCHEMA)
            newer = f"; it was written by a newer release (schema {schema}, this one reads {cls.SCHEMA}): upgrade"
            raise ValueError(f"not a {cls.__name__}: missing {missing}" + (newer if schema > cls.SCHEMA else ""))
        nested = _nested(cls)
        return cls(
            **{
                name: nested[name].from_json(part) if name in nested and part is not None else part
                for name, part in value.items()
                if name in known
            }
        )


def _is_required(f: dataclasses.Field[Any]) -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING


def _nested(cls: type[Record]) -> dict[str, type[Record]]:
    """Fields that hold a record, or a record or None."""
    hints = typing.get_type_hints(cls)
    found = {}
    for name, hint in hints.items():
        options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        records = [option for option in options if isinstance(option, type) and issubclass(option, Record)]
        if records:
            found[name] = records[0]
    return found


@dataclass(frozen=True, kw_only=True)
class DatasetVersion(Record):
    """One ONTAP snapshot of a dataset volume.

    ``created_at`` is ISO 8601 by ONTAP's clock, the one clock that orders versions. ``source`` is where the data came
    from when the version was made.
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
class DatasetCache(Record):
    """A dataset version cached at a site, mounted at ``junction_path`` there; sizes in bytes.

    ``committed_bytes`` is the space of all caches of the site together, ``left_bytes`` what more may be cached.
    """

    dataset_version: DatasetVersion
    site: str
    svm: str
    volume: str
    volume_uuid: str
    junction_path: str
    size_bytes: int
    used_bytes: int
    committed_bytes: int
    left_bytes: int


@dataclass(frozen=True, kw_only=True)
class RunCache(Record):
    """Where a run reads its dataset version: from ``cache`` at ``site``, or, without one, from the source: ``reason``.

    ``filled_bytes`` came from the source to fill it, in ``fill_seconds``. ``missed_blocks`` is ONTAP's counter of what
    clients asked the cache for in vain, as it was then; None where ONTAP does not tell.
    """

    site: str = ""
    cache: DatasetCache | None = None
    reason: str = ""
    filled_bytes: int = 0
    fill_seconds: float = 0.0
    missed_blocks: int | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingRecord(Record):
    """What is needed to do a training again exactly, kept with its MLflow run. The metric that decides is the first."""

    run_key: str
    mlflow_run_id: str
    dataset_version: DatasetVersion
    parameters: dict[str, Any]
    metrics: dict[str, float]
    code_commit: str
    dag_id: str = ""
    model: str = ""


@dataclass(frozen=True, kw_only=True)
class Experiment(Record):
    """What a run froze together, as ``snapshot`` of ``volume``: data, model, logs and the versions of the code.

    ``programs`` are the modules that trained (``train``) and judged (``evaluate``); all else that a repetition needs is
    in the TrainingRecord of the same run.
    """

    run_key: str
    mlflow_run_id: str
    model: str
    dataset_version: DatasetVersion
    svm: str
    volume: str
    volume_uuid: str
    snapshot: str
    snapshot_uuid: str
    created_at: str
    code_commit: str
    programs: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class RunRecord(Record):
    """What ``choose`` settles once for a run; each of its programs reads it from the file RUN_FILE.

    ``promote`` is the policy that holds for this run: ``if_better``, ``always`` or ``never``. ``repeat_of`` is the
    training that the run does again. ``site`` is where the run's data is: ``home``, or a name of sites.yaml.
    """

    run_key: str
    dag_id: str
    run_id: str
    model: str
    dataset_version: DatasetVersion
    parameters: dict[str, Any]
    promote: str
    code_commit: str
    repeat_of: TrainingRecord | None = None
    site: str = "home"


@dataclass(frozen=True, kw_only=True)
class ModelVersion(Record):
    """A model's files on its model volume, frozen by ``snapshot`` and registered in MLflow.

    ``folder`` is relative to the root of the volume. ``scan`` is what was found in the dataset version when the model
    was promoted (``tasks.governance.scan``); {} for one that an earlier release promoted.
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
    scan: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Evidence(Record):
    """The snapshots that nobody can remove before ``until`` (ISO 8601), as they were locked for a model version.

    ``locked`` has for each of them ``what`` (dataset, model or results), ``svm``, ``volume``, ``snapshot``,
    ``snapshot_uuid`` and ``until``, which may be later, by an earlier lock.
    """

    model: str
    version: int
    run_key: str
    until: str
    locked: list[dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class Claim(Record):
    """A run's right to change what serves a model, and the champion that it is judged against and would replace.

    ``held`` is False for a run that may not promote: it only reads the champion. ``volume`` holds the lease.
    """

    model: str
    run_key: str
    held: bool
    champion: ModelVersion | None = None
    svm: str = ""
    volume: str = ""


@dataclass(frozen=True, kw_only=True)
class Deployment(Record):
    """A model version that serves, with one real inference as proof. ``endpoint`` is the URL a client posts to."""

    model_version: ModelVersion
    endpoint: str
    previous_version: int | None
    proof: dict[str, Any]
    deployed_at: str


@dataclass(frozen=True, kw_only=True)
class EdgeState(Record):
    """What an edge site serves of a model, and what a put-back returns to: None where it served nothing before.

    ``state`` is ``loading`` before anything that serves is changed, then ``serving``, ``put back``, or ``behind`` for a
    site that could not be reached and still has ``version``. ``digest`` is that of the version's folder in the
    repository.
    """

    site: str
    version: int | None
    digest: str
    state: str
    run_key: str
    at: str
    previous: int | None = None
    previous_digest: str = ""
