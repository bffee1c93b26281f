"""The services' life, with the lightest of the real ones: the data lake comes up in a second."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.embedded import catalog, environment, health, layout, ports, secrets
from scripts.embedded.layout import ROOT
from scripts.services import Stack, clean, down, status, up
from tests.until import until

NAMESPACE = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
pytestmark = pytest.mark.usefixtures("apart")
AS_A_USER = NAMESPACE if subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode == 0 else []


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path / "local")
    yield stack
    stack.down()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("shared") / "local")
    yield stack
    stack.down()


@pytest.fixture
def running(shared: Stack) -> Stack:
    """One set for all tests that stop nothing: the lake runs."""
    shared.up(["lake"])
    return shared


def test_a_started_service_answers_and_leaves_nothing_behind_when_stopped(stack: Stack):
    stack.up(["lake"])
    assert stack.health(["lake"]) == {"lake": health.HEALTHY}
    assert len(stack.processes_left()) == 2, "the supervisor and the lake"
    stack.down()
    assert stack.processes_left() == []
    assert stack.health(["lake"])["lake"].startswith("no answer")


def test_starting_again_changes_nothing(running: Stack):
    before, kept = running.supervisor.processes()["lake"]["pid"], running.ports
    running.up(["lake"])
    assert (running.supervisor.processes()["lake"]["pid"], running.ports) == (before, kept)


def test_ports_and_passwords_stay_the_same_from_one_start_to_the_next(stack: Stack):
    stack.up(["lake"])
    before = stack.ports, secrets.get(stack.layout, secrets.LAKE_SECRET_KEY)
    stack.down()
    stack.up(["lake"])
    assert (stack.ports, secrets.get(stack.layout, secrets.LAKE_SECRET_KEY)) == before


def test_a_killed_service_comes_back(running: Stack):
    killed = running.supervisor.processes()["lake"]["pid"]
    os.kill(killed, signal.SIGKILL)
    until(lambda: running.supervisor.processes()["lake"]["pid"] not in (0, killed), "the lake is not started again")
    running.wait_ready(["lake"])
    assert running.supervisor.processes()["lake"]["pid"] != killed


def test_one_service_is_restarted_and_the_others_go_on(running: Stack):
    running.up(["lake", "ontap"])
    before = {name: facts["pid"] for name, facts in running.supervisor.processes().items()}
    running.restart("lake")
    after = {name: facts["pid"] for name, facts in running.supervisor.processes().items()}
    assert after["lake"] != before["lake"] and after["ontap"] == before["ontap"]
    assert running.health(["lake"]) == {"lake": health.HEALTHY}
    with pytest.raises(SystemExit, match=r"mlflow is not running; `make up` starts it\."):
        running.restart("mlflow")


@pytest.mark.parametrize(("name", "said"), [("minio", "No service is called 'minio'; "), ("", "Say which service; ")])
def test_a_restart_of_what_there_is_not_names_what_there_is(name: str, said: str, stack: Stack):
    with pytest.raises(SystemExit, match=f"{said}there are ontap, lake, .*and the programs airflow-api-server, "):
        stack.restart(name)
    assert catalog.named("airflow-scheduler") == ("airflow", ["airflow-scheduler"])


def test_an_optional_service_starts_when_it_is_named_and_with_the_others_from_then_on(stack: Stack):
    stack.up(["lake"])
    assert [service for service in stack.services if service.optional] == []
    stack.up(["lake"], optional=["dialog"])
    assert stack.health(["dialog"]) == {"dialog": health.HEALTHY, "dialog-stubs": health.HEALTHY}
    before = stack.supervisor.processes()["dialog"]["pid"]
    stack.restart("dialog")
    assert stack.supervisor.processes()["dialog"]["pid"] != before
    stack.down()
    assert [service.name for service in stack.services if service.optional] == ["dialog"], "what `make up` starts"


def test_the_export_of_the_retail_assistant_wants_the_token_of_its_connection(running: Stack):
    running.up(["lake"], optional=["dialog"])
    row = environment.connections(running.layout, running.ports)["dialog_default"]
    url = f"http://{row['host']}:{row['port']}/api/days/2026-01-01"
    allowed = httpx.get(url, headers={"Authorization": f"Bearer {row['password']}"}, trust_env=False)
    assert (allowed.status_code, httpx.get(url, trust_env=False).status_code) == (200, 401)


def test_documents_wait_for_an_index_and_know_who_the_token_of_their_connection_is(running: Stack):
    running.up(["lake"], optional=["documents"])
    assert running.health(["documents"]) == {"documents": health.WAITING_FOR_INDEX}
    row = environment.connections(running.layout, running.ports)["documents_default"]
    headers = {"Authorization": f"Bearer {row['password']}"}
    told = httpx.get(f"http://{row['host']}:{row['port']}/api/me", headers=headers, trust_env=False).json()
    assert told == {"name": "documents", "groups": []}


def test_calls_are_written_with_the_token_of_their_connection(running: Stack):
    running.up(["lake"], optional=["calls"])
    assert running.health(["calls"]) == {"calls": health.HEALTHY}
    row = environment.connections(running.layout, running.ports)["calls_default"]
    url = f"http://{row['host']}:{row['port']}/api/corrections?since=2026-01-01"
    allowed = httpx.get(url, headers={"Authorization": f"Bearer {row['password']}"}, trust_env=False)
    assert (allowed.status_code, httpx.get(url, trust_env=False).status_code) == (200, 401)


def test_what_a_killed_supervisor_left_is_ended_before_the_next_start(stack: Stack):
    stack.up(["lake"])
    orphan, kept = stack.supervisor.processes()["lake"]["pid"], stack.ports
    supervisor = int((stack.layout.supervisor / "supervisord.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    said: list[str] = []
    stack.up(["lake"], say=said.append)
    assert orphan not in stack.processes_left()
    assert (stack.ports, said) == (kept, []), "the port is free again, so the service keeps it"


def test_the_two_clusters_are_apart(running: Stack):
    running.up(["ontap", "ontap_remote"])
    assert running.health(["ontap", "ontap_remote"]) == {"ontap": health.HEALTHY, "ontap_remote": health.HEALTHY}
    rows = environment.connections(running.layout, running.ports)
    found = {name: _svms(rows[name]) for name in ("ontap_default", "ontap_remote")}
    assert found == {name: ("emulator" + suffix, {rows[name]["extra"]["svm"]}) for name, suffix in CLUSTERS.items()}
    assert rows["ontap_default"]["password"] != rows["ontap_remote"]["password"]


CLUSTERS = {"ontap_default": "", "ontap_remote": "_remote"}


def _svms(row: dict[str, Any]) -> tuple[str, set[str]]:
    """Name of the cluster and of its SVMs, as the connection finds them."""
    from ontap_mlops.ontap import cluster
    from ontap_mlops.ontap.client import Client

    login = {"username": row["login"], "password": row["password"], "verify": row["extra"]["verify"]}
    with Client(host=row["host"], port=row["port"], **login) as client:
        found = client.records("Svm", asked="list SVMs", fields="name")
        return cluster.get(client).name, {record["name"] for record in found}


def test_a_frozen_supervisor_is_replaced(stack: Stack, monkeypatch: pytest.MonkeyPatch):
    stack.up(["lake"])
    monkeypatch.setattr("scripts.embedded.supervisor.ANSWER_S", 1.0)
    frozen = int((stack.layout.supervisor / "supervisord.pid").read_text())
    os.kill(frozen, signal.SIGSTOP)
    stack.down()
    assert stack.processes_left() == []
    monkeypatch.undo()
    stack.up(["lake"])
    assert stack.health(["lake"]) == {"lake": health.HEALTHY}


def test_children_that_left_their_group_are_stopped_too(stack: Stack):
    stack.up(["lake"])
    env = os.environ | {"MLOPS_INSTANCE": stack.layout.instance}
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env=env, start_new_session=True)
    stack.down()
    assert child.wait(timeout=60) == -signal.SIGTERM


def test_another_program_on_the_port_is_avoided_and_named(stack: Stack):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        said: list[str] = []
        taken_stack = Stack(stack.layout.local, settings={"ONTAP_MLOPS_PORT_LAKE": str(taken)})
        taken_stack.up(["lake"], say=said.append)
    lake = taken_stack.ports["lake"]
    assert lake != taken
    assert f"Port {taken} is taken by another program; lake listens on {lake} instead." in said


def test_a_service_that_cannot_start_is_named_with_the_end_of_its_log(stack: Stack, monkeypatch: pytest.MonkeyPatch):
    stack.layout.make()
    stack.layout.lake.rmdir()
    stack.layout.lake.write_text("a file where the folder of buckets should be")
    monkeypatch.setattr(type(stack.layout), "make", lambda self: None)
    with pytest.raises(SystemExit, match=r"(?s)lake did not start; its log .*lake\.log ends with:\n.*Error"):
        stack.up(["lake"])


def test_two_sets_of_services_run_beside_each_other(stack: Stack, tmp_path: Path):
    other = Stack(tmp_path / "other")
    stack.up(["lake"])
    other.up(["lake"], say=lambda sentence: None)
    try:
        assert stack.ports["lake"] != other.ports["lake"]
        other.down()
        assert stack.health(["lake"]) == {"lake": health.HEALTHY}, "stopping one does not touch the other"
    finally:
        other.down()


def test_a_long_path_is_no_obstacle(tmp_path: Path):
    stack = Stack(tmp_path / ("a" * 60) / ("b" * 60))
    stack.up(["lake"])
    stack.down()
    assert stack.processes_left() == []


def test_whatever_a_folder_is_called_services_start_in_it(tmp_path: Path):
    names = ["small disk 100%", "%(here)s %41 #1 ;2 é", 'it\'s "the" $HOME `id` & co', "-c ~ {x} [y] ?z=1", "日本 語"]
    stack = Stack(tmp_path.joinpath(*names) / "local")
    try:
        stack.up(["ontap", "lake"])
        assert stack.health(["ontap", "lake"]) == {"ontap": health.HEALTHY, "lake": health.HEALTHY}
        assert stack.layout.log("lake").exists()
        beside = [[p.name for p in folder.iterdir()] for folder in (tmp_path, *map(tmp_path.joinpath, names[:1]))]
        assert beside == [names[:1], names[1:2]], "nothing was written beside it"
    finally:
        stack.down()
    assert stack.processes_left() == []


def test_mlflow_is_found_by_a_path_without_a_percent_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It puts the folder it is installed in into a configuration where the sign begins a placeholder."""
    (tmp_path / "100% of it").mkdir()
    (tmp_path / "100% of it" / ".venv").symlink_to(sys.prefix)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    assert environment.plain_python() == sys.executable, "the usual path is taken as it is"
    monkeypatch.setattr("sys.prefix", str(tmp_path / "100% of it" / ".venv"))
    monkeypatch.setattr("sys.executable", str(tmp_path / "100% of it" / ".venv" / "bin" / "python"))
    for _ in range(2):
        command = [
            environment.plain_python(),
            "-c",
            "from importlib.util import find_spec as f; print(f('mlflow').origin)",
        ]
        origin = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        assert "%" not in origin and Path(origin).exists()


@pytest.mark.parametrize("name", ["plain", "a b", "100%41", "#x ;y", "is it? a=b&c", "it's", "é"])
def test_a_database_is_made_where_its_address_says(name: str, tmp_path: Path):
    from sqlalchemy import create_engine

    file = tmp_path / name / "a.db"
    file.parent.mkdir()
    with create_engine(layout.sqlite_url(file, timeout="60")).connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
    assert file.exists()


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=/a b/c", "/a b/c"),
        ('A="/a b/c"', "/a b/c"),
        ("A='/it''s'", "/it''s"),
        ("A=/the boss'", "/the boss'"),
        ("A=/x#y=100%", "/x#y=100%"),
    ],
)
def test_a_value_of_the_users_settings_is_taken_as_it_is_written(line: str, value: str, tmp_path: Path):
    (tmp_path / ".env").write_text(f"# a remark\n{line}\n")
    assert layout.dotenv(tmp_path / ".env") == {"A": value}


def test_no_secret_can_be_read_by_others(running: Stack):
    running.env()
    assert running.layout.local.stat().st_mode & 0o077 == 0
    files = list((running.layout.local / "secrets").iterdir())
    assert len(files) >= 5 and all(f.stat().st_mode & 0o777 == 0o600 for f in files)
    written = [running.supervisor.config, running.layout.log("lake"), running.layout.local / "ports.json"]
    values = [f.read_text() for f in files]
    assert not [path for path in written if any(value in path.read_text() for value in values)]


def test_full_disk_is_told_before_anything_starts(stack: Stack, monkeypatch: pytest.MonkeyPatch):
    usage = type("Usage", (), {"free": 2**30})
    monkeypatch.setattr("scripts.services.shutil.disk_usage", lambda path: usage)
    with pytest.raises(SystemExit, match=r"has 1\.0 GiB free and the services need 2; make room first\."):
        stack.up(["lake"])
    assert not stack.layout.local.exists()


def test_up_tells_address_user_and_where_the_password_is(running: Stack, capsys: pytest.CaptureFixture[str]):
    stack_up = Stack(running.layout.local)
    stack_up.up = lambda **_: None  # type: ignore[method-assign]
    assert up(stack_up) == 0
    said = capsys.readouterr().out
    assert running.urls["airflow"] in said and str(running.password_file) in said
    assert secrets.get(running.layout, secrets.AIRFLOW_ADMIN) not in said


def test_status_shows_each_program_and_what_is_wrong(stack: Stack, running: Stack, capsys: pytest.CaptureFixture[str]):
    capsys.readouterr()
    assert status(stack) == 1
    assert "`make up` starts them" in capsys.readouterr().out
    assert status(running) == 1, "only some of the services run"
    table = capsys.readouterr().out.splitlines()
    assert any(line.startswith("lake ") and line.endswith("healthy") for line in table)
    assert any(line.startswith("mlflow ") and "MISSING" in line for line in table)


def test_stopping_twice_is_no_error(stack: Stack, capsys: pytest.CaptureFixture[str]):
    stack.up(["lake"])
    assert down(stack) == 0 and down(stack) == 0
    assert "No service was running" in capsys.readouterr().out


def test_clean_stops_and_removes_everything(stack: Stack, monkeypatch: pytest.MonkeyPatch):
    stack.up(["lake"])
    snapshot = stack.layout.ontap / "volumes" / "a" / ".snapshot"
    snapshot.mkdir(parents=True)
    (snapshot / "image.png").touch()
    snapshot.chmod(0o500)
    monkeypatch.setenv("YES", "1")
    instance = stack.layout.instance
    assert clean(stack) == 0
    assert not stack.layout.local.exists()
    assert not [p for p in Path("/proc").iterdir() if p.name.isdigit() and _marked(p, instance)]


@pytest.mark.parametrize(("typed", "terminal"), [("", False), ("y\n", False), ("n\n", True), ("\n", True)])
def test_clean_without_a_yes_says_what_there_is_and_removes_nothing(
    typed: str, terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    stack = Stack(tmp_path / "local")
    stack.layout.make()
    (stack.layout.model_repository / "tyre").mkdir(parents=True)
    stdin = io.StringIO(typed)
    monkeypatch.setattr(stdin, "isatty", lambda: terminal)
    monkeypatch.setattr("sys.stdin", stdin)
    monkeypatch.delenv("YES", raising=False)
    assert clean(stack) == 1
    said = capsys.readouterr().out
    assert "1 volumes, 1 deployed models, 0 runs of DAGs" in said and "Nothing was removed" in said
    assert ("YES=1" in said) == (not terminal)
    assert (stack.layout.model_repository / "tyre").exists()


def _marked(process: Path, instance: str) -> bool:
    try:
        return f"MLOPS_INSTANCE={instance}".encode() in (process / "environ").read_bytes()
    except OSError:
        return False


def test_clean_refuses_a_folder_that_is_not_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert clean(Stack(tmp_path)) == 1
    assert "remove it by hand" in capsys.readouterr().out
    assert (tmp_path / "thesis.txt").exists()


def test_an_unknown_service_is_told_with_the_known_ones(stack: Stack):
    with pytest.raises(
        SystemExit, match="No service is called minio; there are ontap, lake, mlflow, triton, ontap_remote, "
    ):
        stack.up(["minio"])


def test_settings_reach_airflow_and_are_kept(tmp_path: Path):
    stack = Stack(tmp_path / "local", settings={"AIRFLOW__CORE__PARALLELISM": "2"})
    stack.up(["lake"])
    stack.down()
    assert Stack(tmp_path / "local").env()["AIRFLOW__CORE__PARALLELISM"] == "2"


def test_the_callers_own_airflow_and_cloud_do_not_reach_the_services(stack: Stack, monkeypatch: pytest.MonkeyPatch):
    stack.layout.make()
    ports.choose(stack.layout, [])
    for name in ("AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW_CONN_MINE", "AWS_PROFILE", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "mine")
    assert "mine" not in stack.env().values()


def test_what_is_written_into_airflow_is_every_connection_but_the_provisioned_one(stack: Stack):
    stack.layout.make()
    ports.choose(stack.layout, [])
    given = environment.connections(stack.layout, stack.ports)
    services = {"ontap_default", "ontap_remote", "aws_default", "mlflow_default", "inference_default", "airflow_api"}
    services |= {"dialog_default", "calls_default", "documents_default"}
    assert set(given) == services
    assert given["ontap_default"]["extra"]["verify"] == str(stack.layout.ontap_ca)
    assert not [name for name in stack.env() if name.startswith("AIRFLOW_CONN_")], "it would win over the row"


def test_a_port_that_moves_restarts_the_program_that_writes_the_rows_and_no_task(stack: Stack):
    stack.layout.make()
    before, _ = ports.choose(stack.layout, [])
    after = before | {"ontap_s3": before["ontap_s3"] + 1}
    names = [p.name for p in catalog.SERVICES["airflow"].programs]
    digests = [{n: stack.supervisor._digest(catalog.program(n), each) for n in names} for each in (before, after)]
    assert {n for n in names if digests[0][n] != digests[1][n]} == {"airflow-api-server"}


def test_two_starts_at_once_end_with_one_set_of_services(stack: Stack):
    code = f"from scripts.services import Stack; Stack({str(stack.layout.local)!r}).up(['lake'])"
    starts = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in "ab"]
    assert [start.wait(timeout=120) for start in starts] == [0, 0], [start.communicate()[1] for start in starts]
    assert stack.health(["lake"]) == {"lake": health.HEALTHY}
    assert len(stack.processes_left()) == 2, "one supervisor and one lake"


@pytest.mark.skipif(not AS_A_USER, reason="this machine lets nobody make a user namespace")
def test_a_user_who_is_not_root_starts_and_stops_them(stack: Stack):
    code = (
        "import os; from scripts.services import Stack; assert os.getuid() == 1000; names = ['lake', 'ontap']; "
        f"stack = Stack({str(stack.layout.local)!r}); stack.up(names); print(stack.health(names)); "
        "stack.down(); print(stack.processes_left())"
    )
    command = [*AS_A_USER, sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    healthy, left = done.stdout.strip().splitlines()[-2:]
    assert (healthy.count(health.HEALTHY), left) == (2, "[]"), done.stdout
