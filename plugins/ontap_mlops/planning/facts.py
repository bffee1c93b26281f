"""What a plan is made from: the two ends, the data, who reads it there, and the line between."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

DAY_S = 86_400


class Kind(StrEnum):
    """What an end is. Every end on ONTAP is ``ONTAP``, whatever protocol it is read by."""

    ONTAP = "ontap"
    NFS = "nfs"
    SMB = "smb"
    S3 = "s3"
    BLOB = "blob"


@dataclass(frozen=True, kw_only=True)
class End:
    """One end of the way, called ``name`` in sentences. None is "not known", which rules nothing out by itself.

    ``cluster`` tells whether both ends are on the same one; ``version`` is ONTAP's, as (9, 16, 1). ``mounts`` says that
    programs of this project reach its files (NFS, or a local folder); ``is_cache`` and ``is_s3_volume`` that a volume
    is a FlexCache already, or one that only S3 buckets may be on.
    """

    name: str
    kind: Kind
    cluster: str = ""
    version: tuple[int, ...] | None = None
    free_bytes: int | None = None
    snapmirror_licence: bool | None = None
    mounts: bool = True
    is_cache: bool = False
    is_s3_volume: bool = False

    @property
    def on_ontap(self) -> bool:
        return self.kind is Kind.ONTAP


@dataclass(frozen=True, kw_only=True)
class Readers:
    """Who reads at the target: ``share`` is what part of the bytes, from 0 to 1; ``each_day`` how often in a day."""

    count: int = 1
    share: float = 1.0
    each_day: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be at the target, and what is known of the way there.

    :param change_bytes_a_day: that are written at the source; None when not known.
    :param whole_files: bytes that a copy of whole files moves for each byte changed: 1 when files are written once,
        more when parts of large files change.
    :param link_mbps: megabits per second between the ends; None when nobody knows.
    :param peered: clusters and SVMs; None when not known.
    :param writes: somebody writes at the target.
    :param snapshots: versions are wanted at the target: snapshots, clones, time travel, training on a version.
    :param keep_days: days for which the target keeps what has changed.
    :param days: over which ways are compared.
    :param within_s: seconds in which the first copy has to be there; None for no limit.
    :param copy_and_sync: a data broker of NetApp Copy and Sync is there; None when not known.
    :param rates: bytes per second that a way reached on this route, by its name; goes before the link's.
    """

    source: End
    target: End
    size_bytes: int
    files: int | None = None
    change_bytes_a_day: float | None = None
    whole_files: float = 1.0
    readers: Readers = Readers()
    link_mbps: float | None = None
    peered: bool | None = None
    writes: bool = False
    snapshots: bool = False
    keep_days: float = 7.0
    days: float = 30.0
    within_s: float | None = None
    copy_and_sync: bool | None = None
    rates: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ValueError, naming the first fact that cannot be."""
        at_least = {"size_bytes": 0, "files": 0, "change_bytes_a_day": 0, "whole_files": 1, "keep_days": 0}
        for name, least in {**at_least, "within_s": 0}.items():
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise ValueError(f"{name} is {value}; give a number from {least} on")
        for name, value in {"link_mbps": self.link_mbps, "days": self.days, **self.rates}.items():
            if value is not None and not value > 0:
                raise ValueError(f"{name} is {value}; give a number above 0")
        if not 0 <= self.readers.share <= 1:
            raise ValueError(f"readers' share is {self.readers.share}; give what part of the bytes they read, 0 to 1")
        if self.readers.count < 0 or self.readers.each_day < 0:
            raise ValueError("readers' count and each_day are from 0 on")

    @property
    def changed(self) -> float:
        """Bytes a day that change; never more than a whole copy, and 0 when not known."""
        return float(self.change_bytes_a_day or 0)

    @property
    def both_on_ontap(self) -> bool:
        return self.source.on_ontap and self.target.on_ontap

    @property
    def same_cluster(self) -> bool:
        return self.both_on_ontap and bool(self.source.cluster) and self.source.cluster == self.target.cluster

    def rate(self, way: str) -> float | None:
        """Bytes per second that this way will reach: what it has reached, else what the link has, None if unknown."""
        if way in self.rates:
            return self.rates[way]
        return self.link_mbps * 1e6 / 8 if self.link_mbps else None

    def replace(self, **facts: Any) -> Job:
        return dataclasses.replace(self, **facts)
