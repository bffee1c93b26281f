"""What the Workload operator makes of its parameters, of how the program ended, and of being killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from ontap_mlops.compute import places
from ontap_mlops.compute.following import LogFollower
from ontap_mlops.compute.workload import Mount, Resources, State
from ontap_mlops.operators.workload import WorkloadFailed, WorkloadOperator
from tests.ontap_mlops.operators.workloads import deferred, fired, name_of, operator, resumed, shown


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
    assert places.runner("local").status(name_of(made, context)).state is State.CANCELLED


def test_a_kill_in_the_midst_of_a_look_at_the_program_still_cancels_it(folder, context, monkeypatch) -> None:
    made = operator("0", "30", "late")
    runner_class: Any = type(places.runner("local"))
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
            "b": {"svm": "svm1", "junction_path": "/ws", "read_only": True, "bucket": "ws", "note": "does no harm"},
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
        "b": Mount(svm="svm1", junction_path="/ws", read_only=True, bucket="ws"),
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
    folders = {"data": tyres, "more": tyres}
    assert made.execute(context) == {"schema": 1, "step": "fit", "folders": folders, "place": "local"}


def test_named_flags_label_the_workload(folder, context) -> None:
    assert operator("--engine=dask", "--n-trees", "5", labels=["engine", "n_trees", "rows"]).workload(
        context
    ).labels == {
        "engine": "dask",
        "n_trees": "5",
    }


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
        ({"mounts": {"data": "svm9:/x"}}, "namespace of SVM 'svm9'"),
    ],
)
def test_parameters_that_no_retry_can_mend_fail_at_once(folder, context, fields: dict, sentence: str) -> None:
    with pytest.raises(AirflowFailException, match=sentence):
        operator("0", "0", "x", **fields).execute(context)


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
    assert resumed(made, context, deferred(made, context))["said"] == "done"


def test_what_ends_soon_is_never_deferred(folder, context) -> None:
    assert operator("0", "0.3", "done", deferrable=True, first_wait_s=30).execute(context)["said"] == "done"


def test_each_line_is_shown_once_though_worker_and_trigger_read_in_turn(folder, context, capsys, caplog) -> None:
    (folder / "program.py").write_text(
        "import sys, time\nprint('one\\ntw', end='', flush=True)\ntime.sleep(1)\nprint('o\\nthree')\n"
    )
    made = operator(deferrable=True, first_wait_s=0.5)
    trigger = deferred(made, context).trigger
    assert shown(capsys, caplog) == ["one"]
    fired(trigger)
    assert shown(capsys, caplog) == ["two", "three"]


def test_deferred_bad_input_fails_at_once(folder, context) -> None:
    made = operator("2", "0.3", "No images.", deferrable=True)
    with pytest.raises(AirflowFailException, match="No images."):
        resumed(made, context, deferred(made, context))


def test_the_trigger_crosses_processes_as_plain_values_with_a_wall_clock_deadline(folder, context) -> None:
    made = operator("0", "0.3", "x", deferrable=True, time_limit=60)
    trigger = deferred(made, context).trigger
    path, arguments = trigger.serialize()
    assert path == "ontap_mlops.triggers.polling.PollingTrigger"
    assert json.loads(json.dumps(arguments)) == arguments
    assert 60 < arguments["deadline"] - time.time() < 300
    assert arguments["arguments"] == {
        "place": "local",
        "workload": name_of(made, context),
        "host": socket.gethostname(),
    }
    fired(trigger)


def test_a_program_that_does_not_stop_at_its_time_limit_is_cancelled_and_said_so(folder, context) -> None:
    made = operator("0", "30", "x", deferrable=True, time_limit=20)
    left = deferred(made, context)
    left.trigger.deadline = time.time() - 1
    with pytest.raises(WorkloadFailed, match="program did not stop at its time limit"):
        resumed(made, context, left)
    assert places.runner("local").status(name_of(made, context)).state is State.CANCELLED


def test_a_program_that_somebody_removed_meanwhile_is_one_sentence(folder, context) -> None:
    made = operator("0", "30", "x", deferrable=True)
    left = deferred(made, context)
    runner = places.runner("local")
    runner.cancel(name_of(made, context))
    runner.remove(name_of(made, context))
    with pytest.raises(WorkloadFailed, match="program missing .*: the place knows nothing of it any more"):
        resumed(made, context, left)


def test_a_users_kill_cancels_from_the_trigger_and_a_restart_of_the_triggerer_does_not(folder, context) -> None:
    made = operator("0", "30", "x", deferrable=True)
    trigger = deferred(made, context).trigger
    asyncio.run(trigger.cleanup())
    assert places.runner("local").status(name_of(made, context)).state is State.RUNNING
    asyncio.run(trigger.on_kill())
    assert places.runner("local").status(name_of(made, context)).state is State.CANCELLED


def test_no_look_at_a_program_is_made_on_the_triggerers_loop(folder, context, monkeypatch: pytest.MonkeyPatch) -> None:
    made = operator("0", "0.3", "x", deferrable=True)
    left, threads = deferred(made, context), set()
    runner_class: Any = type(places.runner("local"))
    for method in ("status", "logs"):
        original = getattr(runner_class, method)

        def noted(*args: Any, _original: Callable = original, **kwargs: Any) -> Any:
            threads.add(threading.current_thread())
            return _original(*args, **kwargs)

        monkeypatch.setattr(runner_class, method, noted)
    fired(left.trigger)
    assert threads
    assert threading.main_thread() not in threads


class LogService:
    """Its cursor counts words, as one of a cloud's log service might."""

    def __init__(self, *log: str) -> None:
        self.log = list(log)

    def logs(self, name: str, cursor: str | None = None) -> tuple[str, str | None]:
        at = int((cursor or "token-0").removeprefix("token-"))
        return (self.log[at], f"token-{at + 1}") if at < len(self.log) else ("", cursor)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('Left out: 2 rows, such as "1\\t2\r".', 'Left out: 2 rows, such as "1\\t2\\r".'),
        ("with CRLF\r", "with CRLF"),
        ("10 %\r20 %\r100 %", "100 %"),
        ("100 B left\r99 B left \r\x1b[Kdone", "done"),
        ("\r\x1b[K5 of 9\r\x1b[K9 of 9", "9 of 9"),
        ("100\r99\r98\r97", "97"),
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07and \x1b[2J\x1b[1;1Hgone", "red and gone"),
        ("a\tb\x00c\x07\x1b\x9b31m\x7f", "a\tb\\x00c\\x07\\x1b\\x9b31m\\x7f"),
        ("grüße, 図, …", "grüße, 図, …"),
    ],
)
@pytest.mark.parametrize("cut", [1, 3, 1000])
def test_control_characters_neither_hide_nor_rewrite_a_line_of_the_log(written: str, shown: str, cut: int) -> None:
    text = f"{written}\nnext\n"
    runner: Any = LogService(*(text[at : at + cut] for at in range(0, len(text), cut)))
    assert list(LogFollower(runner, "x").lines()) == [shown, "next"]


def test_what_is_kept_of_a_bar_does_not_grow() -> None:
    runner: Any = LogService(*(f"\r{number} of 9999 files" for number in range(9999)))
    follower = LogFollower(runner, "x")
    assert list(follower.lines()) == []
    assert len(follower.position[1] or "") <= 2000
    assert list(follower.lines(last=True)) == ["9998 of 9999 files"]


def test_a_log_is_followed_line_by_line_and_a_bar_shows_its_last_state() -> None:
    runner: Any = LogService()
    follower = LogFollower(runner, "x")
    assert list(follower.lines()) == []
    runner.log += ["fir", "st\nsec"]
    assert list(follower.lines()) == ["first"]
    follower = LogFollower(runner, "x", json.loads(json.dumps(follower.position)))  # in another process
    runner.log += ["ond\n10 %\r20 %\r"]
    assert list(follower.lines()) == ["second"]
    runner.log += ["\nre", "st"]
    assert list(follower.lines()) == ["20 %"]
    assert list(follower.lines(last=True)) == ["rest"]
    assert list(follower.lines(last=True)) == []


def test_a_programs_own_page_is_a_button_while_it_runs(folder, context) -> None:
    pushed: list[tuple[str, str]] = []
    context["ti"].xcom_push = lambda key, value: pushed.append((key, value))
    (folder / "program.py").write_text(
        "import time\nprint('Dask dashboard: http://127.0.0.1:8787/status', flush=True)\ntime.sleep(1)\n"
    )
    made = operator()
    made.execute(context)
    link = next(link for link in made.operator_extra_links if link.name == "Dashboard")
    assert [one for one in pushed if one[0] not in ("placement", "workload")] == [
        (link.xcom_key, "http://127.0.0.1:8787/status")
    ]
    assert link.get_link(made, ti_key=None) == "", "the page has gone with the program"
