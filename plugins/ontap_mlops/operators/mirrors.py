"""Operators on mirrors (SnapMirror): make one, break it off, stop its transfer, end it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator, OntapPairOperator
from ontap_mlops.operators.recording import _RecordsMirror
from ontap_mlops.operators.waiting import OntapWaitingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client

POLICY = "MirrorAllSnapshots"


class OntapMirrorEnsureOperator(_RecordsMirror, OntapWaitingOperator, OntapPairOperator):
    """Make a volume elsewhere follow a volume here: its destination, the mirror, the first transfer.

    What an earlier try made is found, and a transfer that runs is joined. A volume of the destination's name that is
    not ours, or follows another source, fails the task at once; so does a mirror that is broken off or paused. The SVMs
    must be peers.

    :param volume: name of the source.
    :param ontap_conn_id: connection to the destination, where the mirror lives.
    :param source_conn_id: connection to the source.
    :param mirror_volume: name of the destination; that of the source if not given.
    :param svm: of the destination; the connection's own if not given.
    :param source_svm: of the source; that connection's own if not given.
    :param policy: SnapMirror policy of the destination's cluster. The default takes along every snapshot; ONTAP's own
        default, Asynchronous, takes only those with a label and so no dataset version.
    :param schedule: when it updates by itself, by name, such as ``hourly``; the policy's own if not given.
    :param comment: marks the destination as ours; begin it with ``ontap-mlops``. Made from the source if not given.
    :param junction_path: where the SVM's clients see the destination.
    :param aggregate: for the destination; the one with the most free space if not given.
    :return: ``mirror`` and ``transfer`` (UUIDs), ``source``, ``destination``, ``bytes``, ``seconds``, ``state``,
        ``snapshot``, ``lag_s``.
    """

    template_fields: Sequence[str] = (
        "volume",
        "mirror_volume",
        "svm",
        "source_svm",
        "policy",
        "schedule",
        "comment",
        "junction_path",
        "aggregate",
    )
    look = "ontap_mlops.ontap.transfers.look"
    cancel = "ontap_mlops.ontap.transfers.abort"

    def __init__(
        self,
        *,
        volume: str,
        mirror_volume: str | None = None,
        svm: str | None = None,
        source_svm: str | None = None,
        policy: str = POLICY,
        schedule: str | None = None,
        comment: str | None = None,
        junction_path: str | None = None,
        aggregate: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.mirror_volume = mirror_volume
        self.svm = svm
        self.source_svm = source_svm
        self.policy = policy
        self.schedule = schedule
        self.comment = comment
        self.junction_path = junction_path
        self.aggregate = aggregate

    def begin(self, client: Client, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import marks, mirrors, transfers, volumes

        svm, source_svm = self.hook.svm(self.svm), self.source_hook.svm(self.source_svm)
        name = self.mirror_volume or self.volume
        with self.source_hook.client() as source:
            original = volumes.get(source, svm=source_svm, name=self.volume)
        mirrors.source_name(client, svm=svm, source_svm=source_svm)
        mirrors.require_known(client, policy=self.policy, schedule=self.schedule or "")
        mirrors.ensure_destination(
            client,
            svm=svm,
            volume=name,
            size_bytes=original.size_bytes or 0,
            comment=self.comment or marks.mark(f"mirror of {source_svm}:{self.volume}"),
            aggregate=self.aggregate,
        )
        mirror = mirrors.ensure(
            client,
            svm=svm,
            volume=name,
            source_svm=source_svm,
            source_volume=self.volume,
            policy=self.policy,
            schedule=self.schedule or "",
        )
        self.log.info("The %s has policy %s and schedule %s", mirror.called, mirror.policy, mirror.schedule or "none")
        if mirror.state in mirrors.FOLLOWING and mirror.transfer_state == "success":
            return {"mirror": mirror.uuid, "transfer": mirror.transfer, "joined": True}
        begun = transfers.begin(client, mirror=mirror)
        return {"mirror": mirror.uuid, "transfer": begun.uuid, "joined": begun.joined}

    def finish(self, client: Client, payload: Any, context: Context) -> Any:
        from ontap_mlops.ontap import volumes

        if self.junction_path:
            name = self.mirror_volume or self.volume
            volume = volumes.get(client, svm=self.hook.svm(self.svm), name=name)
            volumes.mount(client, volume=volume, junction_path=self.junction_path)
        return super().finish(client, payload, context)


class _OfOneMirror(OntapOperator):
    """What names a mirror: the SVM and the volume of its destination."""

    template_fields: Sequence[str] = ("mirror_volume", "svm")

    def __init__(self, *, mirror_volume: str, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mirror_volume = mirror_volume
        self.svm = svm

    def _where(self) -> dict[str, str]:
        return {"svm": self.hook.svm(self.svm), "volume": self.mirror_volume}


class OntapMirrorBreakOperator(_OfOneMirror):
    """Make the destination of a mirror read-write, as it was at its last transfer; a broken mirror stays as it is.

    Refused before the first transfer, and tried again while one runs.

    :param mirror_volume: name of the destination.
    :param svm: of the destination; the connection's own if not given.
    :param snapshot: an older snapshot of the destination to go back to.
    :param abort_transfer: stop a transfer that runs, as for a source that is lost.
    :return: ``mirror`` (UUID), ``source``, ``destination``, ``state``, ``snapshot``, ``lag_s``.
    """

    template_fields: Sequence[str] = ("mirror_volume", "svm", "snapshot")

    def __init__(self, *, snapshot: str | None = None, abort_transfer: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.abort_transfer = abort_transfer

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import mirrors, transfers

        with self.hook.client() as client:
            mirror = mirrors.get(client, **self._where())
            if self.abort_transfer and mirror.is_moving:
                transfers.stop(client, mirror=mirror)
            mirror = mirrors.break_off(client, mirror=mirror, snapshot=self.snapshot or None)
        self.log.info("The %s is broken off; the destination is read-write", mirror.called)
        return {
            "mirror": mirror.uuid,
            "source": mirror.source,
            "destination": mirror.destination,
            "state": mirror.state,
            "snapshot": self.snapshot or mirror.exported_snapshot,
            "lag_s": mirror.lag_s,
        }


class OntapMirrorAbortOperator(_OfOneMirror):
    """Stop the transfer of a mirror, if one runs; the destination stays as it was.

    :param mirror_volume: name of the destination.
    :param svm: of the destination; the connection's own if not given.
    :return: whether one ran.
    """

    def execute(self, context: Context) -> bool:
        from ontap_mlops.ontap import mirrors, transfers

        with self.hook.client() as client:
            mirror = mirrors.get(client, **self._where())
            stopped = transfers.stop(client, mirror=mirror)
        self.log.info("The %s: %s", mirror.called, "its transfer is stopped" if stopped else "no transfer ran")
        return stopped


class OntapMirrorDeleteOperator(_OfOneMirror):
    """End a mirror. Both volumes stay; the destination stays read-only unless the mirror was broken off before.

    A mirror that is not there is no error. One whose destination is not ours is left alone.

    :param mirror_volume: name of the destination.
    :param svm: of the destination; the connection's own if not given.
    :param destination_only: do not tell the source, which cannot be reached any more; its snapshots stay.
    :param not_ours_too: end it even where the destination does not carry our mark.
    :return: whether it was there.
    """

    def __init__(self, *, destination_only: bool = False, not_ours_too: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.destination_only = destination_only
        self.not_ours_too = not_ours_too

    def execute(self, context: Context) -> bool:
        from ontap_mlops.ontap import mirrors, volumes
        from ontap_mlops.ontap.errors import NotOurs

        with self.hook.client() as client:
            mirror = mirrors.find(client, **self._where())
            if mirror is None:
                self.log.info("Volume %s is the destination of no mirror", self.mirror_volume)
                return False
            volume = volumes.find(client, svm=self._where()["svm"], name=self.mirror_volume)
            if volume is not None and not volume.is_ours and not self.not_ours_too:
                raise NotOurs(
                    f"The {mirror.called} was not deleted: the comment of the destination is {volume.comment!r}, which "
                    "is not our mark. Delete it by hand if it is yours to delete."
                )
            removed = mirrors.delete(client, mirror=mirror, destination_only=self.destination_only)
        self.log.info("The %s %s", mirror.called, "is ended" if removed else "was gone already")
        return removed
