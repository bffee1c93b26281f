"""Operators that find what nobody needs any more on an SVM, and remove it: this project's snapshots, clones, caches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops import registry, settings
from ontap_mlops.operators import telling
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import is_over, needed, owner_of, run_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.cache_uses import IsOver
    from ontap_mlops.ontap.client import Client
    from ontap_mlops.operators.reclaim_rules import Judgement

PLAN = "plan"
_OVER = ["success", "failed"]


class _Reclaim(OntapOperator):
    """Base of both: judges what is there by the same rules."""

    template_fields: Sequence[str] = ("svm", "keep_newest_models", "workspace_days", "safety_days", "experiment_days")

    def __init__(
        self,
        *,
        svm: str | None = None,
        keep_newest_models: int | str = 10,
        workspace_days: float | str | None = None,
        safety_days: float | str | None = None,
        experiment_days: float | str | None = None,
        mlflow_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.svm = svm
        self.keep_newest_models = keep_newest_models
        self.workspace_days = workspace_days
        self.safety_days = safety_days
        self.experiment_days = experiment_days
        self.mlflow_conn_id = mlflow_conn_id

    def judge(self, client: Client, context: Context) -> Judgement:
        from ontap_mlops.operators import reclaim_items, reclaim_rules

        if int(self.keep_newest_models) < 1:
            raise ValueError(f"keep_newest_models is {self.keep_newest_models}; keep at least 1 version of each model")
        rules = reclaim_items.Rules(
            svm=self.hook.svm(self.svm),
            conn_id=self.ontap_conn_id,
            mlflow_conn_id=self.mlflow_conn_id,
            runs=lambda dag_id, run_id: _is_over(context["ti"], dag_id, run_id),
            run_key=run_key(context),
            owner=owner_of(context),
            keep_newest_models=int(self.keep_newest_models),
            workspace_days=_days(self.workspace_days),
            safety_days=_days(self.safety_days),
            experiment_days=_days(self.experiment_days),
        )
        return reclaim_rules.judge(client, rules)


class ReclaimPlanOperator(_Reclaim):
    """List every snapshot, clone and cache that this project made on an SVM: what removing it frees, or why it stays.

    Nothing is removed. Volumes on which ONTAP's limit of 1,023 snapshots is near are named in the log and in the note
    of the run; ``[ontap_mlops] snapshot_warning`` says from how many on.

    :param svm: the connection's own if empty.
    :param keep_newest_models: how many of the newest versions of each model stay, at least 1.
    :param workspace_days: for how long the workspaces of failed runs stay; ``[ontap_mlops]
        keep_failed_workspaces_days`` if not given.
    :param safety_days: for how long the snapshots stay that restores leave (``mlops_before_...``); ``[ontap_mlops]
        keep_safety_snapshots_days`` if not given.
    :param experiment_days: for how long experiments stay that nothing refers to: no clone, no lock, no model version
        that is not retired, no run that goes on. If not given, all of them stay.
    :param mlflow_conn_id: registry whose models and trainings protect what they stand on.
    :return: ``svm``, ``items`` (each with ``kind``, ``name``, ``volume``, ``uuid``, ``created_at``, ``reason`` or None,
        ``bytes``), ``bytes`` freed by all that may go, at least, and ``near_limit`` (volume to number of snapshots).
    """

    def execute(self, context: Context) -> dict[str, Any]:
        with self.hook.client() as client:
            judged = self.judge(client, context)
        plan = plan_of(self.hook.svm(self.svm), judged)
        for line in lines(plan):
            self.log.info("%s", line)
        if plan["near_limit"]:
            sentence = warning(plan["near_limit"])
            self.log.warning("%s", sentence)
            telling.add_note(context, sentence)
        return plan


class ReclaimOperator(_Reclaim):
    """Remove what a :class:`ReclaimPlanOperator` has named and what may still go at a second look.

    What was taken into use since, and what ONTAP calls busy, stays, with the reason in the log. A retry removes what is
    left. The folder of a removed model version goes with the next retention of its training DAG.

    :param plan: task id of the step that made the plan.
    :param remove: whether to; otherwise skip, and leave all as it is.
    :param svm: as for the plan, like the other parameters.
    :return: ``removed`` (names), ``kept`` (name to reason, of what the plan named), ``bytes`` freed, at least.
    """

    template_fields: Sequence[str] = (*_Reclaim.template_fields, "remove")

    def __init__(self, *, plan: str = PLAN, remove: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.remove = remove

    def execute(self, context: Context) -> dict[str, Any]:
        wanted = {item["uuid"]: item for item in needed(context, self.plan)["items"] if item["reason"] is None}
        if str(self.remove).lower() != "true":
            self.skip_because(context, f"Dry run: {len(wanted)} things could go, and all stay.", note=False)
        if not wanted:
            return {"removed": [], "kept": {}, "bytes": 0}
        with self.hook.client() as client:
            reasons = self._remove(self.judge(client, context), wanted, is_over(context))
        for uuid, reason in reasons.items():
            self.log.info("%s %s", wanted[uuid]["name"], f"stays: {reason}" if reason else "removed")
        gone = [wanted[uuid] for uuid, reason in reasons.items() if reason is None]
        return {
            "removed": [item["name"] for item in gone],
            "kept": {wanted[uuid]["name"]: reason for uuid, reason in reasons.items() if reason},
            "bytes": sum(item["bytes"] or 0 for item in gone),
        }

    def _remove(self, judged: Judgement, wanted: Mapping[str, Any], over: IsOver) -> dict[str, str | None]:
        """UUID to the reason why it stays; None for what is gone, by this try or before."""
        from ontap_mlops.operators import cache_judging
        from ontap_mlops.operators.reclaim_clones import CACHE

        now = {item.uuid: item for item in judged.items}
        reasons: dict[str, str | None] = {}
        for uuid in wanted:
            if uuid in now and now[uuid].reason is None:
                reasons[uuid] = judged.remove[uuid]()
            else:
                reasons[uuid] = now[uuid].reason if uuid in now else None
            if uuid not in now and wanted[uuid]["kind"] == CACHE:  # a try that died may have left its clone at home
                cache_judging.remove_left_origin(wanted[uuid]["name"], registry.usable(), over)
        return reasons


def plan_of(svm: str, judged: Judgement) -> dict[str, Any]:
    """Return what :class:`ReclaimPlanOperator` returns."""
    items = [item.to_json() for item in judged.items]
    return {
        "svm": svm,
        "items": items,
        "bytes": sum(item["bytes"] or 0 for item in items),
        "near_limit": judged.contents.near_limit(settings.snapshot_warning()),
    }


def lines(plan: Mapping[str, Any]) -> list[str]:
    """Say in words what a plan holds: what may go first, then what stays and why."""
    going = [item for item in plan["items"] if item["reason"] is None]
    staying = [item for item in plan["items"] if item["reason"] is not None]
    freed = f"{plan['bytes'] / 1e6:,.1f} MB"
    said = [
        f"SVM {plan['svm']}: {len(going)} of {len(plan['items'])} things of ours may go; that frees {freed} or more."
    ]
    said += [f"may go  {_called(item)}: {(item['bytes'] or 0) / 1e6:,.1f} MB" for item in going]
    return said + [f"stays   {_called(item)}: {item['reason']}" for item in staying]


def warning(near: Mapping[str, int]) -> str:
    """Say which volumes are near ONTAP's limit."""
    listed = ", ".join(f"{name} ({count})" for name, count in near.items())
    return (
        f"ONTAP keeps at most 1,023 snapshots of a volume, and is near that on {listed}. Lower keep.versions or "
        "keep.days in datasets.yaml, or remove snapshots that others made."
    )


def _called(item: Mapping[str, Any]) -> str:
    return f"{item['kind']} {item['name']} of volume {item['volume']}"


def _days(given: float | str | None) -> float | None:
    return None if given is None or given == "" else float(given)


def _is_over(ti: Any, dag_id: str, run_id: str) -> bool | None:
    asked = {"dag_id": dag_id, "run_ids": [run_id]}
    if not ti.get_dr_count(**asked):
        return None
    return bool(ti.get_dr_count(**asked, states=_OVER))
