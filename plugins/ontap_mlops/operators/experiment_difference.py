"""What differs between two trainings, at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators import telling
from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.context import RECORD, needed, run_record
from ontap_mlops.records import TrainingRecord

if TYPE_CHECKING:
    from airflow.sdk import Context

TOLERANCE = 1e-6
_NOTED = 6  # lines that the run's note shows


class ExperimentDifferenceOperator(MlopsOperator):
    """Set this run's training beside another one: what of data, parameters, code and metrics differs, in one table.

    The other is the one that the run repeats; else the one named; else the newest experiment of the same model before
    it. The table is in the log, and what differs in the note of the run. Where there is no other, the task skips.

    :param other: run key (r...) of the training to compare with.
    :param mlflow_conn_id: connection to the tracking server.
    :return: ``run_key``, ``other``, ``same`` (true where nothing but times differs), ``rows``: for each fact its value
        in the other and in this run, and whether it differs.
    """

    template_fields: Sequence[str] = (*MlopsOperator.template_fields, "other")

    def __init__(self, *, other: str = "", mlflow_conn_id: str = "mlflow_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.other = other
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        this = TrainingRecord.from_json(needed(context, RECORD))
        other = self._other(context, this)
        if other is None:
            self.skip_because(context, f"There is no earlier experiment of {this.model} to compare with.", note=False)
        rows = differences(other, this)
        for line in table(other, this, rows):
            self.log.info("%s", line)
        telling.add_note(context, in_words(other, rows))
        changed = any(row["differs"] for row in rows)
        return {"run_key": this.run_key, "other": other.run_key, "same": not changed, "rows": rows}

    def _other(self, context: Context, this: TrainingRecord) -> TrainingRecord | None:
        from ontap_mlops.hooks.mlflow import MlflowHook

        run, mlflow = run_record(context), MlflowHook(self.mlflow_conn_id)
        if run.repeat_of is not None:
            return run.repeat_of
        if self.other:
            return mlflow.training_record(self.other)
        before = [each for each in mlflow.experiments.of_model(this.model) if each.run_key < this.run_key]
        return mlflow.training_record(before[-1].run_key) if before else None


def differences(other: TrainingRecord, this: TrainingRecord) -> list[dict[str, Any]]:
    """Return each fact of the two trainings: ``name``, ``other``, ``this``, ``differs``."""
    facts = [_facts(record) for record in (other, this)]
    names = list(dict.fromkeys([*facts[0], *facts[1]]))
    return [_row(name, facts[0].get(name), facts[1].get(name)) for name in names]


def _facts(record: TrainingRecord) -> dict[str, Any]:
    return {
        "dataset version": record.dataset_version.id,
        "files": record.dataset_version.files,
        "code": record.code_commit,
        **{f"parameter {name}": value for name, value in sorted(record.parameters.items())},
        **{f"metric {name}": value for name, value in sorted(record.metrics.items())},
    }


def _row(name: str, other: Any, this: Any) -> dict[str, Any]:
    numbers = isinstance(other, float) and isinstance(this, float)
    differs = abs(other - this) > TOLERANCE if numbers else other != this
    return {"name": name, "other": other, "this": this, "differs": differs}


def table(other: TrainingRecord, this: TrainingRecord, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the rows as lines, those that differ marked."""
    wide = max(len(row["name"]) for row in rows)
    head = f"  {'':<{wide}}  {other.run_key:<26}  {this.run_key}"
    return [
        head,
        *(
            f"{'*' if row['differs'] else ' '} {row['name']:<{wide}}  {_shown(row['other']):<26}  {_shown(row['this'])}"
            for row in rows
        ),
    ]


def in_words(other: TrainingRecord, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what differs, as one sentence for the run's note."""
    changed = [row for row in rows if row["differs"]]
    if not changed:
        return f"Beside {other.run_key}: the same data, parameters, code and metrics."
    shown = [f"{row['name']} {_shown(row['other'])} -> {_shown(row['this'])}" for row in changed[:_NOTED]]
    more = f", and {len(changed) - _NOTED} more" if len(changed) > _NOTED else ""
    return f"Beside {other.run_key}: {'; '.join(shown)}{more}."


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
