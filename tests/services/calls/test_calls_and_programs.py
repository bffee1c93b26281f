"""The programs of calls and the call service as they meet: over HTTP, through retries and a server that is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from calling import MINE, TOKEN, Served, call, sentence

from tasks.calls.corrections import corrections
from tasks.calls.tables import ServiceTable
from tasks.common.program import BadInput
from tasks.common.service import Service
from tests.conftest import REPOSITORY
from tests.until import until

SENTENCES = [sentence(), sentence("agent", 0, "I see", "neutral"), sentence(index=1, text="Thank you")]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(f"sqlite:///{tmp_path / 'calls.db'}")
    served.start()
    yield served
    served.stop()


def service(url: str, token: str = TOKEN) -> Service:
    return Service("the call service", url.rstrip("/"), token)


def test_a_scored_call_is_kept_once_and_known_as_finished(served: Served):
    table, facts = ServiceTable(service(served.url)), call()
    assert not table.is_finished("c1", facts["source"])
    for _ in range(2):
        table.put("c1", facts, SENTENCES)
        assert table.is_finished("c1", facts["source"])
    assert len(httpx.get(f"{served.url}api/calls/c1", trust_env=False).json()["sentences"]) == 3
    with pytest.raises(BadInput, match="give it another id"):
        table.is_finished("c1", {**facts["source"], "file": "other.wav"})
    with pytest.raises(BadInput, match="does not take the token"):
        ServiceTable(service(served.url, "another")).put("c2", facts, SENTENCES)


def test_corrections_come_to_the_training_with_their_times(served: Served):
    ServiceTable(service(served.url)).put("c1", call(), SENTENCES)
    path = f"{served.url}api/calls/c1/sentences/caller/1/correction"
    for by, sentiment in (("Grace", "neutral"), ("Alan", "positive")):
        assert httpx.put(path, json={"sentiment": sentiment, "by": by}, trust_env=False).is_success
    (found,) = corrections(service(served.url))
    assert (found["call"], found["side"], found["text"], found["sentiment"]) == (
        "c1",
        "caller",
        "Thank you",
        "positive",
    )
    assert (found["start"], found["end"], found["by"]) == (2.0, 3.5, "Alan")


@pytest.mark.triton  # starts the program twice
def test_a_server_that_is_killed_in_the_middle_of_writing_has_all_that_it_acknowledged(tmp_path: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "services.calls.serve", "--port", str(port)]
    command += ["--database", f"sqlite:///{tmp_path / 'calls.db'}"]

    def healthy() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{url}/health", trust_env=False).is_success
        return False

    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=os.environ | {"CALLS_TOKEN": TOKEN})
        until(healthy, every_s=0.05)
        return process

    acknowledged = []
    process = start()
    try:
        with httpx.Client(base_url=url, headers=MINE, timeout=60, trust_env=False) as client:
            assert client.put("/api/calls/c1", json=call()).is_success
            with contextlib.suppress(httpx.HTTPError):
                for index in range(1000):
                    if index == 20:
                        os.kill(process.pid, signal.SIGKILL)
                    if client.put("/api/calls/c1/sentences", json={"sentences": [sentence(index=index)]}).is_success:
                        acknowledged.append(index)
        process.wait()
        process = start()
        there = httpx.get(f"{url}/api/calls/c1", trust_env=False).json()["sentences"]
        assert len(acknowledged) >= 20 and {one["index"] for one in there} >= set(acknowledged)
        table = ServiceTable(service(url))
        table.put("c1", call(), [sentence(index=index) for index in range(len(there))])
        assert table.is_finished("c1", call()["source"]), "sent again, it is whole"
    finally:
        process.kill()
        process.wait()
