"""Operators on moving data: which way fits, before; what it really took, after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops import assets, ends
from ontap_mlops.operators import recording, telling
from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.recording import past_of
from ontap_mlops.planning import Job, Readers, Record, past, plan

if TYPE_CHECKING:
    from airflow.sdk import Context


class TransferPlanOperator(MlopsOperator):
    """Say which way of moving data fits: FlexCache, SnapMirror, Copy and Sync, XCP, S3 sync or FlexClone.

    Size, change rate, releases, peering and room are asked of ONTAP where an end is there and nothing else is said; how
    fast the line is comes from past transfers (``TransferRecordOperator``), else from the site's ``link_mbps``. The
    plan is a table in the task's log, and a sentence in the note of the run. Nothing is moved.

    :param source: a dataset, a volume as ``connection:svm:volume``, a bucket as ``s3://bucket/prefix/``, an export as
        ``host:/path``, a share as ``//host/share``, or ``azure://container``.
    :param target: the same, or a site of sites.yaml.
    :param size_bytes: where ONTAP cannot be asked, or for a part of a volume.
    :param files: the same for the number of files.
    :param change_bytes_a_day: in place of what snapshots tell.
    :param readers: how many read at the target.
    :param share: part of the bytes that they read, from 0 to 1.
    :param reads_a_day: how often each day.
    :param link_mbps: megabits per second of the line, where no transfer of the past tells.
    :param writes: somebody writes at the target.
    :param snapshots: versions are wanted at the target.
    :param within_s: seconds in which the first copy has to be there.
    :param others: further facts of ``planning.Job``, by name.
    :return: ``way`` (None when none fits), ``sentence``, ``ways`` with their costs, ``route``, ``unknown``.
    """

    template_fields: Sequence[str] = (
        *("source", "target", "size_bytes", "files", "change_bytes_a_day", "readers", "share", "reads_a_day"),
        *("link_mbps", "writes", "snapshots", "within_s", "others"),
    )

    def __init__(
        self,
        *,
        source: str,
        target: str,
        size_bytes: Any = None,
        files: Any = None,
        change_bytes_a_day: Any = None,
        readers: Any = 1,
        share: Any = 1.0,
        reads_a_day: Any = 1.0,
        link_mbps: Any = None,
        writes: Any = False,
        snapshots: Any = False,
        within_s: Any = None,
        others: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"inlets": [assets.TRANSFERS], "outlets": [assets.PLANS], **kwargs})
        self.source = source
        self.target = target
        self.size_bytes = size_bytes
        self.files = files
        self.change_bytes_a_day = change_bytes_a_day
        self.readers = readers
        self.share = share
        self.reads_a_day = reads_a_day
        self.link_mbps = link_mbps
        self.writes = writes
        self.snapshots = snapshots
        self.within_s = within_s
        self.others = dict(others or {})

    def execute(self, context: Context) -> dict[str, Any]:
        found = plan(self._job(past_of(context)))
        for line in found.table().splitlines():
            self.log.info("%s", line)
        telling.add_note(context, found.sentence())
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = {"plan": found.to_json()}
        return found.to_json()

    def _job(self, done: list[Record]) -> Job:
        names = ("size_bytes", "files", "change_bytes_a_day", "link_mbps", "within_s")
        readers = Readers(
            count=int(_number(self.readers, "readers") or 0),
            share=_number(self.share, "share") or 0.0,
            each_day=_number(self.reads_a_day, "reads_a_day") or 0.0,
        )
        return ends.job(
            self.source,
            self.target,
            done=done,
            readers=readers,
            writes=_said(self.writes),
            snapshots=_said(self.snapshots),
            **{name: _number(getattr(self, name), name) for name in names},
            **self.others,
        )


class TransferRecordOperator(MlopsOperator):
    """Keep what a transfer really took beside what its plan had said: as an event of the asset ``transfers``.

    For what other means have moved: the operators on mirrors, caches, Copy and Sync, XCP and S3 sync do so themselves.
    From the newest of them ``TransferPlanOperator`` knows how fast each way is on this route.

    :param way: one of ``planning.ways.NAMES``, such as ``SnapMirror``; the plan's own if not given.
    :param bytes_moved: bytes that were moved.
    :param seconds: how long it took.
    :param plan: result of ``TransferPlanOperator``; with it, source and target need not be given.
    :param source: as the plan's.
    :param target: as the plan's.
    :return: the record, as JSON, with ``said_bytes`` and ``said_s``.
    """

    template_fields: Sequence[str] = ("way", "bytes_moved", "seconds", "plan", "source", "target")

    def __init__(
        self,
        *,
        bytes_moved: Any,
        seconds: Any,
        way: str | None = None,
        plan: Any = None,
        source: str | None = None,
        target: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"outlets": [assets.TRANSFERS], "inlets": [assets.TRANSFERS], **kwargs})
        self.way = way
        self.bytes_moved = bytes_moved
        self.seconds = seconds
        self.plan = plan
        self.source = source
        self.target = target

    def execute(self, context: Context) -> dict[str, Any]:
        record = self._record(context)
        for line in past.table([record, *past_of(context)][:11]).splitlines():
            self.log.info("%s", line)
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = {"transfer": record.to_json()}
        return record.to_json()

    def _record(self, context: Context) -> Record:
        planned = self.plan if isinstance(self.plan, Mapping) else {}
        way = self.way or planned.get("way")
        source, _, target = str(planned.get("route", "")).partition(" -> ")
        if not way or not (self.source or source) or not (self.target or target):
            raise ValueError("give way, source and target, or the plan that says them")
        return recording.made(
            context,
            way=way,
            source=self.source or source,
            target=self.target or target,
            moved=_number(self.bytes_moved, "bytes_moved") or 0,
            seconds=_number(self.seconds, "seconds") or 0,
            said=recording.of_way(planned, way),
        )


def _number(value: Any, name: str) -> float | None:
    """Return a number that a template or a form may have made a text; None where nothing is given."""
    if value in (None, "", "None"):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}; give a number") from None


def _said(value: Any) -> bool:
    return str(value).lower() in ("true", "1", "yes")
