"""Parts that become one object: which of them, whether they are whole, and what the whole is then known by."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.s3 import checksums, errors, incoming, numeric, xml
from emulator.s3.facts import FactStore
from emulator.s3.target import Target
from emulator.s3.uploads import Part

MIN_PART = 5 << 20  # all parts but the last
NAS_UNIT = 1 << 20  # on a NAS bucket parts are whole megabytes, all but the last

_BLOCK = 1 << 20
_FULL, _COMPOSITE = "FULL_OBJECT", "COMPOSITE"
_CRCS = ("crc32", "crc32c", "crc64nvme")  # a checksum of the whole can be had without reading it again


@dataclass(frozen=True)
class Wanted:
    """A part as CompleteMultipartUpload names it."""

    number: int
    etag: str
    checksums: Mapping[str, str]


@dataclass(frozen=True)
class Chosen:
    """A part that was uploaded and is asked for."""

    number: int
    md5: str
    path: Path
    size: int
    checksums: Mapping[str, str]


def checksum_wanted(headers: Mapping[str, str]) -> tuple[str, str]:
    """Algorithm and type that CreateMultipartUpload asks for; empty where it asks for none."""
    algorithm = headers.get("x-amz-checksum-algorithm", "").lower()
    kind = headers.get("x-amz-checksum-type", "").upper()
    if not algorithm:
        if kind:
            raise errors.S3Error("InvalidRequest", "x-amz-checksum-type needs x-amz-checksum-algorithm.")
        return "", ""
    checksums.new(algorithm)
    kind = kind or (_FULL if algorithm == "crc64nvme" else _COMPOSITE)
    having = {_FULL: _CRCS, _COMPOSITE: ("crc32", "crc32c", "sha1", "sha256")}
    if algorithm not in having.get(kind, ()):
        raise errors.S3Error("InvalidRequest", f"The checksum type {kind!r} is not one that {algorithm.upper()} has.")
    return algorithm, kind


def wanted_parts(body: bytes, most: int) -> list[Wanted]:
    tree = xml.parsed(body, "CompleteMultipartUpload")
    wanted = []
    for part in tree.findall("Part"):
        number = numeric.decimal((part.findtext("PartNumber") or "").strip(), "partNumber", least=1, most=most)
        sums = {
            child.tag.removeprefix("Checksum").lower(): (child.text or "").strip()
            for child in part
            if child.tag.startswith("Checksum")
        }
        wanted.append(Wanted(number, (part.findtext("ETag") or "").strip().strip('"'), sums))
    if not wanted:
        raise errors.S3Error("MalformedXML", "The upload must be completed with at least one part.")
    numbers = [part.number for part in wanted]
    if numbers != sorted(set(numbers)):
        raise errors.S3Error("InvalidPartOrder", "The parts must be listed once each, in ascending order.")
    return wanted


def chosen(wanted: list[Wanted], there: list[Part], store: FactStore) -> list[Chosen]:
    by_number = {part.number: part for part in there}
    found = []
    for part in wanted:
        known = by_number.get(part.number)
        if known is None or known.md5 != part.etag:
            raise errors.S3Error("InvalidPart", f"Part {part.number} with the ETag {part.etag!r} was not uploaded.")
        stat = known.path.stat()
        facts = store.known(str(known.path), stat)
        sums = facts.checksums if facts else {}
        for name, value in part.checksums.items():
            if name in sums and sums[name] != value:
                raise errors.S3Error("InvalidPart", f"The {name.upper()} of part {part.number} is {sums[name]}.")
        found.append(Chosen(part.number, known.md5, known.path, stat.st_size, sums))
    return found


def check_sizes(parts: list[Chosen], target: Target, headers: Mapping[str, str]) -> None:
    any_size = (target.volume.get("options") or {}).get("is_s3_arbitrary_part_size_enabled")
    needs_units = target.is_nas and not any_size
    for part in parts[:-1]:
        if part.size < MIN_PART:
            raise errors.S3Error(
                "EntityTooSmall", f"Part {part.number} has {part.size} bytes; all but the last need 5 MiB."
            )
        if needs_units and part.size % NAS_UNIT:
            raise errors.S3Error(
                "InvalidRequest",
                f"Part {part.number} has {part.size} bytes; on a NAS bucket parts are whole megabytes.",
            )
    total = sum(part.size for part in parts)
    name = "x-amz-mp-object-size"
    if name in headers and numeric.decimal(headers[name], name) != total:
        raise errors.S3Error("InvalidRequest", f"The parts have {total} bytes together, not what {name} says.")


def join(parts: list[Chosen], staged: str, algorithm: str, about: Mapping[str, Any]) -> dict[str, str]:
    """Write the whole and return its checksum in the upload's algorithm. Runs in a thread."""
    full = checksums.new(algorithm) if algorithm and about["checksum_type"] == _FULL else None
    with incoming.room_errors(), Path(staged).open("xb") as whole:
        for part in parts:
            with part.path.open("rb") as piece:
                while block := piece.read(_BLOCK):
                    whole.write(block)
                    if full:
                        full.update(block)
    if full:
        return {algorithm: checksums.encoded(full)}
    if algorithm:
        sums = [part.checksums.get(algorithm) or checksums.of_file(algorithm, str(part.path)) for part in parts]
        return {algorithm: checksums.composite(algorithm, sums)}
    return {}


def check_whole(headers: Mapping[str, str], computed: Mapping[str, str]) -> None:
    """The checksums that CompleteMultipartUpload names for the whole object."""
    for name, value in checksums.sent(dict(headers)).items():
        if name in computed and value not in (computed[name], computed[name].partition("-")[0]):
            raise errors.S3Error("BadDigest", f"The {name.upper()} of the object is {computed[name]}, not {value}.")
        if name not in computed:
            raise errors.S3Error("InvalidRequest", f"The upload was not begun with the checksum {name.upper()}.")


def etag(parts: list[Chosen]) -> str:
    inner = b"".join(bytes.fromhex(part.md5) for part in parts)
    return f"{hashlib.md5(inner, usedforsecurity=False).hexdigest()}-{len(parts)}"


def copy_range(source: int, staged: str, offset: int, length: int) -> str:
    """Copy bytes of an open file into a new one and return their MD5. Runs in a thread."""
    digest = hashlib.md5(usedforsecurity=False)
    with incoming.room_errors(), Path(staged).open("xb") as made:
        while length and (block := os.pread(source, min(length, _BLOCK), offset)):
            offset, length = offset + len(block), length - len(block)
            digest.update(block)
            made.write(block)
    return digest.hexdigest()
