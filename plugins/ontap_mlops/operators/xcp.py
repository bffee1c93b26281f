"""Copy and compare trees of files with NetApp XCP; docs/xcp.md goes the whole way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.recording import _MovingWorkload
from ontap_mlops.operators.workload import WorkloadOperator
from ontap_mlops.planning.ways import XCP

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.compute.workload import Workload

_KEPT = tuple(name for name in WorkloadOperator.template_fields if name not in ("program", "arguments"))


class _Xcp(_MovingWorkload):
    """Runs ``tasks.data.xcp`` where ``compute`` says: a machine with the command ``xcp``, a licence and a catalogue."""

    verb = ""
    flags: Sequence[str] = ()

    def __init__(self, *, parallel: int | None = None, **kwargs: Any) -> None:
        super().__init__(program="tasks.data.xcp", **kwargs)
        self.parallel = parallel

    def workload(self, context: Context) -> Workload:
        told = {name: getattr(self, name, None) for name in (*self.flags, "match", "parallel")}
        given = {"id" if name == "catalog_id" else name: value for name, value in told.items() if value}
        self.arguments = [self.verb, *(part for name, value in given.items() for part in (f"--{name}", value))]
        return super().workload(context)

    def moved(self, result: Mapping[str, Any], context: Context) -> Mapping[str, Any] | None:
        source, target = getattr(self, "source", None), getattr(self, "destination", None)
        if self.verb == "verify" or not source or not target:
            return None
        ends = {"source": self.end_of(_plain(source), context), "target": self.end_of(_plain(target), context)}
        # What is copied is read and written; a count that XCP does not tell is none.
        moved = result.get("bytes_out") or 0
        return {"way": XCP, **ends, "bytes_moved": moved, "seconds": result.get("seconds")}


class XcpCopyOperator(_Xcp):
    """Copy a tree of files; done again, resume what was cut short, or copy what has changed since.

    :param source: ``server:/export``, ``file:///folder`` (with ``{key}`` of a mount), ``hdfs://`` or ``s3://bucket``.
    :param destination: where to, in the same way.
    :param catalog_id: name of this copy in XCP's catalogue; :class:`XcpSyncOperator` knows it by that.
    :param match: copy only what fits this filter of XCP's.
    :param parallel: batches of work at once; XCP's own default is 7.
    :return: ``verb``, ``id``, ``scanned``, ``copied``, ``errors``, ``bytes_in``, ``bytes_out``, ``seconds``.
    """

    verb, flags = "copy", ("source", "destination", "catalog_id")
    template_fields: Sequence[str] = (*_KEPT, "source", "destination", "catalog_id", "match", "parallel")

    def __init__(
        self, *, source: str, destination: str, catalog_id: str, match: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.destination = destination
        self.catalog_id = catalog_id
        self.match = match


class XcpSyncOperator(_Xcp):
    """Copy what has changed in the source since the copy called ``catalog_id``.

    :param catalog_id: its name in XCP's catalogue.
    :param source: of that copy, with ``destination``: then what it took is kept for the planner.
    :param destination: of that copy.
    :param parallel: batches of work at once; XCP's own default is 7.
    :return: ``verb``, ``id``, ``scanned``, ``copied``, ``modified``, ``new``, ``deleted``, ``errors``, ``bytes_in``,
        ``bytes_out``, ``seconds``.
    """

    verb, flags = "sync", ("catalog_id",)
    template_fields: Sequence[str] = (*_KEPT, "catalog_id", "source", "destination", "parallel")

    def __init__(
        self, *, catalog_id: str, source: str | None = None, destination: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.catalog_id = catalog_id
        self.source = source
        self.destination = destination


class XcpResumeOperator(XcpSyncOperator):
    """Go on with a copy that was cut short, by its id; :class:`XcpCopyOperator` does so by itself.

    :param catalog_id: its name in XCP's catalogue.
    :param source: as of :class:`XcpSyncOperator`, and so ``destination``.
    :param parallel: batches of work at once; XCP's own default is 7.
    :return: as :class:`XcpCopyOperator`.
    """

    verb = "resume"


class XcpVerifyOperator(_Xcp):
    """Compare every byte of two trees; fail at once when they differ. Nothing is changed.

    :param source: as of :class:`XcpCopyOperator`.
    :param destination: what it is compared with.
    :param match: compare only what fits this filter of XCP's.
    :param parallel: batches of work at once; XCP's own default is 7.
    :return: ``verb``, ``scanned``, ``errors``, ``bytes_in``, ``bytes_out``, ``seconds``.
    """

    verb, flags = "verify", ("source", "destination")
    template_fields: Sequence[str] = (*_KEPT, "source", "destination", "match", "parallel")

    def __init__(self, *, source: str, destination: str, match: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.destination = destination
        self.match = match


def _plain(end: str) -> str:
    """An end without what XCP puts before the path of a folder."""
    return end.removeprefix("file://")
