"""Slurm's commands on another host, over a real SSH server of our own on loopback, through an Airflow connection."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ontap_mlops.compute.workload import PlaceRefused, PlaceUnavailable, State
from ontap_mlops.slurm import command
from scripts.equipment import slurm_cluster, ssh_server
from scripts.equipment.ssh_server import SshServer, make_key
from tests.slurm.conftest import Site, ended, wait_until

CONNECTION = "login_node"


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    reason = ssh_server.unavailable()
    if reason:
        pytest.skip(reason)
    if slurm_cluster.processes.program("sshd") is None:
        slurm_cluster.install(ssh_server.PACKAGES)
    made = SshServer(Path(tempfile.mkdtemp(prefix="mlops-sshd-")), slurm_cluster.free_ports(1))
    made.up()
    yield made
    made.down()
    shutil.rmtree(made.folder)


def connect(monkeypatch: pytest.MonkeyPatch, server: SshServer, **extra: str) -> None:
    values = {
        "conn_type": "ssh",
        "host": "127.0.0.1",
        "port": server.port,
        "login": server.user,
        "extra": {
            "key_file": str(server.user_key),
            "host_key": server.host_key,
            "no_host_key_check": "false",
            "look_for_keys": "false",
            **extra,
        },
    }
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(values))
    command.forget(CONNECTION)


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, server: SshServer) -> Iterator[None]:
    connect(monkeypatch, server)
    yield
    server.admit(server.user_key)
    command.forget(CONNECTION)


def test_a_program_runs_from_submission_to_result_over_ssh(site: Site):
    runner = site.runner(connection=CONNECTION)
    workload = site.workload("say=grüße", "tell=TOKEN", secrets={"TOKEN": "a'b c"})
    runner.submit(workload)
    runner.submit(workload)
    assert ended(runner, workload.name).state is State.SUCCEEDED
    assert runner.logs(workload.name)[0] == "grüße\n"
    assert runner.result(workload.name)["TOKEN"] == "a'b c"
    runner.remove(workload.name)
    assert runner.status(workload.name).state is State.MISSING


def test_a_large_result_and_a_long_log_come_whole(site: Site):
    runner = site.runner(connection=CONNECTION)
    workload = site.workload(f"say={'x' * 100_000}", *(["say=" + "y" * 60_000] * 20))
    runner.submit(workload)
    assert ended(runner, workload.name).state is State.SUCCEEDED
    text, cursor = runner.logs(workload.name)
    rest, _ = runner.logs(workload.name, cursor)
    assert len(text) == 1 << 20 and len(text + rest) == 100_001 + 20 * 60_001


def test_a_connection_that_was_cut_is_made_again(site: Site, server: SshServer):
    runner = site.runner(connection=CONNECTION)
    workload = site.workload("say=up", "sleep=30")
    runner.submit(workload)
    client = next(client for (_, name), (_, client) in command._clients.items() if name == CONNECTION)
    client.get_transport().close()
    wait_until(lambda: "up" in runner.logs(workload.name)[0])
    runner.cancel(workload.name)
    assert runner.status(workload.name).state is State.CANCELLED


def test_a_key_that_is_no_longer_accepted_is_refused_in_one_sentence(site: Site, server: SshServer):
    server.admit(None)
    with pytest.raises(
        PlaceRefused, match="does not accept its key or password .*renew it in the connection"
    ) as caught:
        site.runner(connection=CONNECTION).submit(site.workload("say=never"))
    assert "\n" not in str(caught.value)


def test_another_host_that_answers_in_its_place_is_refused(site: Site, server: SshServer, tmp_path: Path, monkeypatch):
    make_key(tmp_path / "other")
    other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    connect(monkeypatch, dataclasses.replace(server), host_key=other)
    with pytest.raises(PlaceRefused, match="the host shows another key than the one known for it"):
        site.runner(connection=CONNECTION).status("job-1")


def test_a_host_that_does_not_answer_is_temporary(site: Site, server: SshServer, monkeypatch):
    connect(monkeypatch, dataclasses.replace(server, port=slurm_cluster.free_ports(1)), timeout="2")
    with pytest.raises(PlaceUnavailable, match="connection 'login_node': the host does not answer"):
        site.runner(connection=CONNECTION).submit(site.workload("say=never"))


def test_a_relative_folder_is_refused_since_it_would_be_this_hosts(site: Site):
    with pytest.raises(PlaceRefused, match="'jobs' is a folder of another host; give its whole path"):
        site.runner(connection=CONNECTION, folder="jobs")
