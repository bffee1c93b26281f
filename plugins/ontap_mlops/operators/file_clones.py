"""Operator on clones of single files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class OntapFileCloneOperator(OntapOperator):
    """Clone one file within its volume, at once and whatever its size: the clone shares its blocks with the file.

    A file of the same size and time at the target counts as made by an earlier try. Another one is replaced only if
    told, and fails the task at once otherwise. ONTAP clones no files of FlexGroup volumes.

    :param volume: name.
    :param source: path of the file, relative to the volume's top or, where ``snapshot`` is given, to the snapshot's.
    :param target: path of the clone in the same volume; its folder is there.
    :param snapshot: name of a snapshot of the volume: so one file comes back out of it.
    :param overwrite: replace what is at the target.
    :param svm: the connection's own if not given.
    :return: ``path``, ``bytes``.
    """

    template_fields: Sequence[str] = ("volume", "source", "target", "snapshot", "svm")

    def __init__(
        self,
        *,
        volume: str,
        source: str,
        target: str,
        snapshot: str | None = None,
        overwrite: bool = False,
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.source = source
        self.target = target
        self.snapshot = snapshot
        self.overwrite = overwrite
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import file_clones

        with self.hook.client() as client:
            made = file_clones.ensure(
                client,
                svm=self.hook.svm(self.svm),
                volume=self.volume,
                source=self.source,
                target=self.target,
                snapshot=self.snapshot or None,
                overwrite=self.overwrite,
            )
        self.log.info("File %s of volume %s: %s bytes, a clone of %s", self.target, self.volume, made.size, self.source)
        return {"path": self.target, "bytes": made.size}
