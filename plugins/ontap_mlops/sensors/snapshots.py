"""Sensors on snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from ontap_mlops.sensors.base import OntapSensor


class OntapSnapshotSensor(OntapSensor):
    """Waits until a volume has a snapshot of this name or label, whoever makes it.

    :param volume: name.
    :param snapshot: name or pattern, such as ``weekly.*``.
    :param snapmirror_label: SnapMirror label it must have; any if empty.
    :param newer_than: ISO 8601 time by ONTAP's clock after which it must have been made; any time if empty.
    :param svm: the connection's own if not given.
    :return: the newest that fits: ``uuid``, ``name``, ``volume_uuid``, ``created_at``, ``comment``, ``label``.
    """

    template_fields: Sequence[str] = ("volume", "snapshot", "snapmirror_label", "newer_than", "svm")
    look: ClassVar[str] = "ontap_mlops.ontap.looking.snapshot"

    def __init__(
        self,
        *,
        volume: str,
        snapshot: str = "*",
        snapmirror_label: str = "",
        newer_than: str | None = None,
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.snapshot = snapshot
        self.snapmirror_label = snapmirror_label
        self.newer_than = newer_than
        self.svm = svm

    def subject(self) -> dict[str, Any]:
        return {
            "svm": self.hook.svm(self.svm),
            "volume": self.volume,
            "name": self.snapshot,
            "label": self.snapmirror_label or "",
            "newer_than": str(self.newer_than or ""),
        }
