"""Operators on FlexClones, as setup and teardown: a writable copy of a snapshot for a run, and its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops import names
from ontap_mlops.operators.base import OntapOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class OntapCloneCreateOperator(OntapOperator):
    """Clone one snapshot: mounted, and shown as a bucket if wanted. A retry finds the one of its first try.

    Join it with the operator that removes it as ``create.as_setup() >> work >> delete.as_teardown(setups=create)``.

    :param clone: name of the new volume; deterministic, so that a retry means the same one.
    :param parent_volume: name of the volume the snapshot is of.
    :param parent_snapshot: name of the snapshot.
    :param comment: marks the clone as ours; ``ontap-mlops <clone>`` if not given.
    :param junction_path: ``/<clone>`` if not given.
    :param with_bucket: make an S3 bucket over the clone too, named after it.
    :param svm: the connection's own if not given.
    :return: ``uuid``, ``name``, ``svm``, ``junction_path``, ``bucket`` (None without one).
    """

    template_fields: Sequence[str] = ("clone", "parent_volume", "parent_snapshot", "comment", "junction_path", "svm")

    def __init__(
        self,
        *,
        clone: str,
        parent_volume: str,
        parent_snapshot: str,
        comment: str | None = None,
        junction_path: str | None = None,
        with_bucket: bool = False,
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.clone = clone
        self.parent_volume = parent_volume
        self.parent_snapshot = parent_snapshot
        self.comment = comment
        self.junction_path = junction_path
        self.with_bucket = with_bucket
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import clones, marks, s3

        svm, path = self.hook.svm(self.svm), self.junction_path or names.junction_path(self.clone)
        bucket = names.bucket(self.clone) if self.with_bucket else None
        with self.hook.client() as client:
            made = clones.ensure(
                client,
                svm=svm,
                name=self.clone,
                parent_volume=self.parent_volume,
                parent_snapshot=self.parent_snapshot,
                comment=self.comment or marks.mark(self.clone),
                junction_path=path,
            )
            if bucket:
                s3.ensure_nas_bucket(client, svm=svm, name=bucket, nas_path=path)
        self.log.info("Clone %s of snapshot %s at %s", made.name, self.parent_snapshot, path)
        return {"uuid": made.uuid, "name": made.name, "svm": svm, "junction_path": path, "bucket": bucket}


class OntapCloneDeleteOperator(OntapOperator):
    """Remove a clone that carries our mark, and the bucket named after it. What does not exist is no error.

    It goes by name, not by what the setup returned, so it also ends a clone whose setup died before it could return.

    :param clone: name of the volume.
    :param comment: if given, only a clone with exactly this comment is removed.
    :param with_bucket: remove the bucket named after it too, if there is one.
    :param svm: the connection's own if not given.
    :return: whether there was one.
    """

    template_fields: Sequence[str] = ("clone", "comment", "svm")

    def __init__(
        self,
        *,
        clone: str,
        comment: str | None = None,
        with_bucket: bool = True,
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.clone = clone
        self.comment = comment
        self.with_bucket = with_bucket
        self.svm = svm

    def execute(self, context: Context) -> bool:
        from ontap_mlops.ontap import clones

        svm = self.hook.svm(self.svm)
        with self.hook.client() as client:
            if self.with_bucket:
                bucket = names.bucket(self.clone)
                removed = clones.delete_with_bucket(
                    client, svm=svm, name=self.clone, bucket=bucket, comment=self.comment
                )
            else:
                removed = clones.delete(client, svm=svm, name=self.clone, comment=self.comment)
        self.log.info("Clone %s of SVM %s %s", self.clone, svm, "removed" if removed else "was gone already")
        return removed
