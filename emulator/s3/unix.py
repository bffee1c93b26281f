"""The NAS side of a permission check: who an S3 user is on the file system, and what the volume's mode bits let him do.

The bits checked are those of the volume's top directory, so that a chmod through a mount counts like one through REST.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

READ, WRITE, SEARCH = 4, 2, 1

# The local UNIX users every SVM is born with.
BUILT_IN = {"root": (0, 1), "pcuser": (65534, 65534), "nobody": (65535, 65535)}
DEFAULT_USER = "pcuser"


@dataclass(frozen=True)
class UnixUser:
    name: str
    uid: int
    gid: int


def mapped(
    s3_user: str | None,
    *,
    mappings: Iterable[Mapping[str, Any]] = (),
    users: Mapping[str, tuple[int, int]] | None = None,
    default_user: str | None = None,
) -> UnixUser:
    """ONTAP's order: an s3_unix name mapping, the same name, the S3 server's default UNIX user, then pcuser.

    `users` adds local UNIX users (name to uid and gid) to the built-in ones. An unsigned client is nobody.
    """
    known = BUILT_IN | dict(users or {})
    if s3_user is None:
        return UnixUser("nobody", *known["nobody"])
    candidates = [_replacement(s3_user, mappings), s3_user, default_user, DEFAULT_USER]
    name = next(name for name in candidates if name and name in known)
    return UnixUser(name, *known[name])


def _replacement(s3_user: str, mappings: Iterable[Mapping[str, Any]]) -> str | None:
    ordered = sorted((m for m in mappings if m.get("direction") == "s3_unix"), key=lambda m: m.get("index", 0))
    for mapping in ordered:
        match = _match(mapping["pattern"], s3_user)
        if match:
            with contextlib.suppress(re.error, IndexError):  # a replacement by a group that the pattern has not
                return match.expand(mapping["replacement"])
    return None


def _match(pattern: str, s3_user: str) -> re.Match[str] | None:
    with contextlib.suppress(re.error):  # a pattern that is no expression maps nobody
        return re.fullmatch(pattern, s3_user)
    return None


@dataclass(frozen=True)
class Owner:
    mode: int
    uid: int
    gid: int


def owner(volume_root: str) -> Owner:
    info = os.stat(volume_root)  # noqa: PTH116 - once per request
    return Owner(info.st_mode & 0o777, info.st_uid, info.st_gid)


def may(user: UnixUser, top: Owner, wanted: int) -> bool:
    """`wanted` is a sum of READ, WRITE and SEARCH on the volume's directories and files."""
    if user.uid == 0:
        return True
    if user.uid == top.uid:
        bits = top.mode >> 6
    elif user.gid == top.gid:
        bits = top.mode >> 3
    else:
        bits = top.mode
    return bits & wanted == wanted
