"""If-Match and its kind: what a client wants to be true of an object before it is read, copied, replaced or removed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from emulator.s3 import errors, numeric
from emulator.s3.facts import Facts

COPY_SOURCE = "x-amz-copy-source-"
NAMES = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
ON_WRITE = ("if-match", "if-none-match")


@dataclass(frozen=True)
class Conditions:
    """Header values by name, without the prefix they may have come with."""

    wanted: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.wanted)

    def not_modified(self, facts: Facts, stat: os.stat_result) -> bool:
        """For reading: whether the client has this version already. PreconditionFailed where it wants another one.

        HTTP's order: If-Match before If-Unmodified-Since, If-None-Match before If-Modified-Since.
        """
        if "if-match" in self.wanted:
            if not _etag_in(self.wanted["if-match"], facts.etag):
                raise _failed("If-Match", f"The object's ETag is {facts.etag}, not the one in If-Match.")
        elif "if-unmodified-since" in self.wanted and changed_since(self.wanted["if-unmodified-since"], stat):
            raise _failed("If-Unmodified-Since", "The object was modified after If-Unmodified-Since.")
        if "if-none-match" in self.wanted:
            return _etag_in(self.wanted["if-none-match"], facts.etag)
        return "if-modified-since" in self.wanted and not changed_since(self.wanted["if-modified-since"], stat)

    def require_source(self, facts: Facts, stat: os.stat_result) -> None:
        """For copying: as for reading, except that a copy of what is not modified is refused too."""
        if self.not_modified(facts, stat):
            raise _failed(
                "x-amz-copy-source-If-*", "The source of the copy is one that x-amz-copy-source-if-* excludes."
            )

    def require(self, now: Facts | None) -> None:
        """For writing and removing; `now` is what is there, None where nothing is."""
        if "if-none-match" in self.wanted and now and _etag_in(self.wanted["if-none-match"], now.etag):
            raise _failed(
                "If-None-Match",
                f"There is an object of this key, with the ETag {now.etag}, which If-None-Match excludes.",
            )
        if "if-match" in self.wanted and not (now and _etag_in(self.wanted["if-match"], now.etag)):
            there = f"The object's ETag is {now.etag}" if now else "There is no object of this key"
            raise _failed("If-Match", f"{there}, which is not what If-Match wants.")


def of_read(headers: Mapping[str, str]) -> Conditions:
    return Conditions({name: headers[name] for name in NAMES if name in headers})


def of_write(headers: Mapping[str, str], *, is_nas: bool) -> Conditions:
    """Those of a PUT, DELETE or CompleteMultipartUpload. A NAS bucket cannot hold them: NAS clients write as well."""
    found = Conditions({name: headers[name] for name in ON_WRITE if name in headers})
    if found and is_nas:
        raise refused_on_nas(", ".join(found.wanted))
    return found


def of_copy_source(headers: Mapping[str, str]) -> Conditions:
    return Conditions({name: headers[COPY_SOURCE + name] for name in NAMES if COPY_SOURCE + name in headers})


def refused_on_nas(what: str) -> errors.S3Error:
    return errors.S3Error("NotImplemented", f"Conditional writes ({what}) are not supported on a NAS bucket.")


def holds_range(headers: Mapping[str, str], facts: Facts, stat: os.stat_result) -> bool:
    """Whether If-Range lets a range be answered by that range, rather than by the whole object."""
    wanted = headers.get("if-range")
    if wanted is None:
        return True
    return wanted.strip('"') == facts.etag if '"' in wanted else not changed_since(wanted, stat)


def changed_since(header: str, stat: os.stat_result) -> bool:
    try:
        return int(stat.st_mtime) > parsedate_to_datetime(header).timestamp()
    except (ValueError, OverflowError) as e:
        raise errors.S3Error("InvalidArgument", f"{numeric.shortened(header)!r} is not an HTTP date.") from e


def _etag_in(header: str, etag: str) -> bool:
    return any(part.strip().removeprefix("W/").strip('"') in (etag, "*") for part in header.split(","))


def _failed(condition: str, message: str) -> errors.S3Error:
    return errors.S3Error("PreconditionFailed", message, condition=condition)
