"""XCP: copied, cut short and resumed, synced, compared; its summary read; what is missing said in a sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops import assets
from ontap_mlops.operators.xcp import XcpCopyOperator, XcpResumeOperator, XcpSyncOperator, XcpVerifyOperator
from tasks.common.program import BadInput, TryAgain
from tasks.data import xcp
from tests.conftest import REPOSITORY
from tests.until import until

COMMAND = Path(__file__).with_name("xcp_command")
VERIFIED = """56,030 scanned, 14,623 indexed, 33,338 found, 27,624 compared, 27,624 same data, 1.31 GiB in
(101 MiB/s), 15.9 MiB out (1.07 MiB/s), 15s
Xcp command : xcp verify <IP address of NFS server>:/source_vol <IP address of destination NFS
server>:/dest_vol
134,630 scanned, 0 matched, 100% found (121,150 have data), 100% verified (data, attrs, mods), 0
different item, 0 error
Speed : 4.95 GiB in (86.4 MiB/s), 69.2 MiB out (1.18 MiB/s)
Total Time : 58s.
STATUS : PASSED
"""
RESUMED = """Xcp command : xcp resume -id ID001
134,630 scanned*, 134,630 copied*, 0 modification, 0 new item, 0 delete item, 0 error
Speed : 2.40 GiB in (19.7 MiB/s), 2.37 GiB out (19.5 MiB/s)
Total Time : 2m4s.
STATUS : PASSED
"""


class Ends:
    """Two folders, and a catalogue."""

    def __init__(self, folder: Path) -> None:
        self.source, self.target, self.state = folder / "source", folder / "target", folder / "state"
        self.target.mkdir()
        self.state.mkdir()
        (self.state / "license").write_text("ACTIVE")
        for number in range(5):
            path = self.source / f"d{number % 2}" / f"{number}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(1024))

    def run(self, verb: str, **given: Any) -> dict[str, Any]:
        both = {"source": f"file://{self.source}", "destination": f"file://{self.target}"}
        named = {"id": "tyre"} if verb != "verify" else {}
        wanted = {**(both if verb in ("copy", "verify") else {}), **named, **given}
        return xcp.work(xcp.parse([verb, *(f"--{name}={value}" for name, value in wanted.items())]))

    def recorded(self) -> int:
        """How many files the catalogue has as copied."""
        try:
            return len(json.loads((self.state / "tyre.json").read_text())["files"])
        except (OSError, ValueError):  # not there yet, or being written
            return 0

    def equal(self) -> bool:
        files = [path for path in self.source.rglob("*") if path.is_file()]
        return all((self.target / p.relative_to(self.source)).read_bytes() == p.read_bytes() for p in files)


@pytest.fixture
def ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ends:
    made = Ends(tmp_path)
    monkeypatch.setenv("PATH", f"{COMMAND}:{os.environ['PATH']}")
    monkeypatch.setenv("XCP_STATE", str(made.state))
    return made


def test_a_copy_is_told_by_numbers(ends: Ends) -> None:
    told = ends.run("copy")
    assert told == {
        "verb": "copy",
        "id": "tyre",
        "scanned": 5,
        "matched": 0,
        "copied": 5,
        "errors": 0,
        "bytes_in": 5120,
        "bytes_out": 5120,
        "seconds": 62.0,
    }
    assert ends.equal()


def test_a_copy_that_was_cut_short_goes_on_from_there(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as cut:
        cut.setenv("XCP_CUT", "2")
        with pytest.raises(TryAgain, match=r"xcp copy of .* did not pass: .*goes on from there"):
            ends.run("copy")
    assert ends.run("copy")["copied"] == 3
    assert ends.equal()


def test_a_copy_done_again_copies_what_has_changed(ends: Ends) -> None:
    ends.run("copy")
    (ends.source / "d0" / "0.bin").write_bytes(b"changed")
    (ends.source / "new.bin").write_bytes(b"new")
    told = ends.run("copy")
    assert (told["copied"], told["modified"], told["new"]) == (2, 1, 1)
    assert ends.run("sync")["copied"] == 0
    assert ends.equal()


def test_resume_by_id(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as cut:
        cut.setenv("XCP_CUT", "4")
        with pytest.raises(TryAgain):
            ends.run("copy")
    assert ends.run("resume")["copied"] == 1


def test_a_verify_of_two_that_differ_is_final(ends: Ends) -> None:
    ends.run("copy")
    assert ends.run("verify")["scanned"] == 5
    (ends.target / "d0" / "0.bin").write_bytes(b"changed")
    with pytest.raises(BadInput, match=r"source and .*target are not the same: 1 items differ"):
        ends.run("verify")
    (ends.target / "d1" / "1.bin").unlink()
    with pytest.raises(BadInput, match="80 % of the files were found"):
        ends.run("verify")


@pytest.mark.parametrize(
    ("licence", "said"), [(None, "not found"), ("EXPIRED", "License status: EXPIRED"), ("INACTIVE", "xcp activate")]
)
def test_without_a_licence_nothing_is_copied(ends: Ends, licence: str | None, said: str) -> None:
    (ends.state / "license").unlink()
    if licence:
        (ends.state / "license").write_text(licence)
    with pytest.raises(BadInput, match=f"XCP has no active licence here .*{said}"):
        ends.run("copy")
    assert list(ends.target.iterdir()) == []


def test_without_the_command_it_says_where_to_install_it(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(ends.state))
    with pytest.raises(BadInput, match="There is no command xcp on the PATH here. Install NetApp XCP"):
        ends.run("copy")


def test_an_unknown_source_or_id_is_final(ends: Ends) -> None:
    with pytest.raises(BadInput, match=r"mount 'file:///nowhere': No such file.*Check the paths"):
        ends.run("copy", source="file:///nowhere")
    with pytest.raises(BadInput, match=r"xcp sync of 'other' did not pass: .*not found"):
        ends.run("sync", id="other")


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [(["copy", "--id=x"], "--source and --destination"), (["sync"], "--id"), (["verify"], "--source")],
)
def test_what_a_verb_needs_is_asked_for(arguments: list[str], missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        xcp.parse(arguments)
    assert f"needs {missing}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (VERIFIED, {"scanned": 134630, "different": 0, "errors": 0, "bytes_in": 5315022029, "seconds": 58.0}),
        (RESUMED, {"scanned": 134630, "copied": 134630, "deleted": 0, "bytes_out": 2544768123, "seconds": 124.0}),
    ],
)
def test_the_lines_that_netapp_documents_are_understood(text: str, counts: dict[str, Any]) -> None:
    found = xcp.summary(text)
    assert {name: found.get(name) for name in counts} == counts


def test_a_stopped_program_stops_xcp_and_the_next_goes_on(ends: Ends) -> None:
    command = [sys.executable, "-m", "tasks.data.xcp", "copy", f"--source=file://{ends.source}", "--id=tyre"]
    environment = {**os.environ, "XCP_SLOW": "0.5", "RESULT_FILE": str(ends.state / "result")}
    process = subprocess.Popen([*command, f"--destination=file://{ends.target}"], cwd=REPOSITORY, env=environment)
    until(ends.recorded, "xcp copies nothing")
    process.send_signal(signal.SIGTERM)
    assert process.wait(90) == 143
    left = 5 - ends.recorded()
    assert 0 < left < 5
    assert ends.run("copy")["copied"] == left
    assert ends.equal()


@pytest.fixture
def context() -> Any:
    return {
        "ti": SimpleNamespace(max_tries=3, map_index=-1, stats_tags={}, xcom_push=lambda key, value: None),
        "dag_run": SimpleNamespace(dag_id="d", run_id="manual", run_after=datetime(2026, 7, 1, tzinfo=UTC)),
        "task_state_store": None,
    }


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__WORKLOADS_DIR", str(tmp_path / "workloads"))
    text = (
        f"places:\n  local: {{kind: local, working_directory: {REPOSITORY}, namespace_roots: {{svm1: {tmp_path}}}}}\n"
    )
    (tmp_path / "compute.yaml").write_text(text)


def test_the_operators_run_it_as_workloads(ends: Ends, place: None, context: Any) -> None:
    mounts = {name: {"svm": "svm1", "junction_path": f"/{name}"} for name in ("source", "target")}
    both = {"source": "file://{source}", "destination": "file://{target}", "mounts": mounts}

    def done(kind: Any, step: str, **given: Any) -> dict[str, Any]:
        made = kind(task_id=step, poll_interval_s=0.05, environment={"XCP_STATE": str(ends.state)}, **given)
        ExecutorSafeguard.tracker.set(made)
        return made.execute(context)

    told: list[Any] = []
    outlet = SimpleNamespace(add=lambda asset, *, extra: told.append(extra["transfer"]))
    context["outlet_events"] = {assets.MOVED: outlet}
    copied = done(XcpCopyOperator, "copy", **both, catalog_id="tyre", parallel=3)
    assert copied["copied"] == 5
    ((way, source, target, size),) = [(each["way"], each["source"], each["target"], each["bytes"]) for each in told]
    assert (way, source, target, size) == ("XCP", "svm1:source", "svm1:target", copied["bytes_out"])
    assert done(XcpSyncOperator, "sync", catalog_id="tyre")["copied"] == 0
    assert done(XcpVerifyOperator, "verify", **both)["scanned"] == 5
    with pytest.raises(AirflowFailException, match=r"cannot work with its input: xcp resume of 'other' did not pass"):
        done(XcpResumeOperator, "resume", catalog_id="other")
