"""Operator that moves a volume to another aggregate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.waiting import OntapWaitingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client


class OntapVolumeMoveOperator(OntapWaitingOperator):
    """Move a volume to another aggregate and wait until it is there; clients read and write all the while.

    A move to the same aggregate that runs already is joined, one to another aggregate fails the task. A volume that is
    there already stays. The account needs the right to move volumes, which ONTAP gives to cluster administrators only.

    :param volume: name.
    :param aggregate: name of the aggregate to move it to.
    :param svm: the connection's own if not given.
    :param abort_on_kill: abort the move when the task is killed or its ``wait_limit_s`` is over. Otherwise ONTAP goes
        on with it, and a retry joins it.
    :return: ``volume_uuid``, ``aggregate``.
    """

    look = "ontap_mlops.ontap.moves.look"

    template_fields: Sequence[str] = ("volume", "aggregate", "svm")

    def __init__(
        self, *, volume: str, aggregate: str, svm: str | None = None, abort_on_kill: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.aggregate = aggregate
        self.svm = svm
        self.abort_on_kill = abort_on_kill
        if abort_on_kill:
            self.cancel = "ontap_mlops.ontap.moves.abort"  # type: ignore[misc]

    def begin(self, client: Client, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import moves

        return moves.begin(client, svm=self.hook.svm(self.svm), name=self.volume, aggregate=self.aggregate)

    def finish(self, client: Client, payload: Any, context: Context) -> Any:
        self.log.info("Volume %s is on aggregate %s", self.volume, self.aggregate)
        return payload
