"""Operators that move the data of mirrors: bring one up to date, resync it, turn its direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapPairOperator
from ontap_mlops.operators.recording import _RecordsMirror
from ontap_mlops.operators.waiting import OntapWaitingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client

_LOOK, _ABORT = "ontap_mlops.ontap.transfers.look", "ontap_mlops.ontap.transfers.abort"


class OntapMirrorUpdateOperator(_RecordsMirror, OntapWaitingOperator):
    """Bring a mirror up to date, or initialise it, and wait for the transfer; killed, it stops the transfer.

    A transfer that runs, or is queued, is joined. Of a joined one only what was there when it began comes along; with
    ``snapshot`` another follows where that is needed.

    :param mirror_volume: name of the destination.
    :param svm: of the destination; the connection's own if not given.
    :param snapshot: name of a snapshot that the destination is to have afterwards, such as that of a dataset version;
        the task fails where it does not come along.
    :param throttle_kb_s: kilobytes a second at most; that of the mirror if not given.
    :return: ``mirror`` and ``transfer`` (UUIDs), ``source``, ``destination``, ``bytes``, ``seconds``, ``state``,
        ``snapshot`` (the one that the destination shows), ``lag_s``.
    """

    template_fields: Sequence[str] = ("mirror_volume", "svm", "snapshot", "throttle_kb_s")
    look, cancel = _LOOK, _ABORT

    def __init__(
        self,
        *,
        mirror_volume: str,
        svm: str | None = None,
        snapshot: str | None = None,
        throttle_kb_s: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mirror_volume = mirror_volume
        self.svm = svm
        self.snapshot = snapshot
        self.throttle_kb_s = throttle_kb_s

    def begin(self, client: Client, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import mirrors, transfers

        mirror = mirrors.get(client, svm=self.hook.svm(self.svm), volume=self.mirror_volume)
        throttle = None if self.throttle_kb_s in (None, "") else int(self.throttle_kb_s or 0)
        begun = transfers.begin(client, mirror=mirror, throttle_kb_s=throttle)
        self.log.info("%s transfer %s of the %s", "Joined" if begun.joined else "Began", begun.uuid, mirror.called)
        known = {"mirror": mirror.uuid, "transfer": begun.uuid, "joined": begun.joined}
        return known | ({"snapshot": self.snapshot} if self.snapshot else {})


class _OfBothEnds(_RecordsMirror, OntapWaitingOperator, OntapPairOperator):
    """What names a mirror and its source's cluster."""

    template_fields: Sequence[str] = ("mirror_volume", "svm", "source_svm", "lose_changes")

    def __init__(
        self,
        *,
        mirror_volume: str,
        svm: str | None = None,
        source_svm: str | None = None,
        lose_changes: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mirror_volume = mirror_volume
        self.svm = svm
        self.source_svm = source_svm
        self.lose_changes = lose_changes

    def _may_lose(self) -> bool:
        """A template has turned it into text; only what says so clearly throws data away."""
        return str(self.lose_changes).strip().lower() == "true"


class OntapMirrorResyncOperator(_OfBothEnds):
    """Have a mirror that was broken off follow its source again, and wait for the transfer.

    It goes back to the newest snapshot that both have. What was written to the destination since would be lost: the
    task says what that is and fails, unless told to lose it. A mirror that follows its source is left as it is.

    :param mirror_volume: name of the destination.
    :param source_conn_id: connection to the cluster of the source.
    :param svm: of the destination; the connection's own if not given.
    :param source_svm: of the source; that connection's own if not given.
    :param lose_changes: throw away what only the destination has.
    :return: as of ``OntapMirrorUpdateOperator``.
    """

    look, cancel = _LOOK, _ABORT

    def begin(self, client: Client, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import mirrors, reversals

        mirror = mirrors.get(client, svm=self.hook.svm(self.svm), volume=self.mirror_volume)
        with self.source_hook.client() as source:
            begun = reversals.resync(
                client,
                source,
                mirror=mirror,
                source_svm=self.source_hook.svm(self.source_svm),
                lose_changes=self._may_lose(),
            )
        self.log.info("%s transfer %s of the %s", "Joined" if begun.joined else "Began", begun.uuid, mirror.called)
        return {"mirror": mirror.uuid, "transfer": begun.uuid, "joined": begun.joined}


class OntapMirrorReverseOperator(_OfBothEnds):
    """Turn a mirror that was broken off: its source follows its destination from now on, by the same policy.

    The new mirror lives on the cluster of the old source, which is what the parameters' "destination" means here. What
    only the old source has would be lost: the task says what that is and fails, unless told to lose it. The old mirror
    is ended once the new one works; no snapshot goes with it.

    :param ontap_conn_id: connection to the old source, which becomes the destination.
    :param source_conn_id: connection to the old destination, which becomes the source.
    :param mirror_volume: name of the old destination.
    :param svm: of the old source; the connection's own if not given.
    :param source_svm: of the old destination; that connection's own if not given.
    :param lose_changes: throw away what only the old source has.
    :return: of the new mirror, as of ``OntapMirrorUpdateOperator``.
    """

    look, cancel = _LOOK, _ABORT

    def begin(self, client: Client, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import mirrors, reversals

        svm, partner_svm = self.hook.svm(self.svm), self.source_hook.svm(self.source_svm)
        with self.source_hook.client() as partner:
            old = mirrors.find(partner, svm=partner_svm, volume=self.mirror_volume)
            if old is None:
                return self._turned(client, partner, svm, partner_svm)
            new = reversals.reversed_mirror(client, partner, mirror=old, svm=svm, lose_changes=self._may_lose())
        begun = reversals.begin(client, mirror=new)
        self.log.info("The %s takes the place of the %s", new.called, old.called)
        return {"mirror": new.uuid, "transfer": begun.uuid, "joined": begun.joined}

    def _turned(self, client: Client, partner: Client, svm: str, partner_svm: str) -> dict[str, Any]:
        """An earlier try has ended the old mirror already; NotFound where there never was one."""
        from ontap_mlops.ontap import mirrors

        for mirror in mirrors.list_mirrors(client, svm=svm):
            of = mirrors.source_name(client, svm=svm, source_svm=partner_svm)
            if mirror.source == f"{of}:{self.mirror_volume}" and mirror.transfer:
                return {"mirror": mirror.uuid, "transfer": mirror.transfer, "joined": True}
        mirrors.get(partner, svm=partner_svm, volume=self.mirror_volume)
        raise AssertionError("get raises where there is no mirror")

    def finish(self, client: Client, payload: Any, context: Context) -> Any:
        from ontap_mlops.ontap import mirrors, reversals

        new = mirrors.by_uuid(client, uuid=payload["mirror"])
        with self.source_hook.client() as partner:
            partner_svm = self.source_hook.svm(self.source_svm)
            old = mirrors.find(partner, svm=partner_svm, volume=self.mirror_volume)
            reversals.finish(client, partner, old=old, new=new)
        return super().finish(client, payload, context)
