"""Operators that find where the data of one person is, for the right to be forgotten."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops import names, registry
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.governance_program import GovernanceProgramOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.compute.workload import Workload
    from ontap_mlops.records import ModelVersion

SUBJECT = "DATA_SUBJECT"
INDEXES = ("documents_index",)  # volumes that hold indexes of dataset versions, where they are there


class DataSubjectCollectOperator(OntapOperator):
    """List every version of the datasets with what locks and clones it, and every model with what it was trained on.

    :param datasets: names in datasets.yaml; all of them if empty.
    :return: ``datasets`` (``name``, ``key``, ``source``, ``versions``), ``models``, ``indexes`` and ``mounts`` by key.
    """

    template_fields: Sequence[str] = ("datasets",)

    def __init__(
        self, *, datasets: Iterable[str] | str = (), mlflow_conn_id: str = "mlflow_default", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.datasets = datasets
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        known = registry.usable()
        wanted = [name.strip() for name in self._names() if name.strip()] or sorted(known)
        if unknown := sorted(set(wanted) - known.keys()):
            raise AirflowFailException(
                f"There is no dataset {', '.join(unknown)}; there are {', '.join(sorted(known))}."
            )
        listed, mounts = [], {}
        for name in wanted:
            found = self._dataset(known[name])
            if found:
                listed.append(found[0])
                mounts[found[0]["key"]] = found[1]
        indexes = {volume: mount for volume in INDEXES if (mount := self._index(volume))}
        models = self._models()
        count = sum(len(each["versions"]) for each in listed)
        self.log.info("%s versions of %s datasets, %s model versions", count, len(listed), len(models))
        return {
            "datasets": listed,
            "models": models,
            "indexes": sorted(indexes),
            "mounts": {**mounts, **indexes},
            "asked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _names(self) -> list[str]:
        return self.datasets.split(",") if isinstance(self.datasets, str) else list(self.datasets)

    def _dataset(self, dataset: registry.Dataset) -> tuple[dict[str, Any], dict[str, Any]] | None:
        from ontap_mlops.hooks.ontap import OntapHook
        from ontap_mlops.ontap import cluster, dataset_versions, snapshots, volumes

        hook = OntapHook(dataset.ontap_conn_id)
        svm = hook.svm(dataset.svm)
        with hook.client() as client:
            versions = dataset_versions.list_versions(
                client,
                svm=svm,
                volume=dataset.volume,
                dataset=dataset.name,
                adopt=dataset_versions.Adoption(*dataset.adopted),
            )
            if not versions:
                return None
            there, now = snapshots.list_of_volume(client, svm=svm, volume=dataset.volume), cluster.now(client)
            locked = {each.uuid: each.locked_until for each in there if each.locked(now)}
            clones = defaultdict(list)
            for volume in volumes.list_volumes(client, svm=svm):
                if volume.is_clone and volume.parent_volume_uuid == versions[0].volume_uuid:
                    clones[volume.parent_snapshot].append(volume.name)
        told = [
            {
                "id": version.id,
                "snapshot": version.snapshot,
                "digest": version.digest,
                "created_at": version.created_at,
                "locked_until": locked.get(version.snapshot_uuid),
                "clones": clones.get(version.snapshot, []),
            }
            for version in versions
        ]
        key = f"data_{dataset.name}"
        return {"name": dataset.name, "key": key, "source": dataset.source, "versions": told}, _mount(
            svm, dataset.volume
        )

    def _index(self, volume: str) -> dict[str, Any] | None:
        from ontap_mlops.ontap import volumes

        with self.hook.client() as client:
            svm = self.hook.svm(None)
            return _mount(svm, volume) if volumes.find(client, svm=svm, name=volume) else None

    def _models(self) -> list[dict[str, Any]]:
        from ontap_mlops.hooks.mlflow import EVIDENCE_TAG, RETIRED_TAG, MlflowHook

        hook = MlflowHook(self.mlflow_conn_id)
        champions, found = hook.champions(), []
        for version, tags in hook.versions_of_all():
            serves = champions.get(version.model) == version.version
            state = "serving" if serves else "retired" if RETIRED_TAG in tags else "registered"
            until = json.loads(tags[EVIDENCE_TAG]).get("until") if EVIDENCE_TAG in tags else None
            found.append({**_told(version), "state": state, "locked_until": until})
        return found


class DataSubjectSearchOperator(GovernanceProgramOperator):
    """Search the versions that ``facts`` lists for a person's identifiers, by ``tasks.governance.search``.

    The identifiers come from the run's Param ``identifiers``, and from the password of the connection that the Param
    ``identifiers_conn_id`` names, one a line. They are masked in logs, never rendered, and a secret of the program.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(program="tasks.governance.search", **kwargs)
        self._subject: list[str] = []

    def workload(self, context: Context) -> Workload:
        from airflow.sdk.log import mask_secret

        params = context["params"]
        given = list(params.get("identifiers") or [])
        if conn_id := params.get("identifiers_conn_id"):
            given += (BaseHook.get_connection(conn_id).password or "").splitlines()
        self._subject = [text.strip() for text in given if text and text.strip()]
        for text in self._subject:
            mask_secret(text)
        if not self._subject:
            raise AirflowFailException(
                "No identifier of a person was given: fill in Identifiers, or name a connection that has some."
            )
        return super().workload(context)

    def _secrets(self) -> dict[str, str]:
        return {**super()._secrets(), SUBJECT: json.dumps(self._subject)}


def _told(version: ModelVersion) -> dict[str, Any]:
    data = version.dataset_version
    return {
        "model": version.model,
        "version": version.version,
        "dataset": data.dataset,
        "dataset_version": data.id,
        "snapshot": version.snapshot,
    }


def _mount(svm: str, volume: str) -> dict[str, Any]:
    return {"svm": svm, "junction_path": names.junction_path(volume), "read_only": True}
