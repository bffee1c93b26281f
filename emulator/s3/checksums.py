"""The checksums an SDK may send along with an object: `x-amz-checksum-<name>`, base64 of the big-endian digest."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from emulator.s3 import errors

PREFIX = "x-amz-checksum-"


class Checksum(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class TableCrc:
    """A reflected CRC computed byte by byte: slow (some MB/s), for the two that Python has no C code for."""

    def __init__(self, polynomial: int, bits: int) -> None:
        self._table = _crc_table(polynomial)
        self._mask = (1 << bits) - 1
        self._bits = bits
        self._value = self._mask

    def update(self, data: bytes, /) -> None:
        value, table = self._value, self._table
        for byte in data:
            value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
        self._value = value

    def digest(self) -> bytes:
        return (self._value ^ self._mask).to_bytes(self._bits // 8, "big")


@lru_cache
def _crc_table(polynomial: int) -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (polynomial if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_KINDS: dict[str, Callable[[], Checksum]] = {
    "crc32": Crc32,
    "crc32c": lambda: TableCrc(0x82F63B78, 32),
    "crc64nvme": lambda: TableCrc(0x9A6C9329AC4BC9B5, 64),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
}


def is_slow(name: str) -> bool:
    return name in ("crc32c", "crc64nvme")


def new(name: str) -> Checksum:
    """`name` is what follows x-amz-checksum-, in lower case."""
    if name not in _KINDS:
        raise errors.S3Error(
            "InvalidRequest", f"The checksum {name!r} is not known; use one of {', '.join(sorted(_KINDS))}."
        )
    return _KINDS[name]()


def sent(headers: dict[str, str]) -> dict[str, str]:
    """Checksums given in headers or trailers, by name; words about them (algorithm, type, mode) are not values."""
    found = {name[len(PREFIX) :]: value for name, value in headers.items() if name.startswith(PREFIX)}
    return {name: value for name, value in found.items() if name not in ("algorithm", "type", "mode")}


def headers(found: dict[str, str], kind: str) -> dict[str, str]:
    """Known checksums as answer headers."""
    if not found:
        return {}
    return {PREFIX + name: value for name, value in found.items()} | {f"{PREFIX}type": kind}


def of_file(name: str, path: str) -> str:
    """The base64 of a whole file's checksum, which reads it: call it in a thread."""
    checksum = new(name)
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            checksum.update(block)
    return encoded(checksum)


def composite(name: str, parts: list[str]) -> str:
    """The checksum of the parts' checksums (in base64), in the order of the parts."""
    checksum = new(name)
    for part in parts:
        checksum.update(base64.b64decode(part))
    return f"{encoded(checksum)}-{len(parts)}"


def encoded(checksum: Checksum) -> str:
    return base64.b64encode(checksum.digest()).decode()


def check(name: str, checksum: Checksum, expected: str) -> None:
    computed = encoded(checksum)
    if computed != expected:
        raise errors.S3Error(
            "BadDigest", f"The {name.upper()} sent ({expected}) does not match the content received ({computed})."
        )
