"""Operators on recorded calls: the model that understands them, and the programs that go through a dataset version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.choose import AUTOMATIC
from ontap_mlops.operators.context import needed, result_of, run_record
from ontap_mlops.operators.version_program import VersionProgramOperator, mount
from ontap_mlops.records import ModelVersion

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.compute.workload import Workload

MODEL, PLAN = "model", "plan"
RESULTS = "calls_results"
"""Volume of what is understood of calls, where no service takes it."""
SERVICE, FILES = "service", "files"
TABLES = {SERVICE: "the call service, whose pages show it", FILES: f"files on the volume {RESULTS}"}


class CallsModelOperator(MlopsOperator):
    """Name the model version that understands the calls of this run, so that all its parts are done by one.

    Where there is no champion yet, a run that nobody asked for by hand is skipped with a sentence, another one fails.

    :param model: name in the registry.
    :param version: its number; the champion if empty.
    :param mlflow_conn_id: connection to the registry.
    :return: the ModelVersion, as JSON.
    """

    template_fields: Sequence[str] = (*MlopsOperator.template_fields, "model", "version", "mlflow_conn_id")

    def __init__(
        self, *, model: str, version: int | str | None = None, mlflow_conn_id: str = "mlflow_default", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.version = version
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.hooks.mlflow import MlflowHook

        registry = MlflowHook(self.mlflow_conn_id)
        found = registry.model_version(self.model, int(self.version)) if self.version else registry.champion(self.model)
        if found is None:
            sentence = f"Model {self.model} has no champion, so nothing can be understood yet: train one and deploy it."
            if context["dag_run"].run_type in AUTOMATIC:
                self.skip_because(context, sentence)
            raise AirflowFailException(sentence)
        self.log.info("Version %s of model %s, of run %s", found.version, found.model, found.run_key)
        return found.to_json()


class CallsProgramOperator(VersionProgramOperator):
    """Run a program of calls, ``tasks.calls.<program>``, on the snapshot of the run's dataset version, read-only.

    :param program: name of the program.
    :param table: where what is understood goes: ``service`` or ``files``.
    :param part: of a mapped task: which part of the calls, such as ``0/3``.
    :param with_model: hand over the folder of the version that the task ``model`` has named.
    :param calls_conn_id: ``http`` connection to the call service, its token as the password.
    :return: what the program says.
    """

    template_fields: Sequence[str] = (*VersionProgramOperator.template_fields, "part", "table")

    def __init__(
        self,
        *,
        program: str,
        table: str = SERVICE,
        part: str | None = None,
        with_model: bool = False,
        calls_conn_id: str = "calls_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(program=f"tasks.calls.{program}", **kwargs)
        self.table = table
        self.part = part
        self.with_model = with_model
        self.calls_conn_id = calls_conn_id

    def workload(self, context: Context) -> Workload:
        if self.table not in TABLES:
            raise AirflowFailException(f"The table is {self.table!r}; it is one of {', '.join(TABLES)}.")
        self.service_conn_ids = {"CALLS": self.calls_conn_id} if self.table == SERVICE else None
        self.volumes = {"results": RESULTS} if self.table == FILES else None
        return super().workload(context)

    def run_flags(self, context: Context) -> dict[str, Any]:
        return {
            "part": self.part,
            "folder": "{results}/calls" if self.table == FILES else None,
            "model": f"{{models}}/{self._model(context).folder}" if self.with_model else None,
        }

    def run_mounts(self, context: Context) -> dict[str, Any]:
        mounts = super().run_mounts(context)
        if self.with_model:
            model = self._model(context)
            mounts["models"] = {**mount(model.svm, model.volume), "read_only": True}
        return mounts

    def _model(self, context: Context) -> ModelVersion:
        return ModelVersion.from_json(needed(context, MODEL))


class CallsPartsOperator(MlopsOperator):
    """Return the parts that ``plan`` has named, which ``score`` is mapped over; none where no call is new."""

    def execute(self, context: Context) -> list[str]:
        found = needed(context, PLAN)
        self.log.info("%s of %s recorded calls are new", found["new"], found["recorded"])
        return list(found["parts"])


class CallsSummarizeOperator(MlopsOperator):
    """Add up what the parts of a run have understood, and name recordings that could not be.

    :param score: task id of the mapped task.
    :return: ``calls``, ``sentences``, ``empty`` (utterances without a word), ``seconds`` of calls, ``refused`` calls
        with ``reasons``, and ``real_time_factor``: seconds that the parts took for each second of a call.
    """

    def __init__(self, *, score: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.score = score

    def execute(self, context: Context) -> dict[str, Any]:
        found = result_of(context, self.score)
        # Airflow gives what a single part returned as it is, and a list of what several did.
        parts = [part for part in ([found] if isinstance(found, Mapping) else found or []) if part]
        told: dict[str, Any] = {
            name: sum(part[name] for part in parts) for name in ("calls", "sentences", "empty", "seconds", "refused")
        }
        told["reasons"] = [reason for part in parts for reason in part["reasons"]]
        took = sum(part["took_s"] for part in parts)
        told["real_time_factor"] = round(took / told["seconds"], 3) if told["seconds"] else None
        told["dataset_version"] = run_record(context).dataset_version.id
        self.log.info(
            "%s calls understood, %s sentences; %s refused", told["calls"], told["sentences"], told["refused"]
        )
        for reason in told["reasons"]:
            self.log.warning("%s", reason)
        return told
