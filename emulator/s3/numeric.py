"""Numbers that a client wrote: `int` takes signs, blanks, underscores and the digits of any script; S3 does not."""

from __future__ import annotations

import re

from emulator.s3 import errors

_DECIMAL = re.compile(r"[0-9]{1,19}")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{1,16}")


def decimal(text: str, what: str, *, least: int = 0, most: int = 2**63 - 1, code: str = "InvalidArgument") -> int:
    """A whole number of ASCII digits between two bounds; raises S3Error `code` naming `what` for anything else."""
    if not _DECIMAL.fullmatch(text) or not least <= int(text) <= most:
        raise errors.S3Error(code, f"{what} must be a whole number from {least} to {most}, not {shortened(text)!r}.")
    return int(text)


def hexadecimal(text: str, what: str, *, code: str = "InvalidRequest") -> int:
    if not _HEXADECIMAL.fullmatch(text):
        raise errors.S3Error(code, f"{what} must be a number of hexadecimal digits, not {shortened(text)!r}.")
    return int(text, 16)


def shortened(text: str) -> str:
    """As much of what a client sent as an error message can carry."""
    return text if len(text) <= 64 else text[:61] + "..."
