"""The emulator's log as text and as JSON."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time

import pytest

from emulator import logs
from tests.conftest import REPOSITORY


def test_a_line_is_one_object_with_the_keys_of_airflows() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        record = logging.LogRecord("emulator.s3", logging.ERROR, "f", 1, "bucket %s\nis gone", ("b",), sys.exc_info())
    (line,) = logs.Lines().format(record).splitlines()
    told = json.loads(line)
    assert (told["level"], told["logger"], told["event"]) == ("error", "emulator.s3", "bucket b\nis gone")
    assert told["timestamp"].endswith("+00:00") and "ValueError: first\nsecond" in told["exception"]


def test_a_format_that_there_is_not_is_refused() -> None:
    with pytest.raises(SystemExit, match="ONTAP_MLOPS_LOG_FORMAT is 'xml'; give text or json"):
        logs.configure({logs.FORMAT: "xml"})


def test_every_line_of_a_started_emulator_is_json_and_none_has_its_password(tmp_path) -> None:
    password = "not-to-be-logged"
    environment = os.environ | {logs.FORMAT: "json", "ONTAP_EMULATOR_PASSWORD": password}
    command = [sys.executable, "-m", "emulator", "--root", str(tmp_path / "root"), "--port", "0"]
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "root" / "endpoint.json").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    told = [json.loads(line) for line in said.splitlines()]
    assert told and all({"timestamp", "level", "logger", "event"} <= line.keys() for line in told)
    assert password not in said
