"""Operators on the size of a volume: set it, or let ONTAP do so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator, bytes_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class OntapVolumeResizeOperator(OntapOperator):
    """Grow a volume, or shrink it as far as what is in it allows.

    One that has the size already is left alone, so a retry changes nothing. A size below what is in use fails the task
    at once, and the sentence says how much that is.

    :param volume: name.
    :param size_bytes: of the volume as a whole, its snapshot reserve among it.
    :param svm: the connection's own if not given.
    :return: ``volume``, ``size_bytes``, ``used_bytes``.
    """

    template_fields: Sequence[str] = ("volume", "size_bytes", "svm")

    def __init__(self, *, volume: str, size_bytes: int | str, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.size_bytes = size_bytes
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import sizes

        with self.hook.client() as client:
            volume = sizes.resize(
                client, svm=self.hook.svm(self.svm), name=self.volume, size_bytes=bytes_of(self.size_bytes)
            )
        self.log.info("Volume %s has %s bytes, %s of them used", volume.name, volume.size_bytes, volume.used_bytes)
        return {"volume": volume.name, "size_bytes": volume.size_bytes, "used_bytes": volume.used_bytes}


class OntapVolumeAutosizeOperator(OntapOperator):
    """Let ONTAP grow a volume that is nearly full, and shrink one that is nearly empty; what is None stays as it is.

    :param volume: name.
    :param mode: ``off``, ``grow`` or ``grow_shrink``.
    :param maximum_bytes: size beyond which the volume never grows by itself.
    :param minimum_bytes: size below which it never shrinks by itself.
    :param grow_threshold: percent of the room for files beyond which it grows.
    :param shrink_threshold: percent below which it shrinks.
    :param svm: the connection's own if not given.
    :return: ``mode``, ``maximum_bytes``, ``minimum_bytes``, ``grow_threshold``, ``shrink_threshold`` as they are now.
    """

    template_fields: Sequence[str] = ("volume", "mode", "maximum_bytes", "minimum_bytes", "svm")

    def __init__(
        self,
        *,
        volume: str,
        mode: str = "grow",
        maximum_bytes: int | str | None = None,
        minimum_bytes: int | str | None = None,
        grow_threshold: int | None = None,
        shrink_threshold: int | None = None,
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.mode = mode
        self.maximum_bytes = maximum_bytes
        self.minimum_bytes = minimum_bytes
        self.grow_threshold = grow_threshold
        self.shrink_threshold = shrink_threshold
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import sizes

        with self.hook.client() as client:
            now = sizes.set_autosize(
                client,
                svm=self.hook.svm(self.svm),
                name=self.volume,
                mode=self.mode,
                maximum_bytes=bytes_of(self.maximum_bytes) if self.maximum_bytes else None,
                minimum_bytes=bytes_of(self.minimum_bytes) if self.minimum_bytes else None,
                grow_threshold=self.grow_threshold,
                shrink_threshold=self.shrink_threshold,
            )
        self.log.info("Autosize of volume %s: %s, up to %s bytes", self.volume, now.mode, now.maximum_bytes)
        return asdict(now)
