"""Kills task processes as a test's plan says: loaded by Airflow from the plugins folder that only these tests name.

The plan is the JSON file named by AIRFLOW_JOURNEY_KILLS: {"<dag id>": {"<task id>": "start" | "middle" | "end"}}.
Only a task's first try is killed: before it does anything, while it works, or when it has done all but not said so. A
task that hands its waiting to the triggerer has done all when it comes back. "every" kills each try before it does
anything. The task id "*" stands for all that the plan does not name.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk.exceptions import TaskDeferred

MIDDLE_S = 0.4


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Killer:
    @hookimpl
    def on_task_instance_running(self, previous_state, task_instance):
        path = os.environ.get("AIRFLOW_JOURNEY_KILLS")
        if not path or not Path(path).exists():
            return
        plan = json.loads(Path(path).read_text()).get(task_instance.dag_id, {})
        moment = plan.get(task_instance.task_id, plan.get("*"))
        if moment == "every":
            die()
        if task_instance.try_number != 1:
            return
        if moment == "start":
            die()
        elif moment == "middle":
            threading.Timer(MIDDLE_S, die).start()
        elif moment == "end":
            self._die_after_execute(task_instance.task)

    @staticmethod
    def _die_after_execute(task) -> None:
        def dying(work):
            def work_and_die(*args, **kwargs):
                try:
                    work(*args, **kwargs)
                except TaskDeferred:
                    raise
                except BaseException:  # branching and skipping end by an exception
                    die()
                die()

            return work_and_die

        task.execute = dying(task.execute)
        task.resume_execution = dying(task.resume_execution)


class KillerPlugin(AirflowPlugin):
    name = "journey_killer"
    listeners = [Killer()]
