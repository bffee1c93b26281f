"""The programs of a run whose tasks ended without them: a run marked as failed while a task waited for its retry."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ontap_mlops.compute import submission, watching
from ontap_mlops.compute.workload import PlaceElsewhere, PlaceRefused
from ontap_mlops.config_file import ConfigError

if TYPE_CHECKING:
    from airflow.sdk import Context

WORKLOAD = "workload"
"""XCom key of a task: ``place``, ``workload`` and ``host`` of the program that it has begun last."""
_OVER_WITHOUT = ("failed", "skipped", "upstream_failed", "removed")

log = logging.getLogger(__name__)


def task_states(context: Context) -> dict[str, Any] | None:
    """Return the states of the run's tasks, as Airflow names them; None, with a warning, when nobody can tell."""
    ti: Any = context["ti"]
    run = context["dag_run"]
    try:
        return ti.get_task_states(dag_id=run.dag_id, run_ids=[run.run_id])[run.run_id]
    except Exception as error:
        log.warning("The states of the run's tasks could not be read: %s", error)
        return None


def end_programs(context: Context, states: Mapping[str, Any]) -> None:
    """Stop what tasks of this run have begun and not seen to its end. Returns when nothing of it runs.

    Where the place keeps nothing, what is left of a program that has ended goes too: a worker that is told to stop has
    a few seconds for it, and the program may need longer.

    ``states``: those of all tasks, as Airflow names them (``task``, or ``task_3`` of a mapped one). Raises
    PlaceUnavailable where a place does not answer. What only another host can reach, and what is at a place that is
    not configured any more, is named in the log.
    """
    ti: Any = context["ti"]
    over = {key for key, state in states.items() if str(state) in _OVER_WITHOUT}
    over |= {re.sub(r"_\d+$", "", key) for key in over}
    tasks = sorted(over & set(context["dag"].task_ids))
    for job in ti.xcom_pull(task_ids=tasks, key=WORKLOAD) or () if tasks else ():
        if not isinstance(job, Mapping):
            continue
        try:
            if watching.runner_of(**job).status(job["workload"]).state.active:
                log.warning("Workload %s still runs, and its task is over: it is stopped", job["workload"])
                watching.cancel(**job)
            else:
                submission.forget(job)
        except (PlaceElsewhere, PlaceRefused, ConfigError) as error:
            log.warning("What may run as workload %s is not stopped: %s", job["workload"], error)
