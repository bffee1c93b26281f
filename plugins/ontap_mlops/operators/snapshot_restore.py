"""Operators that put a volume, or one file of it, back to how a snapshot has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.context import run_key
from ontap_mlops.operators.snapshots import OnSnapshot, facts_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client


class OntapSnapshotRestoreOperator(OnSnapshot):
    """Put a volume back to a snapshot. By itself it loses nothing: **the volume as it was before stays as a snapshot**.

    A *safety snapshot* is taken first, then the files that differ are put back one by one (sharing their blocks), so
    newer snapshots stay. To go back, run it again with the ``safety`` that it returned. While it works, readers of the
    live volume see files of both; runs work on clones and see nothing of it. A second run that restores the same volume
    meanwhile waits its turn by retrying, naming the first.

    With ``safety=False`` ONTAP restores the whole volume in one step, however large it is: what was written since is
    lost, and **newer snapshots go**; it fails before doing anything when there are newer ones, unless told that they
    may go.

    :param volume: name.
    :param snapshot: name of the snapshot to go back to.
    :param svm: the connection's own if not given.
    :param safety: keep how the volume was, and every snapshot.
    :param discard_newer: without safety only: let the newer snapshots go.
    :return: ``uuid``, ``name``, ``volume_uuid``, ``created_at``, ``comment`` of the snapshot; ``safety``, the name of
        the snapshot of how it was before (None when nothing differed, or without safety); ``restored``, how many files
        were ``added``, ``changed`` and ``removed``.
    """

    def __init__(self, *, safety: bool = True, discard_newer: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if safety and discard_newer:
            raise ValueError(
                f"volume {self.volume!r}: newer snapshots are never lost with a safety snapshot; leave discard_newer "
                "out, or set safety=False if they are meant to go"
            )
        self.safety = safety
        self.discard_newer = discard_newer

    def execute(self, context: Context) -> dict[str, Any]:
        with self.hook.client() as client:
            if self.safety:
                return self._keeping_all(client, run_key(context))
            return self._whole(client, run_key(context))

    def _keeping_all(self, client: Client, owner: str) -> dict[str, Any]:
        from ontap_mlops.ontap import restoring

        uuid = self.volume_uuid(client)
        done = restoring.to_snapshot(client, volume_uuid=uuid, volume=self.volume, snapshot=self.snapshot, owner=owner)
        self.log.info("Volume %s is as in snapshot %s: %s", self.volume, self.snapshot, done.difference)
        if done.safety:
            self.log.info("As it was before, it is in snapshot %s: restore that to go back", done.safety)
        return facts_of(done.snapshot) | {"safety": done.safety, "restored": done.difference.counts}

    def _whole(self, client: Client, owner: str) -> dict[str, Any]:
        from ontap_mlops.ontap import restoring

        wanted = restoring.in_one_step(
            client,
            volume_uuid=self.volume_uuid(client),
            volume=self.volume,
            snapshot=self.snapshot,
            owner=owner,
            discard_newer=self.discard_newer,
        )
        self.log.info("Volume %s is as it was at %s (snapshot %s)", self.volume, wanted.created_at, wanted.name)
        return facts_of(wanted) | {"safety": None, "restored": None}


class OntapFileRestoreOperator(OnSnapshot):
    """Put one file back from a snapshot, over what is there now or beside it; nothing else in the volume changes.

    It shares its blocks with the snapshot, so it takes a moment whatever its size. ONTAP restores no folders this way.

    :param volume: name.
    :param snapshot: name of the snapshot.
    :param path: of the file, from the top of the volume.
    :param target: where to put it in the same volume; in its own place if not given.
    :param svm: the connection's own if not given.
    :return: path of the file that was put there.
    """

    template_fields: Sequence[str] = (*OnSnapshot.template_fields, "path", "target")

    def __init__(self, *, path: str, target: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.target = target

    def execute(self, context: Context) -> str:
        from ontap_mlops.ontap import restoring

        target = (self.target or self.path).strip("/")
        with self.hook.client() as client:
            uuid = self.volume_uuid(client)
            restoring.one_file(client, volume_uuid=uuid, snapshot=self.snapshot, path=self.path, target=target)
        self.log.info("File %s of volume %s is as in snapshot %s", target, self.volume, self.snapshot)
        return target
