"""The operator that ends the programs of a run: a teardown for DAGs that make no workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ontap_mlops.operators import ending
from ontap_mlops.operators.base import MlopsOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class ProgramsEndOperator(MlopsOperator):
    """Stop the programs that tasks of this run have begun and not seen to their end.

    Use as a teardown, ``work >> ProgramsEndOperator(task_id="end_programs").as_teardown()``, before any that removes
    what the programs work on. A run that is marked as failed while a task waits for its retry has no worker that could
    stop what that task has begun; Airflow runs teardowns all the same. :class:`WorkspaceDeleteOperator` does this too.
    A task that goes on, or is to be tried again, keeps its program. Where the states of the tasks cannot be read, the
    try fails and nothing is stopped.
    """

    def execute(self, context: Context) -> None:
        states = ending.task_states(context)
        if states is None:
            raise RuntimeError(
                "Which tasks of the run are over is not known, so no program is stopped; a retry asks again"
            )
        ending.end_programs(context, states)
