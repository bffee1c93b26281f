"""Operators on workspaces: a clone of one dataset version for one run, and its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops import names
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import run_key
from ontap_mlops.operators.links import OntapSnapshotLink
from ontap_mlops.records import DatasetVersion, Workspace

if TYPE_CHECKING:
    from airflow.sdk import Context


class WorkspaceCreateOperator(OntapOperator):
    """Clones one dataset version for this run: mounted in the SVM's namespace and, if wanted, seen as an S3 bucket.

    Use as setup, with :class:`WorkspaceDeleteOperator` as its teardown. A retry finds the clone of its first try.

    :param dataset_version: DatasetVersion, as JSON.
    :param with_bucket: also make the bucket; needs the SVM's S3 server (see the DAG ``provision_ontap``).
    :return: the Workspace, as JSON.
    """

    template_fields: Sequence[str] = ("dataset_version", "with_bucket")
    operator_extra_links = (OntapSnapshotLink(),)

    def __init__(self, *, dataset_version: Any, with_bucket: bool | str = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset_version = dataset_version
        self.with_bucket = with_bucket

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import clones, s3

        version, key = DatasetVersion.from_json(self.dataset_version), run_key(context)
        name = names.workspace_volume(key)
        bucket = names.bucket(name) if str(self.with_bucket).lower() == "true" else ""
        with self.hook.client() as client:
            clone = clones.ensure(
                client,
                svm=version.svm,
                name=name,
                parent_volume=version.volume,
                parent_snapshot=version.snapshot,
                junction_path=names.junction_path(name),
                comment=f"ontap-mlops run {key}",
            )
            if bucket:
                s3.ensure_nas_bucket(client, svm=version.svm, name=bucket, nas_path=names.junction_path(name))
        OntapSnapshotLink.persist(context, self.ontap_conn_id, version)
        workspace = Workspace(
            run_key=key,
            svm=version.svm,
            volume=name,
            volume_uuid=clone.uuid,
            junction_path=names.junction_path(name),
            bucket=bucket,
            dataset_version=version,
        )
        self.log.info("Workspace %s of dataset version %s", workspace.junction_path, version.id)
        return workspace.to_json()


class WorkspaceDeleteOperator(OntapOperator):
    """Removes the run's workspace, its bucket and what is in them. Does nothing where there is none.

    It goes by the run's key, not by what the setup returned, so that a clone is found even if the setup died before it
    could say so.

    :param svm: SVM of the dataset.
    """

    template_fields: Sequence[str] = ("svm",)

    def __init__(self, *, svm: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.svm = svm

    def execute(self, context: Context) -> None:
        from ontap_mlops.ontap import s3, volumes

        key = run_key(context)
        name = names.workspace_volume(key)
        with self.hook.client() as client:
            s3.delete_bucket(client, svm=self.svm, name=names.bucket(name))
            volumes.delete(client, svm=self.svm, name=name, comment=f"ontap-mlops run {key}")
