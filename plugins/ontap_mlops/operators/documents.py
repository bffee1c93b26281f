"""Operators on indexes of documents: their programs, and whether an index may serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BranchMixIn

from ontap_mlops import names
from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.context import needed, run_key, run_record
from ontap_mlops.operators.snapshots import OntapSnapshotExpireOperator
from ontap_mlops.operators.version_program import VersionProgramOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.compute.workload import Workload

INDEX = "documents_index"
"""Volume of the index; its snapshots serve."""
SERVE, REMEMBER, LEAVE = "serve", "remember", "leave"
EVALUATE, DECIDE, SERVED = "evaluate", "decide", "serve"
RECALL = "recall_at_5"
PROMOTE = {
    "if_better": "If not worse than what serves (for its date only in a backfill)",
    "if_better_even_in_backfill": "If not worse, in a backfill too",
    "always": "Always",
    "never": "For its date only",
}
POLICIES = {
    "strict": "strict: a document with any finding stays out",
    "mask": "mask, and keep health, biometric and legal data out",
    "open": "list only",
}
BUT = "^(personal|financial|health|biometric|location|communication|online|legal)=(refuse|keep_out|mask|list)$"
"""Pattern of what a policy does with one kind; the program has both lists too."""
BY_SERVICE = "service"
ASK_BY = {BY_SERVICE: "the document service", "index": "the frozen index itself"}


class DocumentsProgramOperator(VersionProgramOperator):
    """Run a program of documents, ``tasks.documents.<program>``, with the index's volume as its folder ``index``.

    :param program: name of the program, and of the task where it has no other.
    :param decided: hand over what ``decide`` and, where it has ended, ``serve`` say.
    :param documents_conn_id: ``http`` connection to the document service, for a program whose flag ``by`` names it.
    :return: what the program says.
    """

    def __init__(
        self, *, program: str, decided: bool = False, documents_conn_id: str = "documents_default", **kwargs: Any
    ) -> None:
        named = {"task_id": program, "program": f"tasks.documents.{program}", "volumes": {"index": INDEX}}
        super().__init__(**{**named, **kwargs})
        self.decided = decided
        self.documents_conn_id = documents_conn_id

    def workload(self, context: Context) -> Workload:
        asks = (self.flags or {}).get("by") == BY_SERVICE
        self.service_conn_ids = {"DOCUMENTS": self.documents_conn_id} if asks else None
        return super().workload(context)

    def run_facts(self, context: Context) -> dict[str, Any]:
        return {**super().run_facts(context), "index_snapshot": names.snapshot(run_key(context))}

    def run_flags(self, context: Context) -> dict[str, Any]:
        if not self.decided:
            return {}
        decision = needed(context, DECIDE)
        if self.task_id == SERVED:
            facts = {name: decision[name] for name in ("decision", "threshold")}
            return {**facts, "instead-of": decision["served"] or None}
        return {"before": needed(context, SERVED)["before"] or None}


class DocumentsDecideOperator(MlopsOperator, BranchMixIn):
    """Branch to ``serve`` where the run's index serves, or is known for the date of its version; else to ``summary``.

    It serves where its recall is at least ``minimum_recall`` and, against what serves, the interval of the difference
    in recall does not go further down than ``margin``: where that is in doubt, what serves goes on to serve. Of an
    older version than the one that serves, it is known for its date.

    :param minimum_recall: share of the questions of which one of the first five passages must answer.
    :param margin: by how much recall may be lower, at most.
    :return: ``decision`` (``serve``, ``remember`` or ``leave``), ``reason``, ``served`` (run key of what it was judged
        against) and ``threshold``.
    """

    template_fields: Sequence[str] = (*MlopsOperator.template_fields, "minimum_recall", "margin")
    inherits_from_skipmixin = True

    def __init__(self, *, minimum_recall: float | str = 0.6, margin: float | str = 0.05, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.minimum_recall = minimum_recall
        self.margin = margin

    def execute(self, context: Context) -> dict[str, Any]:
        judged, run = needed(context, EVALUATE), run_record(context)
        decision, reason = decided(
            judged, run.promote, run.dataset_version.created_at, float(self.minimum_recall), float(self.margin)
        )
        self.log.info("%s: %s", decision, reason)
        self.do_branch(context, ["summary"] if decision == LEAVE else [SERVED, "summary"])
        return {
            "decision": decision,
            "reason": reason,
            "served": judged["served"],
            "threshold": judged["threshold"],
        }


class DocumentsExpireOperator(OntapSnapshotExpireOperator):
    """Remove old indexes; never the one that served when this run's was judged, which may still serve."""

    def execute(self, context: Context) -> dict[str, Any]:
        served = needed(context, DECIDE)["served"]
        self.keep = [*self.keep, *([names.snapshot(served)] if served else [])]
        return super().execute(context)


def decided(judged: Mapping[str, Any], promote: str, created_at: str, minimum: float, margin: float) -> tuple[str, str]:
    """Return the decision on an evaluation, and why.

    :param promote: the policy that holds for the run; ``created_at`` the time of its dataset version, in ISO 8601.
    """
    serves = bool(judged["served"])
    recall = judged["metrics"]["challenger"][RECALL]
    if promote == "never":
        return _for_its_date(serves, "the run was asked not to let it serve")
    if promote == "always":
        return SERVE, "the run was asked to let it serve in any case"
    if recall < minimum:
        return LEAVE, f"recall at 5 is {recall:.3f}, and at least {minimum:g} is asked for"
    if serves and created_at < judged["served_at_version"]:
        return _for_its_date(serves, f"a younger version serves, of {judged['served_at_version']}")
    if not serves:
        return SERVE, f"no index serves yet, and recall at 5 is {recall:.3f}"
    gain = judged["comparison"][RECALL]
    told = f"recall at 5 differs by {gain['gain']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f}) from what serves"
    if gain["low"] < -margin:
        return LEAVE, f"{told}, which may be more than {margin:g} worse"
    return SERVE, told


def _for_its_date(serves: bool, why: str) -> tuple[str, str]:
    if serves:
        return REMEMBER, f"it answers for its date, since {why}"
    return LEAVE, f"{why}, and without an index that serves none is known for its date"
