"""Operators on workspaces: a clone of one dataset version for one run, its end, and the collection of kept ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops import names, settings
from ontap_mlops.operators import ending
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import run_key, run_record
from ontap_mlops.operators.lineage import LineageMixin
from ontap_mlops.operators.links import DatasetVersionLink
from ontap_mlops.records import DatasetVersion, Workspace

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client

_OVER = ["success", "failed"]
_FAILED = ("failed", "upstream_failed")


class WorkspaceCreateOperator(LineageMixin, OntapOperator):
    """Clone one dataset version for this run: mounted in the SVM's namespace and, if wanted, shown as an S3 bucket.

    Use as setup, with :class:`WorkspaceDeleteOperator` as its teardown. A retry finds the clone of its first try, and a
    cleared run the clone that was kept when it failed, with all that is in it.

    :param dataset_version: DatasetVersion, as JSON; the one that ``choose`` settled for the run if not given.
    :param with_bucket: also make the bucket; needs the SVM's S3 server (see the DAG ``provision_ontap``).
    :return: the Workspace, as JSON.
    """

    template_fields: Sequence[str] = ("dataset_version", "with_bucket")
    operator_extra_links = (DatasetVersionLink(),)

    def __init__(self, *, dataset_version: Any = None, with_bucket: bool | str = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset_version = dataset_version
        self.with_bucket = with_bucket

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import workspaces

        given, key = self.dataset_version, run_key(context)
        version = DatasetVersion.from_json(given) if given else run_record(context).dataset_version
        with_bucket = str(self.with_bucket).lower() == "true"
        with self.hook.client() as client:
            clone = workspaces.ensure(
                client,
                svm=version.svm,
                run_key=key,
                airflow_run=f"{context['dag_run'].dag_id}/{context['dag_run'].run_id}",
                parent_volume=version.volume,
                parent_snapshot=version.snapshot,
                with_bucket=with_bucket,
            )
        workspace = Workspace(
            run_key=key,
            svm=version.svm,
            volume=clone.name,
            volume_uuid=clone.uuid,
            junction_path=names.junction_path(clone.name),
            bucket=names.bucket(clone.name) if with_bucket else "",
            dataset_version=version,
        )
        self.log.info("Workspace %s of dataset version %s", workspace.junction_path, version.id)
        self.tell_lineage(workspace)
        return workspace.to_json()


class WorkspaceDeleteOperator(OntapOperator):
    """Remove the run's workspace, or mark it as kept when a task of the run failed, so that clearing resumes in it.

    What a failed run keeps is collected after ``[ontap_mlops] keep_failed_workspaces_days`` (see
    :class:`WorkspaceCollectOperator`). It goes by the run's key, not by what the setup returned, so that a clone is
    found even if the setup died before it could say so. Does nothing where there is none. Programs that still run
    although their task is over are stopped before.

    :param svm: SVM of the dataset; the connection's own if empty.
    :return: ``removed`` and ``kept``, true or false.
    """

    template_fields: Sequence[str] = ("svm",)

    def __init__(self, *, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.svm = svm

    def execute(self, context: Context) -> dict[str, bool]:
        from ontap_mlops.ontap import workspaces

        key, svm, states = run_key(context), self.hook.svm(self.svm), ending.task_states(context)
        ending.end_programs(context, states or {})
        # When nobody can tell, that counts as a failure: in doubt it is kept.
        failed = ["states that could not be read"] if states is None else self._failed(states)
        with self.hook.client() as client:
            if not failed:
                return {"removed": workspaces.remove(client, svm=svm, run_key=key), "kept": False}
            kept = workspaces.keep(client, svm=svm, run_key=key)
        if kept is not None:
            self.log.warning(
                "Workspace %s is kept because of %s: clear what failed within %s days to resume in it. "
                "It is removed after that.",
                kept.name,
                ", ".join(failed),
                settings.keep_failed_workspaces_days(),
            )
        return {"removed": False, "kept": kept is not None}

    def _failed(self, states: Mapping[str, Any]) -> list[str]:
        return sorted(task for task, state in states.items() if str(state) in _FAILED and task != self.task_id)


class WorkspaceCollectOperator(OntapOperator):
    """Remove the workspaces of failed runs that have been kept for long enough, and those of persons that are over.

    Only a clone whose comment says that it is kept, and since when, is removed; one that was taken into use again is
    not kept any more. What no teardown reached (the setup failed half-way, the workers were lost) is marked as kept
    once Airflow knows that its run is over. A workspace whose run Airflow does not know may be another Airflow's: it is
    named in the log and stays.

    :param svm: SVM to look at; the connection's own if empty.
    :param days: for how long they are kept; ``[ontap_mlops] keep_failed_workspaces_days`` if not given.
    :return: ``removed`` (run keys), ``kept`` (run key to the time since when), ``unknown`` (names of volumes) and
        ``expired`` (names of volumes made for a person).
    """

    template_fields: Sequence[str] = ("svm", "days")

    def __init__(self, *, svm: str | None = None, days: float | str | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("trigger_rule", "none_failed")
        super().__init__(**kwargs)
        self.svm = svm
        self.days = days

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import cluster, personal_workspaces, workspaces

        svm = self.hook.svm(self.svm)
        days = settings.keep_failed_workspaces_days() if self.days is None else float(self.days)
        with self.hook.client() as client:
            unknown = self._keep_what_was_left(client, svm, context)
            found, now = workspaces.list_kept(client, svm=svm), cluster.now(client)
            over = [kept for kept in found if workspaces.is_over(kept, days=days, now=now)]
            removed = [kept.run_key for kept in over if workspaces.collect(client, svm=svm, kept=kept)]
            expired = personal_workspaces.collect(client, svm=svm, now=now)
        self.log.info("%s of %s kept workspaces of SVM %s removed", len(removed), len(found), svm)
        stay = {kept.run_key: kept.since.isoformat() for kept in found if kept.run_key not in removed}
        for name in expired:
            self.log.info("Workspace %s was for a person until a time that is over; it is removed", name)
        return {"removed": removed, "kept": stay, "unknown": unknown, "expired": expired}

    def _keep_what_was_left(self, client: Client, svm: str, context: Context) -> list[str]:
        """Mark the workspaces of runs that are over as kept; return the volumes whose run Airflow does not know."""
        from ontap_mlops.ontap import workspaces

        ti: Any = context["ti"]
        unknown = []
        for used in workspaces.list_used(client, svm=svm):
            asked: dict[str, Any] = {"dag_id": used.dag_id, "run_ids": [used.run_id]}
            where = f"Workspace {used.volume.name} of run {used.run_id} of {used.dag_id}"
            if not ti.get_dr_count(**asked):
                unknown.append(used.volume.name)
                self.log.warning("%s: Airflow knows no such run. Remove the volume by hand if nobody uses it.", where)
            elif ti.get_dr_count(**asked, states=_OVER):
                workspaces.keep(client, svm=svm, run_key=used.run_key)
                self.log.info("%s: the run is over and has left it behind; it is kept from now on.", where)
        return unknown
