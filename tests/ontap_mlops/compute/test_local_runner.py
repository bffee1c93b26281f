"""The local runner with real processes: once per name, alive beyond its worker, and every end explained."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ontap_mlops.compute.kinds import _local_supervisor
from ontap_mlops.compute.kinds.local import LocalRunner
from ontap_mlops.compute.workload import Mount, PlaceRefused, PlaceUnavailable, State, Status, Workload
from tests.until import until

PROGRAM = """
    import json, os, signal, subprocess, sys, time
    from pathlib import Path

    def checkpoint(*_):
        print("checkpoint written", flush=True)
        sys.exit(143)

    what, rest = sys.argv[1], sys.argv[2:]
    with Path("runs").open("a") as file:
        file.write(what + "\\n")
    if what == "work":
        time.sleep(float(rest[0]) if rest else 0)
        Path(os.environ["RESULT_FILE"]).write_text(json.dumps({"seen": rest[1:]}))
    elif what == "exit":
        print(rest[1], file=sys.stderr)
        sys.exit(int(rest[0]))
    elif what == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print("child", child.pid, flush=True)
        time.sleep(60)
    elif what == "checkpoints":
        signal.signal(signal.SIGTERM, checkpoint)
        print("ready", flush=True)
        time.sleep(60)
    elif what == "record":
        path = os.environ.get("RUN_FILE")
        record = json.loads(Path(path).read_text()) if path else None
        Path(os.environ["RESULT_FILE"]).write_text(json.dumps({"run": record}))
    elif what == "environment":
        Path(os.environ["RESULT_FILE"]).write_text(json.dumps({k: os.environ.get(k) for k in rest}))
"""


@pytest.fixture
def runner(tmp_path: Path) -> LocalRunner:
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "program.py").write_text(textwrap.dedent(PROGRAM))
    (tmp_path / "svm1" / "tyres").mkdir(parents=True)
    return LocalRunner(
        folder=tmp_path / "workloads",
        working_directory=tmp_path / "programs",
        namespace_roots={"svm1": tmp_path / "svm1"},
        grace_s=1,
    )


def work(*arguments: str, name: str = "r1-step", **fields) -> Workload:
    return Workload(name=name, program="program", arguments=arguments, **fields)


def ended(runner: LocalRunner, name: str = "r1-step") -> Status:
    until(lambda: not runner.status(name).state.active, f"{name} still runs")
    return runner.status(name)


def runs(runner: LocalRunner) -> int:
    return len((runner.working_directory / "runs").read_text().splitlines())


def facts(runner: LocalRunner, file: str) -> dict:
    path = runner.folder / "r1-step" / file
    until(path.exists, f"{path} does not appear")
    return json.loads(path.read_text())


def gone(pid: int) -> bool:
    return until(lambda: not _local_supervisor.start_time(pid), f"process {pid} still runs")


def said(runner: LocalRunner, text: str) -> None:
    until(lambda: text in runner.logs("r1-step")[0], lambda: runner.logs("r1-step")[0])


def test_a_program_runs_with_its_mounts_and_hands_back_its_result(runner: LocalRunner) -> None:
    runner.submit(
        work("work", "0", "--data", "{tyres}/data", mounts={"tyres": Mount(svm="svm1", junction_path="/tyres")})
    )
    assert ended(runner) == Status(state=State.SUCCEEDED, exit_code=0)
    assert runner.result("r1-step") == {"seen": ["--data", f"{runner.namespace_roots['svm1']}/tyres/data"]}


def test_the_record_of_the_run_is_a_file_with_each_mounts_folder_in_it(runner: LocalRunner) -> None:
    run = {
        "schema": 1,
        "run": {"run_key": "r1", "parameters": {"epochs": 3, "files": ["{tyres}/a", "{other}/b"]}},
        "data": "{tyres}/data",
        "champion": None,
    }
    mounts = {"tyres": Mount(svm="svm1", junction_path="/tyres")}
    runner.submit(work("record", mounts=mounts, run=run))
    folder = f"{runner.namespace_roots['svm1']}/tyres"
    assert ended(runner).state is State.SUCCEEDED
    assert runner.result("r1-step")["run"] == {
        "schema": 1,
        "run": {"run_key": "r1", "parameters": {"epochs": 3, "files": [f"{folder}/a", "{other}/b"]}},
        "data": f"{folder}/data",
        "champion": None,
    }


def test_a_program_without_a_run_finds_no_file_even_where_its_worker_has_one(
    runner: LocalRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.submit(work("record", run={"schema": 1}))
    assert ended(runner).state is State.SUCCEEDED
    monkeypatch.setenv("RUN_FILE", "/somewhere/run.json")
    runner.submit(work("record"), fresh=True)
    assert ended(runner).state is State.SUCCEEDED
    assert runner.result("r1-step") == {"run": None}
    assert not (runner.folder / "r1-step" / "run.json").exists()


def test_a_name_that_was_never_submitted_is_missing(runner: LocalRunner) -> None:
    assert runner.status("r1-step").state is State.MISSING
    assert runner.logs("r1-step") == ("", None)
    assert runner.result("r1-step") == {}


def test_a_running_one_is_joined_even_when_fresh_is_asked_for(runner: LocalRunner) -> None:
    runner.submit(work("work", "0.5"))
    runner.submit(work("work", "0.5"))
    runner.submit(work("work", "0.5"), fresh=True)
    assert ended(runner).state is State.SUCCEEDED
    assert runs(runner) == 1


def test_a_finished_one_is_returned_and_runs_again_only_when_fresh(runner: LocalRunner) -> None:
    runner.submit(work("exit", "1", "first"))
    ended(runner)
    runner.submit(work("work"))
    assert ended(runner).message == "first"
    runner.submit(work("work"), fresh=True)
    assert ended(runner).state is State.SUCCEEDED
    assert runner.logs("r1-step") == ("", None)
    assert runs(runner) == 2


def test_submits_that_race_run_it_once(runner: LocalRunner) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: runner.submit(work("work", "0.3"), fresh=True), range(8)))
    assert ended(runner).state is State.SUCCEEDED
    assert runs(runner) == 1


def test_it_outlives_the_process_that_submitted_it(runner: LocalRunner, tmp_path: Path) -> None:
    submitter = f"""
        import os, signal
        from pathlib import Path
        from ontap_mlops.compute.kinds.local import LocalRunner
        from ontap_mlops.compute.workload import Workload
        runner = LocalRunner(
            folder=Path({str(runner.folder)!r}), working_directory=Path({str(runner.working_directory)!r})
        )
        runner.submit(Workload(name="r1-step", program="program", arguments=("work", "0.5", "x")))
        os.killpg(0, signal.SIGKILL)
    """
    script = textwrap.dedent(submitter)
    died = subprocess.run([sys.executable, "-c", script], start_new_session=True)
    assert died.returncode == -signal.SIGKILL
    assert runner.status("r1-step").state is State.RUNNING
    assert ended(runner).state is State.SUCCEEDED
    assert runner.result("r1-step") == {"seen": ["x"]}


def test_its_supervisor_is_no_child_of_the_worker(runner: LocalRunner) -> None:
    runner.submit(work("work", "0.5"))
    supervisor = facts(runner, "supervisor.json")["pid"]
    parent = int(Path(f"/proc/{supervisor}/stat").read_text().rpartition(")")[2].split()[1])
    assert parent != os.getpid()
    assert os.getsid(supervisor) != os.getsid(0)
    ended(runner)


def test_bad_input_keeps_the_programs_sentence(runner: LocalRunner) -> None:
    runner.submit(work("exit", "2", "Folder good holds no images."))
    assert ended(runner) == Status(state=State.FAILED, exit_code=2, message="Folder good holds no images.")


def test_a_program_that_is_not_there_fails_with_a_sentence(runner: LocalRunner) -> None:
    runner.submit(Workload(name="r1-step", program="no_such_program"))
    status = ended(runner)
    assert status.state is State.FAILED
    assert "No module named no_such_program" in status.message


def test_a_python_that_is_not_there_fails_with_a_sentence(runner: LocalRunner, tmp_path: Path) -> None:
    broken = LocalRunner(folder=runner.folder, working_directory=tmp_path, python="/nowhere/python")
    broken.submit(work("work"))
    status = ended(broken)
    assert status.state is State.FAILED
    assert "/nowhere/python could not be started" in status.message


def test_cancel_lets_the_program_write_its_checkpoint(runner: LocalRunner) -> None:
    runner.submit(work("checkpoints"))
    said(runner, "ready")
    runner.cancel("r1-step")
    assert runner.status("r1-step") == Status(state=State.CANCELLED, exit_code=143, message="it was cancelled")
    assert "checkpoint written" in runner.logs("r1-step")[0]


def test_cancel_right_after_submit_stops_it(runner: LocalRunner) -> None:
    runner.submit(work("stubborn"))
    runner.cancel("r1-step")
    assert runner.status("r1-step").state is State.CANCELLED


def test_cancel_of_something_finished_or_unknown_changes_nothing(runner: LocalRunner) -> None:
    runner.cancel("r1-never")
    runner.submit(work("work"))
    ended(runner)
    runner.cancel("r1-step")
    assert runner.status("r1-step").state is State.SUCCEEDED


def test_a_program_that_ignores_sigterm_is_killed_after_the_grace_with_its_children(runner: LocalRunner) -> None:
    runner.submit(work("stubborn"))
    said(runner, "child")
    program, child = facts(runner, "program.json")["pid"], int(runner.logs("r1-step")[0].split()[1])
    began = time.monotonic()
    runner.cancel("r1-step")
    assert 0.8 < time.monotonic() - began < 4
    assert runner.status("r1-step").state is State.CANCELLED
    assert gone(program)
    assert gone(child)


def test_a_time_limit_stops_it_and_says_so(runner: LocalRunner) -> None:
    runner.submit(work("work", "30", time_limit_s=0.3))
    status = ended(runner)
    assert status.state is State.FAILED
    assert status.message == "it was stopped at its time limit of 0.3 s"


def test_a_killed_program_is_a_failure_with_a_sentence(runner: LocalRunner) -> None:
    runner.submit(work("work", "30"))
    os.kill(facts(runner, "program.json")["pid"], signal.SIGKILL)
    status = ended(runner)
    assert (status.state, status.exit_code) == (State.FAILED, -9)
    assert "killed by SIGKILL" in status.message


def test_a_killed_supervisor_takes_the_program_along_and_is_a_failure_with_a_sentence(runner: LocalRunner) -> None:
    runner.submit(work("work", "30"))
    program = facts(runner, "program.json")["pid"]
    os.kill(facts(runner, "supervisor.json")["pid"], signal.SIGKILL)
    status = ended(runner)
    assert status.state is State.FAILED
    assert "nobody saw how it ended" in status.message
    assert gone(program)
    runner.submit(work("work"), fresh=True)
    assert ended(runner).state is State.SUCCEEDED


def test_after_a_reboot_a_process_that_took_over_the_id_is_neither_mistaken_nor_killed(runner: LocalRunner) -> None:
    runner.submit(work("work", "30"))
    supervisor = facts(runner, "supervisor.json")["pid"]
    facts(runner, "program.json")
    os.kill(supervisor, signal.SIGKILL)
    ended(runner)
    bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        for file in ("supervisor.json", "program.json"):
            stale = {"pid": bystander.pid, "started": "1"}
            (runner.folder / "r1-step" / file).write_text(json.dumps(stale))
        assert runner.status("r1-step").state is State.FAILED
        runner.cancel("r1-step")
        runner.submit(work("work"), fresh=True)
        assert ended(runner).state is State.SUCCEEDED
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_secrets_reach_the_program_and_no_file(runner: LocalRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "workers-own")
    monkeypatch.setenv("ONTAP_EMULATOR_PASSWORD", "workers-own")
    names = ("KEY", "PLAIN", "AIRFLOW__CORE__FERNET_KEY", "ONTAP_EMULATOR_PASSWORD")
    workload = work("environment", *names, secrets={"KEY": "s3cr3t-key"}, environment={"PLAIN": "p"})
    assert "s3cr3t-key" not in repr(workload)
    runner.submit(workload)
    ended(runner)
    assert runner.result("r1-step") == dict(zip(names, ("s3cr3t-key", "p", None, None), strict=True))
    files = [path for path in (runner.folder / "r1-step").iterdir() if path.name != "result.json"]
    assert not [path for path in files if "s3cr3t-key" in path.read_text()]


def test_log_is_read_from_where_it_was_left_without_cutting_a_character(runner: LocalRunner) -> None:
    runner.submit(work("exit", "0", "Größe"))
    ended(runner)
    log = runner.folder / "r1-step" / "log"
    log.write_bytes(b"Gr" + "ö".encode()[:1])
    assert runner.logs("r1-step") == ("Gr", "2")
    log.write_bytes("Größe\n".encode())
    assert runner.logs("r1-step", "2") == ("öße\n", "8")


def test_remove_forgets_a_finished_one_and_refuses_a_running_one(runner: LocalRunner) -> None:
    runner.submit(work("work", "30"))
    with pytest.raises(PlaceUnavailable, match="still runs"):
        runner.remove("r1-step")
    runner.cancel("r1-step")
    runner.remove("r1-step")
    assert runner.status("r1-step").state is State.MISSING


@pytest.mark.parametrize(
    ("mount", "error", "sentence"),
    [
        (Mount(svm="svm2", junction_path="/tyres"), PlaceRefused, r"SVM 'svm2' is mounted .*\(known: svm1\)"),
        (Mount(svm="svm1", junction_path="/../../etc"), PlaceRefused, "not a junction path"),
        (Mount(svm="svm1", junction_path="/cars"), PlaceUnavailable, "svm1/cars is not there"),
    ],
)
def test_a_volume_that_is_not_there_is_named(runner: LocalRunner, mount: Mount, error: type, sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        runner.submit(work("work", mounts={"data": mount}))
    assert runner.status("r1-step").state is State.MISSING


def test_a_result_that_is_no_json_object_is_an_error(runner: LocalRunner) -> None:
    runner.submit(work("work"))
    ended(runner)
    (runner.folder / "r1-step" / "result.json").write_text("[1]")
    with pytest.raises(ValueError, match="not a JSON object"):
        runner.result("r1-step")
    (runner.folder / "r1-step" / "result.json").write_text("{")
    with pytest.raises(ValueError, match="not JSON"):
        runner.result("r1-step")


def test_what_ended_long_ago_is_forgotten_when_something_new_starts(runner: LocalRunner) -> None:
    for name in ("r1-old", "r1-new", "r1-old-but-running-again"):
        runner.submit(work("work", name=name))
        ended(runner, name)
    runner.submit(work("work", "30", name="r1-old-but-running-again"), fresh=True)
    for name in ("r1-old", "r1-old-but-running-again"):
        (runner.folder / name / "status.json").touch()
        os.utime(runner.folder / name / "status.json", (1, 1))
    runner.submit(work("work", name="r1-step"))
    assert runner.status("r1-old").state is State.MISSING
    assert runner.status("r1-new").state is State.SUCCEEDED
    assert runner.status("r1-old-but-running-again").state is State.RUNNING
    runner.cancel("r1-old-but-running-again")
    ended(runner)


def test_several_processes_share_one_workload(runner: LocalRunner) -> None:
    (runner.working_directory / "ranked.py").write_text(
        "import json, os\n"
        "print('rank', os.environ['RANK'], 'of', os.environ['WORLD_SIZE'], flush=True)\n"
        "if os.environ['RANK'] == '0':\n"
        "    json.dump({'master': os.environ['MASTER_ADDR']}, open(os.environ['RESULT_FILE'], 'w'))\n"
    )
    runner.submit(Workload(name="r1-step", program="ranked", processes=2))
    assert ended(runner).state is State.SUCCEEDED
    assert {"rank 0 of 2", "rank 1 of 2"} <= set(runner.logs("r1-step")[0].splitlines())
    assert runner.result("r1-step")["master"]


def test_of_the_workers_environment_a_program_gets_the_machine_and_no_secret(
    runner: LocalRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = {"AWS_SECRET_ACCESS_KEY": "s", "DATABASE_URL": "postgres://u:p@h/d", "MLFLOW_TRACKING_TOKEN": "t"}
    machine = {"LC_NUMERIC": "C", "https_proxy": "http://proxy:3128", "CUDA_VISIBLE_DEVICES": "0", "TZ": "UTC"}
    for name, value in {**secret, **machine}.items():
        monkeypatch.setenv(name, value)
    local = dataclasses.replace(runner, environment={"HF_HOME": "/models"})
    local.submit(work("environment", *secret, *machine, "HF_HOME", "HOME", "GIVEN", secrets={"GIVEN": "g"}))
    assert ended(local).state is State.SUCCEEDED
    found = local.result("r1-step")
    assert {name: found[name] for name in secret} == dict.fromkeys(secret)
    assert {name: found[name] for name in machine} == machine
    assert (found["HF_HOME"], found["HOME"], found["GIVEN"]) == ("/models", os.environ["HOME"], "g")


def test_nothing_stays_of_a_workload_that_is_removed_or_never_was(runner: LocalRunner) -> None:
    runner.submit(work("work"))
    ended(runner)
    runner.remove("r1-step")
    assert runner.status("r2-never").state is State.MISSING
    assert [path for path in runner.folder.rglob("*") if path.is_file()] == []


def test_who_waited_for_a_lock_that_went_away_takes_the_one_there_is_now(runner: LocalRunner) -> None:
    inside, most = 0, 0

    def look(number: int) -> None:
        nonlocal inside, most
        with runner._guarded("r1-step"):
            inside += 1
            most = max(most, inside)
            time.sleep(0.002)
            inside -= 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(look, range(200)))
    assert most == 1
