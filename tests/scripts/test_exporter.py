"""What the exporter tells of workloads that run, have ended, or serve a Dask dashboard."""

from __future__ import annotations

import json
import socket
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ontap_mlops.compute.kinds.local import LocalRunner
from ontap_mlops.compute.workload import Workload
from scripts.exporter import dask_targets, workloads
from scripts.exporter.pages import server, token_in

RESULT = {"engine": "dask", "rows": 100, "metrics": {"auc": 0.75}, "note": "x", "list": [1]}


@pytest.fixture
def runner(tmp_path: Path) -> LocalRunner:
    return LocalRunner(folder=tmp_path / "workloads", working_directory=tmp_path, python=sys.executable, grace_s=1)


def start(runner: LocalRunner, name: str, program: str, **fields) -> None:
    (runner.working_directory / "program.py").write_text("import json, os, sys, time\n" + textwrap.dedent(program))
    runner.submit(Workload(name=name, program="program", **fields))


def wait(runner: LocalRunner, name: str) -> None:
    while runner.status(name).state.active:
        time.sleep(0.02)


def told(runner: LocalRunner) -> dict[tuple[str, str], list]:
    """Samples by metric and workload, as Prometheus' own parser reads them."""
    found: dict[tuple[str, str], list] = {}
    registry = CollectorRegistry()
    registry.register(workloads.WorkloadCollector(runner.folder))
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            key = (sample.name.removeprefix("ontap_mlops_workload_"), sample.labels["workload"])
            found.setdefault(key, []).append(sample)
    return found


def test_an_ended_workload_shows_state_seconds_and_every_number_of_its_result(runner):
    program = f"open(os.environ['RESULT_FILE'], 'w').write({json.dumps(json.dumps(RESULT))})"
    start(runner, "w1", program, labels={"engine": "dask"})
    wait(runner, "w1")
    found = told(runner)
    (state,) = found["state", "w1"]
    assert (state.labels["state"], state.labels["program"], state.labels["engine"]) == ("succeeded", "program", "dask")
    assert {s.labels["name"]: s.value for s in found["result", "w1"]} == {"rows": 100, "metrics.auc": 0.75}
    assert 0 < found["seconds", "w1"][0].value < 60


def test_a_running_workload_shows_how_far_it_is(runner):
    progress = {"what": 'Reading "x"', "unit": "rows", "done": 3, "total": 10, "at": 1.5}
    program = f"open(os.environ['PROGRESS_FILE'], 'w').write({json.dumps(json.dumps(progress))})\ntime.sleep(30)"
    start(runner, "w1", program)
    while not workloads.read(runner.folder / "w1" / "progress.json"):
        time.sleep(0.02)
    found = told(runner)
    assert found["state", "w1"][0].labels["state"] == "running"
    assert (found["progress_done", "w1"][0].value, found["progress_whole", "w1"][0].value) == (3, 10)
    assert found["progress_done", "w1"][0].labels["what"] == 'Reading "x"'
    runner.cancel("w1")
    assert ("progress_done", "w1") not in told(runner)


def test_a_workload_bears_the_labels_of_its_task_and_of_its_run(runner):
    run = {"schema": 1, "step": "train", "run": {"dag_id": "tyre_quality", "model": "tyre", "run_key": "r1"}}
    start(runner, "w1", "pass", run=run)
    start(runner, "w2", "pass", labels={"engine": "pandas", "n-trees": "5"})
    for name in ("w1", "w2"):
        wait(runner, name)
    found = told(runner)
    of_a_run, of_a_task = found["state", "w1"][0].labels, found["state", "w2"][0].labels
    assert (of_a_run["dag_id"], of_a_run["model"], of_a_run["step"]) == ("tyre_quality", "tyre", "train")
    assert (of_a_task["engine"], of_a_task["n_trees"]) == ("pandas", "5")
    assert (of_a_run["engine"], of_a_task["model"]) == ("", ""), "one metric's series all have the same labels"


def test_only_the_newest_workloads_are_shown(runner):
    for number in range(3):
        start(runner, f"w{number}", "pass")
        wait(runner, f"w{number}")
    assert [home.name for home in workloads.homes(runner.folder, newest=2)] == ["w1", "w2"]


def test_a_dask_cluster_of_a_program_becomes_targets(runner):
    program = """
        from distributed import LocalCluster
        if __name__ == "__main__":
            with LocalCluster(2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
                print("Dask: dashboard", cluster.dashboard_link, flush=True)
                time.sleep(60)
    """
    start(runner, "w1", program)
    while "dashboard" not in runner.logs("w1")[0]:
        assert runner.status("w1").state.active, runner.logs("w1")[0]
        time.sleep(0.1)
    scheduler, workers = dask_targets.targets(runner.folder)
    assert (scheduler["labels"]["component"], workers["labels"]["component"]) == ("scheduler", "worker")
    assert len(workers["targets"]) == 2
    for target in [*scheduler["targets"], *workers["targets"]]:
        assert b"dask_" in urlopen(f"http://{target}/metrics", timeout=60).read()
    runner.cancel("w1")
    assert dask_targets.targets(runner.folder) == []


def test_it_serves_metrics_and_targets_and_nothing_else(runner):
    with server(runner.folder, "127.0.0.1", 0) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        place = f"http://127.0.0.1:{serving.server_port}"
        assert b"# TYPE ontap_mlops_workload_state gauge" in urlopen(f"{place}/metrics").read()
        assert json.load(urlopen(f"{place}/targets")) == []
        with pytest.raises(OSError, match="404"):
            urlopen(f"{place}/etc/passwd")
        serving.shutdown()


def test_with_a_token_only_health_is_told_to_whoever_asks(runner):
    token = "t" * 16
    with server(runner.folder, "127.0.0.1", 0, token=token) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        place = f"http://127.0.0.1:{serving.server_port}"
        assert urlopen(f"{place}/health").status == 200
        for page in ("metrics", "targets", "else"):
            for sent in ({}, {"Authorization": "Bearer x"}, {"Authorization": token}, {"Authorization": "Bearer \xff"}):
                with pytest.raises(OSError, match="401"):
                    urlopen(Request(f"{place}/{page}", headers=sent))
        told = urlopen(Request(f"{place}/metrics", headers={"Authorization": f"Bearer {token}"}))
        assert b"ontap_mlops_workload_state" in told.read()
        serving.shutdown()


def test_other_machines_are_not_served_without_a_token(runner, tmp_path):
    with pytest.raises(SystemExit, match="listen on 0.0.0.0, where other machines reach it, without a token"):
        server(runner.folder, "0.0.0.0", 0)
    with pytest.raises(SystemExit, match="cannot be read"):
        token_in(tmp_path / "nowhere")
    (tmp_path / "token").write_text("short\n")
    with pytest.raises(SystemExit, match="shorter than 16"):
        token_in(tmp_path / "token")
    (tmp_path / "token").write_text("0123456789abcdef\n")
    assert token_in(tmp_path / "token") == "0123456789abcdef"
    with server(runner.folder, "0.0.0.0", 0, token=token_in(tmp_path / "token")) as serving:
        assert serving.server_port


printable = st.text(st.characters(codec="latin-1", exclude_characters="\r\n "), min_size=1, max_size=40)
odd = st.sampled_from(
    ["/metrics?name[]=²", "/metrics?name[]=%ff", "/targets/../..", "//", "*", "http://[", "/%00", "/\xff"]
)
heads = st.lists(
    st.tuples(printable, st.sampled_from(["Accept", "Accept-Encoding", "Content-Length", "Host"])), max_size=3
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> Iterator[int]:
    """Port of an exporter of no workloads."""
    with server(tmp_path_factory.mktemp("workloads"), "127.0.0.1", 0) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield serving.server_port
        serving.shutdown()


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(method=st.sampled_from(["GET", "HEAD", "POST", "DELETE", "X"]), path=odd | printable, head=heads)
def test_whatever_is_asked_it_neither_fails_nor_hangs(pages, method, path, head):
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for value, name in head), "Connection: close", "", ""]
    with socket.create_connection(("127.0.0.1", pages), timeout=60) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1."), answer
    assert answer.split()[1][:1] in (b"2", b"3", b"4"), answer[:300]
    assert urlopen(f"http://127.0.0.1:{pages}/targets", timeout=60).status == 200
