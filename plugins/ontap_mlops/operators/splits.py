"""Operator that makes a clone a volume of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.waiting import OntapWaitingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client


class OntapCloneSplitOperator(OntapWaitingOperator):
    """Copy what a clone shares with its parent, and wait until it stands on its own.

    The parent's snapshot is free then. A split that runs already is joined. Until its end the clone takes no
    snapshots, and its aggregate needs room for all of it.

    :param clone: name of the clone.
    :param parent: name of the volume it is a clone of. A volume that is no clone any more counts as split by an earlier
        try only when this is given; without it, that fails the task.
    :param svm: the connection's own if not given.
    :param stop_on_kill: stop the split when the task is killed or its ``wait_limit_s`` is over. Otherwise ONTAP goes on
        with it, and a retry joins it.
    :return: ``volume_uuid``.
    """

    look = "ontap_mlops.ontap.splits.look"

    template_fields: Sequence[str] = ("clone", "parent", "svm")

    def __init__(
        self,
        *,
        clone: str,
        parent: str | None = None,
        svm: str | None = None,
        stop_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.clone = clone
        self.parent = parent
        self.svm = svm
        self.stop_on_kill = stop_on_kill
        if stop_on_kill:
            self.cancel = "ontap_mlops.ontap.splits.stop"  # type: ignore[misc]

    def begin(self, client: Client, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import splits

        return splits.begin(client, svm=self.hook.svm(self.svm), name=self.clone, parent=self.parent or None)

    def finish(self, client: Client, payload: Any, context: Context) -> Any:
        self.log.info("Volume %s is no clone any more", self.clone)
        return payload
