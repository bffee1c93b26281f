"""What the Workload operator makes of its parameters, of how the program ended, and of being killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Connection
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, TaskDeferred

from ontap_mlops.compute import profiles
from ontap_mlops.compute.following import LogFollower
from ontap_mlops.compute.workload import Mount, Resources, State
from ontap_mlops.operators.workload import WorkloadFailed, WorkloadOperator
from ontap_mlops.triggers.workload import WorkloadTrigger

PROGRAM = """
import json, os, sys, time
from pathlib import Path
code, seconds, sentence = sys.argv[1:4]
print("begun", flush=True)
time.sleep(float(seconds))
print(sentence, flush=True)
Path(os.environ["RESULT_FILE"]).write_text(json.dumps({"key": os.environ.get("AWS_ACCESS_KEY_ID"), "said": sentence}))
sys.exit(int(code))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__WORKLOADS_DIR", str(tmp_path / "workloads"))
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "ns" / "tyres").mkdir(parents=True)
    place = f"{{kind: local, working_directory: {tmp_path}, grace_s: 1, namespace_roots: {{svm1: ns}}}}"
    (tmp_path / "compute.yaml").write_text(f"places:\n  local: {place}\n  elsewhere: {{kind: local}}\n")
    return tmp_path


class Store(dict):
    def set(self, key: str, value: Any) -> None:
        json.dumps(value)
        self[key] = value


@pytest.fixture
def context() -> Any:
    return {
        "ti": SimpleNamespace(max_tries=3, map_index=-1, stats_tags={}),
        "dag_run": SimpleNamespace(dag_id="d", run_id="manual", run_after=datetime(2026, 7, 1, tzinfo=UTC)),
        "task_state_store": Store(),
    }


def operator(*arguments: Any, **fields: Any) -> WorkloadOperator:
    fields = {"program": "program", "task_id": "train.fit", "poll_interval_s": 0.05, **fields}
    made = WorkloadOperator(arguments=fields.pop("arguments", list(arguments)), **fields)
    ExecutorSafeguard.tracker.set(made)
    return made


def name_of(made: WorkloadOperator, context: Any) -> str:
    return made.workload(context).name


def test_the_programs_result_becomes_the_tasks_and_its_log_is_shown(folder, context, capsys) -> None:
    assert operator("0", "0.2", "done well").execute(context) == {"key": None, "said": "done well"}
    shown = capsys.readouterr().out
    assert 0 < shown.index("begun") < shown.index("done well")


def test_bad_input_fails_at_once_with_the_programs_sentence(folder, context) -> None:
    with pytest.raises(AirflowFailException, match="program cannot work with its input: Folder good is empty."):
        operator("2", "0", "Folder good is empty.").execute(context)


def test_any_other_failure_is_left_to_retries_and_the_retry_runs_it_again(folder, context) -> None:
    with pytest.raises(WorkloadFailed, match=r"program failed \(workload r20260701t000000z\w{8}-train-fit\): no luck"):
        operator("3", "0", "no luck").execute(context)
    assert operator("0", "0", "luck").execute(context)["said"] == "luck"


def test_a_killed_task_cancels_its_program(folder, context) -> None:
    made = operator("0", "30", "late")
    threading.Timer(0.5, made.on_kill).start()
    with pytest.raises(WorkloadFailed, match="program cancelled .* it was cancelled"):
        made.execute(context)
    assert profiles.runner("local").status(name_of(made, context)).state is State.CANCELLED


def test_a_kill_in_the_midst_of_a_look_at_the_program_still_cancels_it(folder, context, monkeypatch) -> None:
    made = operator("0", "30", "late")
    runner_class: Any = type(profiles.runner("local"))
    look, killed = runner_class._status, []

    def killed_while_looking(self: Any, home: Path) -> Any:
        status = look(self, home)
        if threading.current_thread() is threading.main_thread() and status.state.active and not killed:
            killed.append(True)
            os.kill(os.getpid(), signal.SIGTERM)
        return status

    monkeypatch.setattr(runner_class, "_status", killed_while_looking)
    before = signal.signal(signal.SIGTERM, lambda *_: made.on_kill())
    try:
        with pytest.raises(WorkloadFailed, match="program cancelled"):
            made.execute(context)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_try_that_finds_its_program_being_stopped_starts_it_anew(folder, context) -> None:
    (folder / "program.py").write_text(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.6), sys.exit(143)))\n"
        "print('ready', flush=True)\n"
        "time.sleep(30 if 'slow' in sys.argv else 0)\n"
    )
    name = started_with(context, "slow")
    runner = profiles.runner("local")
    while "ready" not in runner.logs(name)[0]:
        time.sleep(0.02)
    threading.Thread(target=runner.cancel, args=[name]).start()
    while not runner.status(name).stopping:
        time.sleep(0.02)
    assert operator("quick").execute(context) == {}


def test_on_kill_before_anything_was_started_does_nothing(folder) -> None:
    operator("0", "0", "x").on_kill()


def test_mapped_tasks_have_names_of_their_own(folder, context) -> None:
    context["ti"].map_index = 4
    assert name_of(operator(), context).endswith("-train-fit-4")
    assert name_of(operator(step="score", run_key="r1"), context) == "r1-score-4"


def test_parameters_become_a_workload(folder, context) -> None:
    workload = operator(
        arguments={"epochs": 3, "batch_size": "16", "resume": True, "champion": None, "verbose": False, "note": ""},
        mounts={
            "a": "svm1:/tyres",
            "b": {"svm": "svm1", "junction_path": "/ws", "read_only": True, "bucket": "other facts do no harm"},
            "c": '{"svm": "svm1", "junction_path": "/models"}',
        },
        environment={"N": 1, "NONE": None},
        program_resources={"cpus": 2},
        processes="2",
        time_limit=timedelta(minutes=1),
    ).workload(context)
    assert workload.arguments == ("--epochs", "3", "--batch-size", "16", "--resume")
    assert workload.mounts == {
        "a": Mount(svm="svm1", junction_path="/tyres"),
        "b": Mount(svm="svm1", junction_path="/ws", read_only=True),
        "c": Mount(svm="svm1", junction_path="/models"),
    }
    assert workload.environment == {"N": "1"}
    assert (workload.resources, workload.processes, workload.time_limit_s) == (Resources(cpus=2), 2, 60)


def test_a_subclass_supplies_the_record_of_the_run_and_mounts_of_its_own(folder, context) -> None:
    class Program(WorkloadOperator):
        def run_facts(self, context):
            return {
                "schema": 1,
                "step": self.step,
                "folders": {key: "{" + key + "}" for key in self.run_mounts(context)},
            }

        def run_mounts(self, context):
            return {"data": "svm1:/tyres", **super().run_mounts(context)}

    (folder / "program.py").write_text(
        "import os, shutil\nshutil.copyfile(os.environ['RUN_FILE'], os.environ['RESULT_FILE'])\n"
    )
    made = Program(task_id="fit", program="program", step="fit", mounts={"more": "svm1:/tyres"}, poll_interval_s=0.05)
    ExecutorSafeguard.tracker.set(made)
    tyres = str(folder / "ns" / "tyres")
    assert made.execute(context) == {"schema": 1, "step": "fit", "folders": {"data": tyres, "more": tyres}}


def test_empty_entries_of_a_list_of_arguments_are_left_out_and_records_become_json(folder, context) -> None:
    assert operator("--a", "", None, 0).workload(context).arguments == ("--a", "0")
    assert operator({"id": "v1"}, ["x"]).workload(context).arguments == ('{"id": "v1"}', '["x"]')


def test_a_missing_connection_is_no_matter_for_a_retry(folder, context) -> None:
    made = operator("0", "0", "x", aws_conn_id="nowhere")
    with pytest.raises(AirflowNotFoundException) as missing:
        made.execute(context)
    assert made.retry_policy.evaluate(missing.value, 1, 3).action is RetryAction.FAIL
    assert made.retry_policy.evaluate(WorkloadFailed("x"), 1, 3).action is RetryAction.DEFAULT


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"mounts": {"data": "tyres"}}, "mount 'data' is 'tyres'; give 'svm:/junction'"),
        ({"program_resources": {"cpu": 1}}, "unexpected keyword argument 'cpu'"),
        ({"processes": "many"}, "'many'"),
        ({"compute": "moon"}, "there is no place named 'moon' .*: elsewhere, local"),
        ({"compute": ""}, "no place to run is named"),
        ({"mounts": {"data": "svm9:/x"}}, "namespace of SVM 'svm9'"),
    ],
)
def test_parameters_that_no_retry_can_mend_fail_at_once(folder, context, fields: dict, sentence: str) -> None:
    with pytest.raises(AirflowFailException, match=sentence):
        operator("0", "0", "x", **fields).execute(context)


def test_the_next_place_is_tried_when_one_has_no_room(folder, context) -> None:
    (folder / "compute.yaml").write_text(
        "places:\n"
        f"  full: {{kind: local, working_directory: {folder}, namespace_roots: {{svm1: empty}}}}\n"
        f"  local: {{kind: local, working_directory: {folder}, namespace_roots: {{svm1: ns}}}}\n"
    )
    made = operator("0", "0", "here", compute="full, local", mounts={"data": "svm1:/tyres"})
    assert made.execute(context)["said"] == "here"
    assert context["task_state_store"]["workload"]["place"] == "local"


def test_connections_reach_the_programs_environment(folder, context, monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Connection(
        conn_id="lake",
        conn_type="aws",
        login="AKIA1",
        password="s3cret",
        extra='{"endpoint_url": "http://127.0.0.1:9", "region_name": "eu-1", "verify": "/ca.pem"}',
    )
    mlflow = Connection(conn_id="ml", conn_type="http", host="127.0.0.1", port=5000)
    for connection in (aws, mlflow):
        monkeypatch.setenv(f"AIRFLOW_CONN_{connection.conn_id.upper()}", connection.get_uri())
    made = operator("0", "0", "x", aws_conn_id="lake", mlflow_conn_id="ml")
    assert dict(made.workload(context).secrets) == {
        "AWS_ACCESS_KEY_ID": "AKIA1",
        "AWS_SECRET_ACCESS_KEY": "s3cret",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_DEFAULT_REGION": "eu-1",
        "AWS_CA_BUNDLE": "/ca.pem",
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000",
    }
    assert made.execute(context)["key"] == "AKIA1"


def test_deferred_it_waits_in_the_trigger_and_comes_back_with_the_result(folder, context) -> None:
    made = operator("0", "0.3", "done", deferrable=True, time_limit=60)
    with pytest.raises(TaskDeferred) as deferred:
        made.execute(context)
    event = fired(deferred.value.trigger)
    assert made.execute_complete(context, event)["said"] == "done"


def test_deferred_bad_input_fails_at_once(folder, context) -> None:
    made = operator("2", "0", "No images.", deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        made.execute(context)
    with pytest.raises(AirflowFailException, match="No images."):
        made.execute_complete(context, fired(deferred.value.trigger))


def test_the_trigger_crosses_processes_as_plain_values_with_a_wall_clock_deadline(folder, context) -> None:
    made = operator("0", "0", "x", deferrable=True, time_limit=60)
    with pytest.raises(TaskDeferred) as deferred:
        made.execute(context)
    path, arguments = deferred.value.trigger.serialize()
    assert path == "ontap_mlops.triggers.workload.WorkloadTrigger"
    assert json.loads(json.dumps(arguments)) == arguments
    deadline = arguments.pop("deadline")
    assert 60 < deadline - time.time() < 300
    assert arguments == {"place": "local", "workload": name_of(made, context), "poll_interval_s": 0.05}
    fired(deferred.value.trigger)


def test_past_its_deadline_the_trigger_cancels_and_says_so(folder, context) -> None:
    name = started(context, "30")
    event = fired(WorkloadTrigger(place="local", workload=name, poll_interval_s=0.05, deadline=time.time() - 1))
    assert (event["state"], event["message"][:25]) == ("failed", "the place did not stop it")
    assert profiles.runner("local").status(name).state is State.CANCELLED


def test_a_users_kill_cancels_from_the_trigger_and_a_restart_of_the_triggerer_does_not(folder, context) -> None:
    name = started(context, "30")
    trigger = WorkloadTrigger(place="local", workload=name, poll_interval_s=0.05, deadline=None)
    asyncio.run(trigger.cleanup())
    assert profiles.runner("local").status(name).state is State.RUNNING
    asyncio.run(trigger.on_kill())
    assert profiles.runner("local").status(name).state is State.CANCELLED


def test_the_trigger_never_holds_up_the_loop(folder, context, monkeypatch: pytest.MonkeyPatch) -> None:
    name = started(context, "0.5")
    slow(monkeypatch, "status", 0.4)
    slow(monkeypatch, "logs", 0.4)
    trigger = WorkloadTrigger(place="local", workload=name, poll_interval_s=0.05, deadline=None)

    async def longest_gap() -> float:
        firing = asyncio.create_task(anext(aiter(trigger.run())))
        gap, before = 0.0, time.monotonic()
        while not firing.done():
            await asyncio.sleep(0.01)
            gap, before = max(gap, time.monotonic() - before), time.monotonic()
        return gap

    assert asyncio.run(longest_gap()) < 0.35


def test_a_log_is_followed_line_by_line_and_a_bar_shows_its_last_state() -> None:
    class Runner:
        log = ""

        def logs(self, name: str, offset: int = 0) -> tuple[str, int]:
            return self.log[offset : offset + 5], min(len(self.log), offset + 5)

    runner: Any = Runner()
    follower = LogFollower(runner, "x")
    runner.log = "first\nsec"
    assert list(follower.lines()) == ["first"]
    runner.log += "ond\n10 %\r20 %\r\nrest"
    assert list(follower.lines()) == ["second", "20 %"]
    assert list(follower.lines(last=True)) == ["rest"]
    assert list(follower.lines(last=True)) == []


def started(context: Any, seconds: str) -> str:
    return started_with(context, "0", seconds, "x")


def started_with(context: Any, *arguments: str) -> str:
    made = operator(*arguments, deferrable=True)
    with pytest.raises(TaskDeferred):
        made.execute(context)
    return name_of(made, context)


def fired(trigger: Any) -> dict[str, Any]:
    event = asyncio.run(anext(aiter(trigger.run())))
    return json.loads(json.dumps(event.payload))


def slow(monkeypatch: pytest.MonkeyPatch, method: str, seconds: float) -> None:
    runner_class: Any = type(profiles.runner("local"))
    original: Callable = getattr(runner_class, method)

    def call(*args: Any, **kwargs: Any) -> Any:
        time.sleep(seconds)
        return original(*args, **kwargs)

    monkeypatch.setattr(runner_class, method, call)


def test_a_programs_own_page_is_a_button_while_it_runs(folder, context) -> None:
    pushed: list[tuple[str, str]] = []
    context["ti"].xcom_push = lambda key, value: pushed.append((key, value))
    (folder / "program.py").write_text(
        "import time\nprint('Dask dashboard: http://127.0.0.1:8787/status', flush=True)\ntime.sleep(1)\n"
    )
    made = operator()
    made.execute(context)
    link = next(link for link in made.operator_extra_links if link.name == "Dashboard")
    assert pushed == [(link.xcom_key, "http://127.0.0.1:8787/status")]
    assert link.get_link(made, ti_key=None) == "", "the page has gone with the program"
