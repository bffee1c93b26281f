"""Where a workload runs: places in order, room that does not come, hosts, pools, and starting anew after a clear."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError

from ontap_mlops import settings
from ontap_mlops.compute import places
from ontap_mlops.compute.workload import PlaceUnavailable, State, Status, Workload
from ontap_mlops.operators.places import places_param, pool_of
from ontap_mlops.operators.workload import WorkloadFailed, WorkloadOperator
from tests.ontap_mlops.operators.workloads import (
    deferred,
    elsewhere,
    fired,
    name_of,
    operator,
    resumed,
    shown,
    started_with,
)
from tests.until import until

SLOW_TO_STOP = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.6), sys.exit(143)))
with Path("runs").open("a") as file:
    file.write(sys.argv[1] + "\\n")
print("ready", flush=True)
time.sleep(30 if sys.argv[1] == "slow" else 0)
"""


@dataclass
class Queue:
    """A place that accepts everything and never has room."""

    waiting: dict[str, float] = field(default_factory=dict)
    withdrawn: list[str] = field(default_factory=list)
    looks: int = 0
    host: str | None = None

    def submit(self, workload: Workload, *, fresh: bool = False) -> str:
        self.waiting.setdefault(workload.name, time.time())
        return workload.name

    def status(self, name: str) -> Status:
        self.looks += 1
        since = self.waiting.get(name)
        return Status(state=State.MISSING) if since is None else Status(state=State.PENDING, pending_since=since)

    def logs(self, name: str, cursor: str | None = None) -> tuple[str, str | None]:
        return "", cursor

    def result(self, name: str) -> dict[str, Any]:
        return {}

    def cancel(self, name: str) -> None:
        if self.waiting.pop(name, None):
            self.withdrawn.append(name)

    def remove(self, name: str) -> None:
        if name in self.waiting:
            raise PlaceUnavailable("it still waits")


@pytest.fixture
def queue(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    (folder / "compute.yaml").write_text(
        "places:\n"
        "  queue: {kind: local, pending_limit_s: 1}\n"
        "  second: {kind: local, pending_limit_s: 1}\n"
        f"  local: {{kind: local, working_directory: {folder}, grace_s: 1, namespace_roots: {{svm1: ns}}}}\n"
    )
    queue, real = Queue(), places.runner
    monkeypatch.setattr(places, "runner", lambda name: real(name) if name == "local" else queue)
    return queue


def test_the_next_place_is_tried_when_one_has_no_room(folder, context) -> None:
    (folder / "compute.yaml").write_text(
        "places:\n"
        f"  full: {{kind: local, working_directory: {folder}, namespace_roots: {{svm1: empty}}}}\n"
        f"  local: {{kind: local, working_directory: {folder}, namespace_roots: {{svm1: ns}}}}\n"
    )
    made = operator("0", "0", "here", compute=["full", "local"], mounts={"data": "svm1:/tyres"})
    assert made.execute(context)["said"] == "here"
    assert context["task_state_store"]["workload"]["place"] == "local"


@pytest.mark.parametrize("compute", ["a,b", ["a", "b"], "['a', 'b']", '["a", "b", "a"]', ("a", " b ")])
def test_several_places_are_named_as_a_list_or_as_what_a_template_makes_of_one(compute: Any) -> None:
    from ontap_mlops.compute import rendering

    assert rendering.places(compute) == ["a", "b"]


def test_a_place_may_be_given_by_value_where_there_is_no_file(folder, context, monkeypatch) -> None:
    monkeypatch.delenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR")
    place = {"kind": "local", "working_directory": str(folder), "grace_s": 1}
    made = operator("0", "0.3", "by value", compute=place, deferrable=True)
    assert resumed(made, context, deferred(made, context))["said"] == "by value"
    assert operator("0", "0", "again", compute=[place]).execute(context)["said"] == "by value", "it is joined"
    with pytest.raises(AirflowFailException, match=r"the place given by value: .*'lokal' is not one of"):
        operator("0", "0", "x", compute={"kind": "lokal"}).execute({**context, "task_state_store": None})


def test_a_place_without_room_loses_the_program_to_the_next_one(queue: Queue, context) -> None:
    made = operator("0", "0", "here", compute=["queue", "local"])
    assert made.execute(context)["said"] == "here"
    assert queue.withdrawn == [name_of(made, context)]
    assert context["task_state_store"]["workload"]["place"] == "local"


def test_a_deferred_task_moves_on_too(queue: Queue, context) -> None:
    made = operator("0", "0", "here", compute=["queue", "second", "local"], deferrable=True)
    first = deferred(made, context)
    assert first.trigger.arguments["place"] == "queue"
    with pytest.raises(BaseException) as raised:
        resumed(made, context, first)
    second: Any = raised.value
    assert second.trigger.arguments["place"] == "second"
    made.first_wait_s = 30
    assert resumed(made, context, second)["said"] == "here"
    assert queue.withdrawn == [name_of(made, context)] * 2


def test_when_no_place_has_room_each_is_named_and_a_retry_begins_with_the_first(queue: Queue, context) -> None:
    made = operator("0", "0", "x", compute=["local", "queue"], mounts={"data": "svm1:/nowhere"})
    with pytest.raises(PlaceUnavailable, match=r"No place takes .*queue: no room within 1 s"):
        made.execute(context)
    again = operator("0", "0", "here", compute=["local", "queue"])
    assert again.execute(context)["said"] == "here"


@pytest.mark.parametrize("compute", ["nowhere", ["local", "nowhere"], "local, nowhere"])
def test_a_place_with_a_typo_is_an_error_of_the_dag(folder, compute: Any) -> None:
    with pytest.raises(
        ValueError, match=r"compute names 'nowhere', which .*compute\.yaml does not have.*elsewhere, local"
    ):
        operator(compute=compute)
    with pytest.raises(ValueError, match="compute names 'nowhere'"):
        WorkloadOperator.partial(task_id="t", program="p", compute=compute)


@pytest.mark.parametrize("compute", ["", [], ","])
def test_no_place_at_all_is_an_error_of_the_dag_and_of_a_task_that_gets_it_from_a_template(
    folder, context, compute
) -> None:
    with pytest.raises(ValueError, match="compute names no place to run"):
        operator(compute=compute)
    made = operator(compute="{{ params.compute }}")
    made.compute = str(compute)
    with pytest.raises(AirflowFailException, match="no place to run is named; name at least one"):
        made.execute(context)
    made.compute = "local, moon"
    with pytest.raises(AirflowFailException, match="there is no place named 'moon' .*: elsewhere, local"):
        made.execute(context)


def test_a_place_that_refuses_is_passed_over_and_the_task_says_where_it_ran_and_why(folder, context) -> None:
    made = operator("0", "0", "here", compute=["elsewhere", "local"], mounts={"data": "svm1:/tyres"})
    assert made.execute(context)["said"] == "here"
    told = context["ti"].pushed["placement"]
    assert (told["place"], [one["place"] for one in told["tried"]]) == ("local", ["elsewhere"])
    assert "does not say where the namespace of SVM 'svm1' is mounted" in told["tried"][0]["why"]


def test_when_all_refuse_for_good_no_retry_is_made(folder, context) -> None:
    refusing = {"kind": "local", "namespace_roots": {}}
    mounts = {"data": "svm1:/tyres"}
    with pytest.raises(AirflowFailException, match=r"No place takes .*local \(by value\): .*; local \(by value\): "):
        operator("0", "0", "x", compute=[refusing, {**refusing, "grace_s": 2}], mounts=mounts).execute(context)


def test_how_long_it_waited_at_each_place_is_told(queue: Queue, context) -> None:
    operator("0", "0", "here", compute=["queue", "local"]).execute(context)
    told = context["ti"].pushed["placement"]
    (before,) = told["tried"]
    assert (told["place"], before["place"], before["why"]) == ("local", "queue", "no room within 1 s")
    assert 1 <= before["waited_s"] < 30
    assert 0 <= told["waited_s"] < 30


@pytest.mark.parametrize("moment", ["withdrawing", "withdrawn", "offering"])
def test_a_worker_that_dies_on_the_way_to_the_next_place_is_followed_by_one_that_goes_there(
    queue: Queue, context, moment: str
) -> None:
    made = operator("0", "0", "here", compute=["queue", "local"])
    local = type(places.runner("local"))
    with pytest.MonkeyPatch.context() as dying:
        if moment == "withdrawing":
            dying.setattr(queue, "cancel", Mock(side_effect=SystemExit))
        elif moment == "withdrawn":
            dying.setattr(queue, "remove", lambda name: sys.exit() if queue.withdrawn else None)
        else:
            dying.setattr(local, "submit", Mock(side_effect=SystemExit))
        with pytest.raises(SystemExit):
            made.execute(context)
    queue.submit = Mock(side_effect=AssertionError("offered again to the place it was withdrawn from"))  # type: ignore
    assert operator("0", "0", "here", compute=["queue", "local"]).execute(context)["said"] == "here"
    told = context["ti"].pushed["placement"]
    assert [one["place"] for one in told["tried"]] == ["queue"]
    assert queue.withdrawn == [name_of(made, context)]
    assert context["task_state_store"]["workload"].get("leaving") is None


def test_what_finds_room_at_the_last_moment_stays(queue: Queue, context) -> None:
    class Late(Queue):
        def status(self, name: str) -> Status:
            looks.append(name)
            states = {1: State.PENDING, 2: State.RUNNING}
            return Status(state=states.get(len(looks), State.SUCCEEDED), pending_since=time.time() - 9, exit_code=0)

    looks: list[str] = []
    queue.__class__ = Late
    assert operator("0", "0", "x", compute=["queue", "local"]).execute(context) == {}
    assert queue.withdrawn == []
    assert context["ti"].pushed["placement"]["place"] == "queue"


def test_a_place_whose_answer_is_lost_is_asked_whether_it_took_the_program(queue: Queue, context) -> None:
    def took(workload: Workload, *, fresh: bool = False) -> str:
        queue.waiting[workload.name] = time.time()
        raise PlaceUnavailable("the connection broke")

    queue.submit = took  # type: ignore[method-assign]
    made = operator("0", "0", "x", compute=["queue", "local"], deferrable=True)
    assert deferred(made, context).trigger.arguments["place"] == "queue"


def test_a_place_that_cannot_tell_is_cleared_up_when_the_program_has_ended_elsewhere(queue: Queue, context) -> None:
    def took(workload: Workload, *, fresh: bool = False) -> str:
        queue.waiting[workload.name] = time.time()
        queue.away = True  # type: ignore[attr-defined]
        raise PlaceUnavailable("the connection broke")

    class Away(Queue):
        away = False

        def status(self, name: str) -> Status:
            if self.away:
                self.away = False  # it is back at the next question
                raise PlaceUnavailable("no connection")
            return super().status(name)

    queue.__class__ = Away
    queue.submit = took  # type: ignore[method-assign]
    made = operator("0", "0", "here", compute=["queue", "local"])
    assert made.execute(context)["said"] == "here"
    assert queue.withdrawn == [name_of(made, context)]
    assert queue.waiting == {}


def test_the_program_finds_in_its_run_file_where_it_runs_and_why(folder, context) -> None:
    (folder / "program.py").write_text(
        "import json, os; open(os.environ['RESULT_FILE'], 'w').write(open(os.environ['RUN_FILE']).read())"
    )

    class Recorded(WorkloadOperator):
        def run_facts(self, context: Any) -> Any:
            return {"run": {"run_key": "r"}}

    made = Recorded(
        task_id="t", program="program", compute=["elsewhere", "local"], mounts={"d": "svm1:/tyres"}, deferrable=False
    )
    told = made.execute(context)
    assert (told["place"], told["run"]) == ("local", {"run_key": "r"})
    assert told["tried"][0].startswith("elsewhere: workload ")


def test_a_place_without_a_limit_is_waited_for(queue: Queue, folder: Path, context) -> None:
    (folder / "compute.yaml").write_text("places:\n  queue: {kind: local}\n")
    made = operator("0", "0", "x", compute="queue")

    def wait() -> None:
        with contextlib.suppress(Exception):  # it ends when the test has seen enough
            made.execute(context)

    started = threading.Thread(target=wait, daemon=True)
    started.start()
    until(lambda: queue.looks > 3, "nobody looks at it")
    assert queue.waiting
    assert not queue.withdrawn
    queue.waiting.clear()
    started.join(60)


def test_a_try_that_finds_its_program_being_stopped_starts_it_anew(folder, context) -> None:
    being_stopped(folder, context)
    assert operator("quick").execute(context) == {}


def test_a_task_cleared_while_its_program_is_being_stopped_starts_it_anew(folder, context) -> None:
    being_stopped(folder, context)
    context["ti"].max_tries += 4
    assert operator("quick").execute(context) == {}
    assert runs(folder) == ["slow", "quick"]


def test_a_task_cleared_while_its_program_runs_on_starts_it_anew(folder, context) -> None:
    name = running(folder, context)
    context["ti"].max_tries += 4
    assert operator("quick").execute(context) == {}
    assert runs(folder) == ["slow", "quick"]
    assert places.runner("local").status(name).state is State.MISSING


def test_what_still_cancels_the_program_of_before_the_clear_misses_the_new_one(folder, context) -> None:
    (folder / "program.py").write_text(SLOW_TO_STOP.replace("30", "2"))
    before = operator("slow", deferrable=True)
    trigger = deferred(before, context).trigger
    context["ti"].max_tries += 4
    after = operator("slow", deferrable=True)
    left = deferred(after, context)
    asyncio.run(trigger.on_kill())  # the triggerer comes to it when the new try has begun
    assert resumed(after, context, left) == {}


def test_a_cleared_task_that_goes_elsewhere_stops_what_ran_at_the_place_before(folder, context) -> None:
    name = running(folder, context)
    (folder / "compute.yaml").write_text(
        (folder / "compute.yaml").read_text() + f"  other: {{kind: local, working_directory: {folder}}}\n"
    )
    context["ti"].max_tries += 4
    operator("quick", compute="other").execute(context)
    assert runs(folder) == ["slow", "quick"]
    assert not places.runner("local").status(name).state.active


def test_a_program_of_a_name_that_no_store_knows_is_joined_where_there_is_no_store(folder, context) -> None:
    (folder / "program.py").write_text(SLOW_TO_STOP.replace("30", "1"))
    started_with(context, "slow")
    context["task_state_store"] = None
    operator("quick").execute(context)
    assert runs(folder) == ["slow"]


def test_a_retry_on_another_host_does_not_start_the_program_a_second_time(folder, context, monkeypatch) -> None:
    made = operator("0", "30", "x", deferrable=True)
    deferred(made, context)
    elsewhere(monkeypatch, "other-host")
    again = operator("0", "0", "x")
    here = socket.gethostname()
    with pytest.raises(AirflowFailException, match=rf"runs at place 'local' of host {here}.*other-host cannot reach"):
        again.execute(context)
    monkeypatch.undo()


def test_a_triggerer_on_another_host_leaves_the_wait_to_the_worker(
    folder, context, monkeypatch, capsys, caplog
) -> None:
    made = operator("0", "1", "done", deferrable=True)
    left = deferred(made, context)
    with monkeypatch.context() as there:
        elsewhere(there, "triggerer")
        event = fired(left.trigger)
    assert made.execute_complete(context, event, **left.kwargs)["said"] == "done"
    assert shown(capsys, caplog, "Waiting", "triggerer")


def test_neither_triggerer_nor_worker_on_the_host_is_one_sentence(folder, context, monkeypatch) -> None:
    made = operator("0", "1", "done", deferrable=True)
    left = deferred(made, context)
    with monkeypatch.context() as there:
        elsewhere(there, "other")
        with pytest.raises(AirflowFailException, match="other cannot reach.*deferrable=False"):
            made.execute_complete(context, fired(left.trigger), **left.kwargs)


def test_a_clear_on_another_host_starts_anew_with_a_warning(folder, context, monkeypatch, capsys, caplog) -> None:
    made = operator("0", "30", "x", deferrable=True)
    deferred(made, context)
    name = name_of(made, context)
    with monkeypatch.context() as there:
        elsewhere(there, "other-host")
        there.setenv("AIRFLOW__ONTAP_MLOPS__WORKLOADS_DIR", str(folder / "elsewhere"))
        context["ti"].max_tries += 4
        assert operator("0", "0", "anew").execute(context)["said"] == "anew"
    assert context["task_state_store"]["workload"]["host"] == "other-host"
    assert shown(capsys, caplog, "cleared")
    places.runner("local").cancel(name)


def dag(**params: Any) -> DAG:
    return DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), params=params)


@pytest.mark.parametrize(
    ("compute", "pool"),
    [
        ("elsewhere", "compute_elsewhere"),
        (["elsewhere", "local"], "compute_elsewhere"),
        ("{{ params.compute }}", "compute_local"),
        ({"kind": "local"}, "default_pool"),
    ],
)
def test_a_task_waits_in_the_pool_of_its_place(folder, monkeypatch, compute: Any, pool: str) -> None:
    assert operator(compute=compute).pool == "default_pool"
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__USE_POOLS", "True")
    assert operator(compute=compute).pool == pool
    assert operator(compute=compute, pool="mine").pool == "mine"
    with dag():
        mapped = WorkloadOperator.partial(task_id="t", program="p", compute=compute).expand(step=["a", "b"])
    assert (mapped.pool, mapped.retries) == (pool, 4)
    assert (pool_of(compute) or "default_pool") == pool


@pytest.mark.parametrize(
    ("compute", "queue"),
    [
        ("elsewhere", "gpu-box"),
        (["elsewhere", "local"], "gpu-box"),
        (["local", "elsewhere"], "default"),
        ("{{ params.compute }}", "default"),
        ({"kind": "local"}, "default"),
    ],
)
def test_a_task_goes_to_the_workers_that_reach_its_place(folder, compute: Any, queue: str) -> None:
    file = settings.config_dir() / "compute.yaml"
    known = yaml.safe_load(file.read_text())
    known["places"]["elsewhere"]["queue"] = "gpu-box"
    file.write_text(yaml.safe_dump(known, sort_keys=False))
    assert operator(compute=compute).queue == queue
    assert operator(compute=compute, queue="mine").queue == "mine"


def test_a_file_of_places_that_is_missing_names_no_queue(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    assert operator(compute="{{ params.compute }}").queue == "default"


def test_a_form_names_several_places_in_order(folder) -> None:
    with dag(compute=places_param(title="Where")) as made:
        task = WorkloadOperator(task_id="t", program="p", compute="{{ params.compute }}")
    assert made.params["compute"] == ["local"]
    made.params["compute"] = ["elsewhere", "local"]
    assert made.params["compute"] == ["elsewhere", "local"]
    task.render_template_fields({"params": made.params.dump()})
    from ontap_mlops.compute import rendering

    assert rendering.places(task.compute) == ["elsewhere", "local"]
    schema = made.params.get_param("compute").schema
    assert (schema["title"], schema["examples"]) == ("Where", ["local", "elsewhere"])


@pytest.mark.parametrize("chosen", [["nowhere"], [], "local"])
def test_a_form_refuses_a_place_that_is_not_there_and_none_at_all(folder, chosen: Any) -> None:
    with dag(compute=places_param(["elsewhere"])) as made:
        assert made.params["compute"] == ["elsewhere"]
        with pytest.raises(ParamValidationError):
            made.params["compute"] = chosen
            made.params.validate()


def running(folder: Path, context: Any) -> str:
    (folder / "program.py").write_text(SLOW_TO_STOP)
    name = started_with(context, "slow")
    runner = places.runner("local")
    while "ready" not in runner.logs(name)[0]:
        time.sleep(0.02)
    return name


def being_stopped(folder: Path, context: Any) -> str:
    name = running(folder, context)
    runner = places.runner("local")
    threading.Thread(target=runner.cancel, args=[name]).start()
    while not runner.status(name).stopping:
        time.sleep(0.02)
    return name


def runs(folder: Path) -> list[str]:
    return (folder / "runs").read_text().split()


@pytest.mark.parametrize("deferrable", [False, True])
def test_an_interactive_program_ends_well_at_the_limit_of_its_place(folder, context, deferrable: bool) -> None:
    place = {"kind": "local", "working_directory": str(folder), "grace_s": 1, "interactive_limit_s": 0.5}
    made = operator("0", "30", "x", compute=place, interactive="True", project="team-a", deferrable=deferrable)
    if deferrable:
        assert resumed(made, context, deferred(made, context)) == {}
    else:
        assert made.execute(context) == {}
    assert (made.workload(context).interactive, made.workload(context).project) == (True, "team-a")
    name = context["task_state_store"]["workload"]["workload"]
    assert places.runner(place).status(name).out_of_time


def test_what_is_not_interactive_fails_at_its_time_limit(folder, context) -> None:
    place = {"kind": "local", "working_directory": str(folder), "grace_s": 1}
    with pytest.raises(WorkloadFailed, match=r"stopped at its time limit of 0\.5 s"):
        operator("0", "30", "x", compute=place, time_limit=0.5).execute(context)
