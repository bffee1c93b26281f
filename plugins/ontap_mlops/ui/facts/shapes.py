"""What the hub hands out, the same to its pages, its JSON API and MCP. Times are UTC; sizes are bytes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Look(Shape):
    """When a service was asked what is shown; ``trouble`` says why it is not newer, or not there."""

    of: str
    at: datetime | None = None
    trouble: str = ""
    asking: bool = False


class Version(Shape):
    """``since`` compares with the version before it: files and bytes more or fewer; None for the first one."""

    id: str
    created_at: datetime
    files: int
    bytes: int
    source: str = ""
    digest: str = ""
    snapshot: str = ""
    snapshot_uuid: str = ""
    since_files: int | None = None
    since_bytes: int | None = None


class Dataset(Shape):
    """``snapshots`` counts all on the volume, whoever made them; None where ONTAP did not tell."""

    name: str
    description: str = ""
    source: str = ""
    schedule: str | None = None
    volume: str = ""
    svm: str = ""
    ontap_conn_id: str = ""
    snapshots: int | None = None
    used_bytes: int | None = None
    newest: Version | None = None


class Datasets(Shape):
    looks: list[Look]
    total: int
    page: int
    pages: int
    datasets: list[Dataset]


class Cache(Shape):
    """``filled`` is the share of the version that the cache holds, by its used bytes, at most 1: data that ONTAP
    compresses takes fewer. ``hits`` is the share of what clients asked that it had not to fetch; None if untold."""

    site: str
    dataset: str
    version: str
    volume: str
    size_bytes: int
    used_bytes: int
    used_at: datetime
    filled: float | None = None
    hits: float | None = None
    removed_by: str | None = None


class Evicted(Shape):
    """A cache that a run of ``evict_caches`` has removed, and why."""

    cache: str
    why: str
    at: datetime


class Site(Shape):
    """``verdicts`` is what the last run of ``evict_caches`` said of each cache, at ``judged_at``; ``evicted`` what its
    last runs removed, the latest first. Dry runs remove nothing and count for neither."""

    name: str
    description: str = ""
    budget_bytes: int
    committed_bytes: int = 0
    caches: list[Cache] = []
    verdicts: dict[str, str] = {}
    evicted: list[Evicted] = []
    judged_at: datetime | None = None


class Caches(Shape):
    looks: list[Look]
    sites: list[Site]


class Model(Shape):
    """A registered version of a model. ``state``: serving, served before, registered or retired.

    Until ``locked_until`` nobody can remove the snapshots of its data, its files and its results. ``scan`` says in
    words what personal data was found in its data; empty for one that an earlier release promoted.
    """

    model: str
    version: int
    state: Literal["serving", "served before", "registered", "retired"]
    dataset: str
    dataset_version: str
    run_key: str
    created_at: datetime | None = None
    metrics: dict[str, float] = {}
    parameters: dict[str, Any] = {}
    code_commit: str = ""
    endpoint: str = ""
    deployed_at: datetime | None = None
    mlflow_url: str = ""
    locked_until: datetime | None = None
    scan: str = ""


class Training(Shape):
    """``metrics``: those it was judged by, the one that decides first, then all others that MLflow has."""

    run_key: str
    dag_id: str = ""
    run_id: str = ""
    dataset_version: str = ""
    state: str = ""
    started_at: datetime | None = None
    metrics: dict[str, float] = {}
    mlflow_url: str = ""
    repeatable: bool = False
    experiment: bool = False


class Experiment(Shape):
    """What a run froze together, as ``snapshot`` of ``volume``: data, model, logs and code version."""

    run_key: str
    model: str
    dataset: str
    dataset_version: str
    svm: str
    volume: str
    snapshot: str
    created_at: datetime | None = None
    code_commit: str = ""
    programs: dict[str, str] = {}


class ExperimentPage(Shape):
    """``there``: whether its volume is still there, None where that is not known. ``repeated``: newest runs of it."""

    looks: list[Look]
    experiment: Experiment
    training: Training | None = None
    there: bool | None = None
    repeated: list[Run] = []


class Models(Shape):
    looks: list[Look]
    total: int
    page: int
    pages: int
    models: list[Model]


class Lineage(Shape):
    """From one version to the runs on it, the models of these runs, and which of them serve."""

    looks: list[Look]
    dataset: str
    version: str
    trainings: list[Training]
    models: list[Model]


class ModelOrigin(Shape):
    """From a model version back to its data; ``seen`` are all dataset versions the model was ever trained on."""

    looks: list[Look]
    model: Model
    versions: list[Model]
    seen: list[tuple[str, str]]
    serving: Model | None = None


class Action(Shape):
    """What a person who may can start: a DAG with these Params. ``fields`` are asked for before it starts."""

    name: str
    label: str
    dag_id: str
    says: str
    conf: dict[str, Any]
    fields: list[ActionField] = []
    paused: bool = False


class ActionField(Shape):
    name: str
    label: str
    kind: Literal["text", "number", "boolean", "choice"] = "text"
    value: Any = None
    choices: list[str] = []


class DatasetPage(Shape):
    looks: list[Look]
    dataset: Dataset
    total: int
    page: int
    pages: int
    versions: list[Version]
    caches: list[Cache]
    models: list[Model]


class VersionPage(Shape):
    looks: list[Look]
    dataset: Dataset
    version: Version
    before: str | None = None
    after: str | None = None
    caches: list[Cache]
    lineage: Lineage


class Changed(Shape):
    path: str
    how: Literal["added", "changed", "removed"]
    bytes: int = 0


class Comparison(Shape):
    """File by file; ``truncated`` where there are more than are listed."""

    looks: list[Look]
    dataset: str
    before: Version
    after: Version
    counts: dict[str, int] = {}
    changed: list[Changed] = []
    truncated: bool = False


class Sample(Shape):
    """``kind`` picture is fetched by its path; a table has rows, a text its beginning."""

    path: str
    kind: Literal["picture", "table", "text"]
    bytes: int
    rows: list[list[str]] = []
    text: str = ""


class Samples(Shape):
    """``reason`` says why there are none."""

    dataset: str
    version: str
    samples: list[Sample] = []
    reason: str = ""


class TrainedOn(Shape):
    """Which trainings have seen a file: it is in these versions, on which these models were trained."""

    looks: list[Look]
    dataset: str
    path: str
    versions: list[str]
    models: list[Model]
    asked: int = 0


class StoredVolume(Shape):
    """``kind``: dataset, models, experiment, workspace, person's workspace, cache origin, ours, or another's."""

    name: str
    svm: str
    kind: str
    snapshots: int = 0
    used_bytes: int | None = None
    size_bytes: int | None = None
    clone_of: str = ""
    comment: str = ""
    experiment: str = ""


class Reclaimable(Shape):
    kind: str
    name: str
    volume: str
    bytes: int | None = None
    reason: str | None = None

    @classmethod
    def of(cls, item: dict[str, Any]) -> Reclaimable:
        """As the DAG's task returned it, with what else it may hold left out."""
        return cls.model_validate({name: item.get(name) for name in cls.model_fields})


class Storage(Shape):
    """``reclaimable`` is from the last run of ``reclaim_space``, which judged at ``judged_at``."""

    looks: list[Look]
    total: int
    page: int
    pages: int
    volumes: list[StoredVolume]
    snapshots: int
    clones: int
    used_bytes: int
    reclaimable: list[Reclaimable] = []
    reclaimable_bytes: int = 0
    judged_at: datetime | None = None


class Run(Shape):
    """``experiment`` is the key of the experiment that the run froze, or repeats: for most its own ``run_key``."""

    dag_id: str
    run_id: str
    state: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    run_key: str = ""
    dataset: str = ""
    version: str = ""
    model: str = ""
    site: str = ""
    user: str = ""
    tasks: dict[str, int] = {}
    parameters: dict[str, Any] = {}
    repeat_of: str = ""
    experiment: str = ""


class Runs(Shape):
    looks: list[Look]
    runs: list[Run]


Page = Annotated[int, Field(ge=1, le=100_000)]

Action.model_rebuild()
ExperimentPage.model_rebuild()
