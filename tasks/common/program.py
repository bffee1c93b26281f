"""The frame around every program: exit codes, SIGTERM, the result file."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from tasks.common.result import write_result

FAILED = 1
BAD_INPUT = 2
STOPPED = 128 + signal.SIGTERM


class BadInput(Exception):
    """What no retry can mend; its text is the one sentence the user reads."""


class TryAgain(Exception):
    """What another try may mend, such as a server that is down; its text is the one sentence the user reads."""


class Stopped(BaseException):
    """SIGTERM arrived. Not an Exception, so that no handler of ordinary errors swallows it."""


class _Stop:
    """Whether SIGTERM arrived, and how many blocks deep its effect is put off."""

    requested = False
    deferred = 0


def run(main: Callable[[], Mapping[str, Any] | None]) -> NoReturn:
    """Call ``main``, write what it returns to RESULT_FILE, and end the process with the contract's exit code."""
    sys.exit(exit_code(main))


def exit_code(main: Callable[[], Mapping[str, Any] | None]) -> int:
    """0 done; 2 bad input, the sentence being the last line on stderr; 143 stopped. Other errors pass through."""
    _Stop.requested, _Stop.deferred = False, 0
    before = signal.signal(signal.SIGTERM, _on_sigterm)
    try:
        result = main()
        with stop_deferred():
            write_result(result or {})
        return 0
    except BadInput as error:
        _say_last(error)
        return BAD_INPUT
    except TryAgain as error:
        _say_last(error)
        return FAILED
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f" while writing {error.filename}" if error.filename else ""
        print(f"The disk is full{where}; make room and run it again.", file=sys.stderr, flush=True)
        return FAILED
    except Stopped:
        print("Stopped by SIGTERM; run it again with the same output to go on.", file=sys.stderr, flush=True)
        return STOPPED
    finally:
        signal.signal(signal.SIGTERM, before)
        # Whoever called this may go on with other work in the same process.
        _Stop.requested, _Stop.deferred = False, 0


@contextmanager
def stop_deferred() -> Iterator[None]:
    """SIGTERM inside this block raises Stopped at its end: for steps that must be done whole or not at all."""
    _Stop.deferred += 1
    try:
        yield
    finally:
        _Stop.deferred -= 1
    if _Stop.requested and not _Stop.deferred:
        raise Stopped


def stop_requested() -> bool:
    """Whether SIGTERM has arrived: for a block that puts it off and ends by itself."""
    return _Stop.requested


def _say_last(error: Exception) -> None:
    """The sentence as the last line, and where torchrun looks for it that started this as one of several processes."""
    sentence = " ".join(str(error).split())
    print(sentence, file=sys.stderr, flush=True)
    if name := os.environ.get("TORCHELASTIC_ERROR_FILE"):
        with contextlib.suppress(OSError):
            told = {"message": sentence, "timestamp": int(time.time())}
            Path(name).write_text(json.dumps(told))


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    _Stop.requested = True
    if not _Stop.deferred:
        raise Stopped
