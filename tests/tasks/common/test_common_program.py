from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tasks.common import program, result
from tasks.common.program import BadInput, Stopped, TryAgain, stop_deferred


def failing(error: BaseException):
    def main() -> None:
        raise error

    return main


def test_done_is_0_and_leaves_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RESULT_FILE", str(tmp_path / "made" / "result.json"))
    assert program.exit_code(lambda: {"rows": 3}) == 0
    assert json.loads((tmp_path / "made" / "result.json").read_text()) == {"rows": 3}
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["result.json"]


def test_without_a_result_file_nothing_is_written(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RESULT_FILE", raising=False)
    assert program.exit_code(lambda: {"rows": 3}) == 0


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (BadInput("No images\n   here."), 2, "No images here."),
        (TryAgain("S3 is down."), 1, "S3 is down."),
        (OSError(errno.ENOSPC, "full", "/ws/model"), 1, "The disk is full while writing /ws/model; make room"),
        (Stopped(), 143, "Stopped by SIGTERM"),
    ],
)
def test_each_end_has_its_code_and_one_last_sentence(error, code, sentence, capsys: pytest.CaptureFixture[str]):
    assert program.exit_code(failing(error)) == code
    assert capsys.readouterr().err.splitlines()[-1].startswith(sentence)


def test_an_unknown_error_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        program.exit_code(lambda: {"x": 1 / 0})


def test_a_result_of_4_kb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RESULT_FILE", str(tmp_path / "result.json"))
    with pytest.raises(ValueError, match="must stay under 4096"):
        result.write_result({"text": "x" * 4096})
    assert not (tmp_path / "result.json").exists()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def crash(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        result.write_whole(path, b"new")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"old"]


def test_sigterm_in_a_deferred_block_takes_effect_at_its_end():
    steps = []

    def main() -> None:
        with stop_deferred():
            with stop_deferred():
                os.kill(os.getpid(), signal.SIGTERM)
                steps.append("inner")
            steps.append("outer")
        steps.append("never")

    assert program.exit_code(main) == 143
    assert steps == ["inner", "outer"]
    with stop_deferred():
        steps.append("of whoever called it")
    assert steps[-1] == "of whoever called it", "a program that was stopped stops nothing else of its process"


def test_an_ordinary_handler_does_not_swallow_sigterm():
    def main() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        except Exception:
            pytest.fail("Stopped was taken for an error")

    assert program.exit_code(main) == 143


def test_a_real_process_ends_with_143():
    script = """
        import time
        from tasks.common import program
        def main():
            print("ready", flush=True)
            time.sleep(60)
        program.run(main)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.wait(90) == 143
    process.stdout.close()


@pytest.mark.parametrize("code", [errno.EBUSY, errno.EPERM])
def test_a_result_file_that_nothing_can_be_renamed_over_is_written_in_place(tmp_path, monkeypatch, code):
    """A pod's termination message is a mount of root's."""
    file = tmp_path / "result.json"
    file.touch()
    monkeypatch.setenv("RESULT_FILE", str(file))

    def refuse(self: Path, target: Path) -> None:
        raise OSError(code, "not over that")

    monkeypatch.setattr(Path, "replace", refuse)
    result.write_result({"a": 1})
    assert json.loads(file.read_text()) == {"a": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["result.json"]
    file.unlink()
    with pytest.raises(OSError, match="not over that"):
        result.write_result({"a": 1})
