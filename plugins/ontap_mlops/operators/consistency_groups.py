"""Operators on consistency groups: a dataset and its models frozen together, and put back together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import run_key

if TYPE_CHECKING:
    from airflow.sdk import Context


class _OnGroup(OntapOperator):
    """Base of the operators on one group: its name, and the SVM (the connection's own if not given)."""

    template_fields: Sequence[str] = ("group", "svm")

    def __init__(self, *, group: str, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.group = group
        self.svm = svm


class OntapConsistencyGroupEnsureOperator(_OnGroup):
    """Ensure that a consistency group has at least these volumes. Needs ONTAP 9.10.1.

    A volume can be in one group only; one whose snapshots can be locked in none.

    :param group: name.
    :param volumes: names of volumes of the SVM.
    :param svm: the connection's own if not given.
    :return: ``uuid``, ``name``, ``volumes``.
    """

    template_fields: Sequence[str] = (*_OnGroup.template_fields, "volumes")

    def __init__(self, *, volumes: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volumes = volumes

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import consistency_groups

        with self.hook.client() as client:
            svm = self.hook.svm(self.svm)
            made = consistency_groups.ensure(client, svm=svm, name=self.group, members=self.volumes)
        self.log.info("Consistency group %s has volumes %s", made.name, ", ".join(sorted(made.volumes)))
        return {"uuid": made.uuid, "name": made.name, "volumes": sorted(made.volumes)}


class OntapConsistencyGroupSnapshotOperator(_OnGroup):
    """Freeze all volumes of a group in one act, as they are at one moment: all of them, or none.

    Each volume then has a snapshot of that name. A retry finds that of its first try, by name and comment.

    :param group: name.
    :param snapshot: name; deterministic, so that a retry means the same one.
    :param comment: facts to keep with it, at most 255 characters.
    :param snapmirror_label: SnapMirror label, which mirror policies select by.
    :param svm: the connection's own if not given.
    :return: ``uuid``, ``name``, ``created_at``, ``snapshots``: volume to the UUID of its snapshot.
    """

    template_fields: Sequence[str] = (*_OnGroup.template_fields, "snapshot", "comment", "snapmirror_label")

    def __init__(
        self, *, snapshot: str, comment: str = "ontap-mlops", snapmirror_label: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.comment = comment
        self.snapmirror_label = snapmirror_label

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import consistency_groups

        with self.hook.client() as client:
            group = consistency_groups.get(client, svm=self.hook.svm(self.svm), name=self.group)
            made = consistency_groups.ensure_snapshot(
                client, group=group, name=self.snapshot, comment=self.comment, label=self.snapmirror_label
            )
        self.log.info("Snapshot %s of %s, made %s", made.name, ", ".join(sorted(made.snapshots)), made.created_at)
        facts = {"uuid": made.uuid, "name": made.name, "created_at": made.created_at}
        return facts | {"snapshots": made.snapshots}


class OntapConsistencyGroupRestoreOperator(_OnGroup):
    """Put all volumes of a group back to one of its snapshots. By itself nothing is lost, as with one volume.

    Nothing is touched before all volumes are held for it; the second of two runs waits its turn by retrying.

    :param group: name.
    :param snapshot: name of a snapshot of the group.
    :param svm: the connection's own if not given.
    :param safety: keep how each volume was as a snapshot, and every snapshot. Without, ONTAP restores all in one step.
    :param discard_newer: without safety only: let the newer snapshots of the volumes go.
    :return: ``snapshot``, ``safety``: volume to the snapshot of how it was before (None where nothing differed).
    """

    template_fields: Sequence[str] = (*_OnGroup.template_fields, "snapshot")

    def __init__(self, *, snapshot: str, safety: bool = True, discard_newer: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if safety and discard_newer:
            raise ValueError(
                f"consistency group {self.group!r}: newer snapshots are never lost with safety snapshots; leave "
                "discard_newer out, or set safety=False if they are meant to go"
            )
        self.snapshot = snapshot
        self.safety = safety
        self.discard_newer = discard_newer

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import consistency_groups

        kept: dict[str, str | None] = {}
        with self.hook.client() as client:
            group = consistency_groups.get(client, svm=self.hook.svm(self.svm), name=self.group)
            owner = run_key(context)
            if self.safety:
                done = consistency_groups.restore_keeping_all(client, group=group, snapshot=self.snapshot, owner=owner)
                kept = {volume: restored.safety for volume, restored in done.items()}
            else:
                consistency_groups.restore_in_one_step(
                    client, group=group, snapshot=self.snapshot, owner=owner, discard_newer=self.discard_newer
                )
        self.log.info("Volumes %s are as in snapshot %s", ", ".join(sorted(group.volumes)), self.snapshot)
        for volume, safety in kept.items():
            self.log.info("Volume %s as it was before: snapshot %s", volume, safety or "(it did not differ)")
        return {"snapshot": self.snapshot, "safety": kept}


class OntapConsistencyGroupDeleteOperator(_OnGroup):
    """Dissolve a consistency group. Its volumes and their snapshots stay; one that does not exist is no error.

    :param group: name.
    :param svm: the connection's own if not given.
    :return: whether there was one.
    """

    def execute(self, context: Context) -> bool:
        from ontap_mlops.ontap import consistency_groups

        with self.hook.client() as client:
            removed = consistency_groups.delete(client, svm=self.hook.svm(self.svm), name=self.group)
        self.log.info("Consistency group %s %s", self.group, "dissolved" if removed else "was gone already")
        return removed
