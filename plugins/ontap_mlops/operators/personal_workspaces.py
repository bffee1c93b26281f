"""Operator on the workspaces of persons: made, shown, extended, ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ontap_mlops import names, registry
from ontap_mlops.operators.base import OntapOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client
    from ontap_mlops.ontap.personal_workspaces import PersonalWorkspace
    from ontap_mlops.records import DatasetVersion

MAKE, SHOW, EXTEND, END = "make", "show", "extend", "end"
ACTIONS = {
    MAKE: "Make one",
    SHOW: "Say where one is, and until when",
    EXTEND: "Let one end at another time",
    END: "End one now",
}


class PersonalWorkspaceOperator(OntapOperator):
    """Make a workspace for a person, say where it is, let it end at another time, or end it now.

    A workspace is a writable copy of one dataset version that costs no space until it is written to: mounted in the
    SVM's namespace and, if wanted, shown as an S3 bucket. It ends at its time (see :class:`WorkspaceCollectOperator`,
    which every ingest runs), with all that is in it. Whatever is asked for, workspaces on the same SVM whose time is
    over are removed.

    :param action: ``make``, ``show``, ``extend`` or ``end``; to show or end one that is not there is no error.
    :param dataset: name in datasets.yaml, or a dataset by value; the workspace is on its connection and SVM.
    :param name: of the workspace, up to 30 small letters, digits and underscores; one person may have several.
    :param person: whose it is; who triggered the run if empty.
    :param version: id of a dataset version, its snapshot's name or UUID; the newest if empty.
    :param days: how long from now on it lives.
    :param junction_path: where it is mounted; ``/<volume>`` if empty.
    :param with_bucket: make the S3 bucket too; needs the SVM's S3 server (see the DAG ``provision_ontap``).
    :return: ``volume``, ``svm``, ``junction_path``, ``bucket``, ``version``, ``until`` (None after its end),
        ``name``, what a claim or a server for it may be called on Kubernetes, and ``expired``, the names of others that
        were removed.
    """

    template_fields: Sequence[str] = (
        "action",
        "dataset",
        "name",
        "person",
        "version",
        "days",
        "junction_path",
        "with_bucket",
    )

    def __init__(
        self,
        *,
        action: str,
        dataset: str | registry.Dataset | Mapping[str, Any],
        name: str,
        person: str = "",
        version: str = "",
        days: float | str = 7,
        junction_path: str = "",
        with_bucket: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.action = action
        self.dataset = registry.as_argument(dataset)
        self.name = name
        self.person = person
        self.version = version
        self.days = days
        self.junction_path = junction_path
        self.with_bucket = with_bucket

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import cluster, personal_workspaces

        dataset, person = registry.as_dataset(self.dataset), self._person(context)
        volume = names.personal_workspace(person, self.name)  # before ONTAP is asked for anything
        if self.action not in ACTIONS:
            raise ValueError(f"action is {self.action!r}; it is one of {', '.join(ACTIONS)}")
        self.ontap_conn_id = dataset.ontap_conn_id
        svm = self.hook.svm(dataset.svm)
        with self.hook.client() as client:
            lent = self._act(client, svm, dataset, person, context)
            expired = personal_workspaces.collect(client, svm=svm, now=cluster.now(client))
        self.log.info(
            "Workspace %s of %s: %s", self.name, person, f"until {lent.until.isoformat()}" if lent else "there is none"
        )
        bucket = names.bucket(volume) if lent and self._wants_bucket() else None
        return {
            "name": names.personal_server(person, self.name),
            "volume": volume,
            "svm": svm,
            "junction_path": lent.volume.junction_path if lent else None,
            "bucket": bucket,
            "version": lent.version if lent else None,
            "until": lent.until.isoformat() if lent else None,
            "expired": [name for name in expired if name != volume],
        }

    def _act(
        self, client: Client, svm: str, dataset: registry.Dataset, person: str, context: Context
    ) -> PersonalWorkspace | None:
        from ontap_mlops.ontap import personal_workspaces

        whose: dict[str, Any] = {"svm": svm, "person": person, "name": self.name}
        if self.action == END:
            personal_workspaces.end(client, **whose)
            return None
        if self.action == SHOW:
            return personal_workspaces.find(client, **whose)
        if self.action == EXTEND:
            return personal_workspaces.extend(client, **whose, until=self._until(context))
        version = self._chosen(client, svm, dataset)
        return personal_workspaces.ensure(
            client,
            **whose,
            version=version.id,
            parent_volume=version.volume,
            parent_snapshot=version.snapshot,
            until=self._until(context),
            junction_path=self.junction_path or None,
            with_bucket=self._wants_bucket(),
        )

    def _chosen(self, client: Client, svm: str, dataset: registry.Dataset) -> DatasetVersion:
        """The named version, or the newest; a workspace that is there keeps the version it is on."""
        from ontap_mlops.ontap import dataset_versions

        adopt = dataset_versions.Adoption(*dataset.adopted)
        found = dataset_versions.list_versions(
            client, svm=svm, volume=dataset.volume, dataset=dataset.name, adopt=adopt
        )
        wanted = self.version or self._present(client, svm)
        for version in found:
            if wanted in (version.id, version.snapshot, version.snapshot_uuid):
                return version
        if self.version or not found:
            known = ", ".join(version.id for version in found[-5:]) or "none; run its ingest first"
            raise ValueError(f"Dataset {dataset.name} has no version {self.version or 'yet'}; the newest are: {known}.")
        return found[-1]

    def _present(self, client: Client, svm: str) -> str | None:
        from ontap_mlops.ontap import personal_workspaces

        there = personal_workspaces.find(client, svm=svm, person=self.person, name=self.name)
        return there.version if there else None

    def _person(self, context: Context) -> str:
        """Kept, so that later looks and a retry mean the same."""
        self.person = self.person or getattr(context["dag_run"], "triggering_user_name", None) or ""
        if not self.person:
            raise ValueError("person is empty, and nobody in particular triggered the run; say whose workspace it is")
        return self.person

    def _until(self, context: Context) -> datetime:
        """The same on every try: counted from when the run was asked for."""
        days = float(self.days)
        if days <= 0:
            raise ValueError(f"days is {self.days}; give more than 0, or end the workspace")
        return context["dag_run"].run_after + timedelta(days=days)

    def _wants_bucket(self) -> bool:
        return str(self.with_bucket).lower() == "true"
