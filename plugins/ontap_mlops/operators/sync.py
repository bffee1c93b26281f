"""Moves data between an S3 bucket and an ONTAP volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.recording import _MovingWorkload
from ontap_mlops.operators.workload import WorkloadOperator, as_mount
from ontap_mlops.planning.ways import S3_SYNC

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.compute.workload import Workload


class DataSyncOperator(_MovingWorkload):
    """Makes a volume's folder equal to a bucket prefix, or the other way round; only what changed is moved.

    Runs ``tasks.data.sync``: verified, resumable, and crash-safe like every Workload.

    :param source: ``s3://bucket/prefix``, or a folder such as ``{volume}/data`` with ``volume`` from ``mounts``.
    :param destination: the other one of the two.
    :param source_conn_id: ``aws`` connection of the bucket to read.
    :param destination_conn_id: ``aws`` connection of the bucket to write.
    :param delete: delete in the destination what is not in the source.
    :param multipart: False sends every file in one request, which ONTAP's NAS buckets need before 9.16.1.
    :param connections: files on their way at once.
    :param capacity_bytes: room in the destination; when it is too little, nothing is copied and no retry made.
    :param ontap_conn_id: connection that tells the room in the destination's volume, in place of ``capacity_bytes``.
    :param size_bytes: the destination's volume is grown to at least this first, through ``ontap_conn_id``.
    :param when_full: how to make room, for the sentence that asks for it.
    :return: counts of files ``copied``, ``unchanged``, ``deleted``; ``bytes`` copied; ``seconds``.
    """

    template_fields: Sequence[str] = (
        *(name for name in WorkloadOperator.template_fields if name not in ("program", "arguments", "aws_conn_id")),
        "source",
        "destination",
        "capacity_bytes",
    )

    def __init__(
        self,
        *,
        source: str,
        destination: str,
        source_conn_id: str | None = None,
        destination_conn_id: str | None = None,
        delete: bool = False,
        multipart: bool = True,
        connections: int = 16,
        capacity_bytes: Any = None,
        ontap_conn_id: str | None = None,
        size_bytes: int | None = None,
        when_full: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(program="tasks.data.sync", ontap_conn_id=ontap_conn_id or "ontap_default", **kwargs)
        self.source = source
        self.destination = destination
        self.source_conn_id = source_conn_id
        self.destination_conn_id = destination_conn_id
        self.delete = delete
        self.multipart = multipart
        self.connections = connections
        self.capacity_bytes = capacity_bytes
        self.asks_for_room = ontap_conn_id is not None
        self.size_bytes = size_bytes
        self.when_full = when_full

    def workload(self, context: Context) -> Workload:
        self.mounts = self.run_mounts(context)
        self.aws_conn_id = self.destination_conn_id if self.destination.startswith("s3://") else self.source_conn_id
        self.arguments = {
            "source": self.source,
            "destination": self.destination,
            "delete": self.delete,
            "no-multipart": not self.multipart,
            "connections": self.connections,
            "capacity-bytes": self._capacity(),
            "when-full": self.when_full,
        }
        return super().workload(context)

    def moved(self, result: Mapping[str, Any], context: Context) -> Mapping[str, Any] | None:
        ends = {"source": self.end_of(self.source, context), "target": self.end_of(self.destination, context)}
        return {"way": S3_SYNC, **ends, "bytes_moved": result.get("bytes") or 0, "seconds": result.get("seconds")}

    def _capacity(self) -> int | None:
        """What ONTAP says is free on the volume written to: a mounted folder does not always tell."""
        if self.capacity_bytes not in (None, ""):
            return int(self.capacity_bytes)
        mount = next(
            (m for key, m in (self.mounts or {}).items() if self.destination.startswith("{" + key + "}")), None
        )
        if not self.asks_for_room or mount is None:
            return None
        from ontap_mlops.hooks.ontap import OntapHook
        from ontap_mlops.ontap import volumes

        written = as_mount("destination", mount)
        with OntapHook(self.ontap_conn_id).client() as client:
            volume = volumes.at(client, svm=written.svm, path=written.junction_path)
            if self.size_bytes:  # it may have been raised since the volume was made
                volume = volumes.grow(client, volume=volume, size_bytes=self.size_bytes)
            return volume.available_bytes
