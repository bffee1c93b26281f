"""The Params of the DAGs that watch a system for drift."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

from ontap_mlops import drift_watches
from ontap_mlops.operators.places import places_param

LIMITS = ("alpha", "effect", "separation", "worse_by", "rows", "limit")
"""Params that the program reads by their names, from the run's record."""
STARTS = {
    drift_watches.CHAMPION: "from the champion's weights, where the system can",
    drift_watches.ANEW: "anew",
    drift_watches.NEVER: "not at all",
}


def drift_params(watch: drift_watches.Watch) -> dict[str, Param]:
    """Return the Params, in the order of the form: data, what follows, limits."""

    def limit(default: float, title: str, description: str, **bounds: Any) -> Param:
        return Param(default, type="number", title=title, description=description, section="Limits", **bounds)

    return {
        "dataset_version": Param(
            None, type=["null", "string"], title="Dataset version", description="Id. Empty: by date, or the newest."
        ),
        "as_of": Param(None, type=["null", "string"], format="date-time", title="Data as of"),
        "model_version": Param(
            None, type=["null", "integer"], minimum=1, title="Model version", description="Empty: the champion."
        ),
        "window_days": Param(
            watch.window_days,
            type="number",
            minimum=0,
            title="Days that are new",
            description="Rows that came in these days before the version; 0: since the model's own version.",
        ),
        "approval": Param(watch.approval, type="boolean", title="A person approves"),
        "start": Param(
            watch.start, type="string", enum=list(STARTS), values_display=STARTS, title="Training that an alarm starts"
        ),
        "alarm_on": Param(
            ["data", "concept"],
            type="array",
            items={"enum": ["data", "concept"]},
            examples=["data", "concept"],
            minItems=1,
            title="Alarm on",
            section="Limits",
        ),
        "alpha": limit(
            0.001, "Chance of a false alarm", "Of each kind of test.", exclusiveMinimum=0, exclusiveMaximum=0.5
        ),
        "effect": limit(0.1, "Distance", "Of a column's distributions, at least.", exclusiveMinimum=0, maximum=0.99),
        "separation": limit(0.6, "Separation", "AUC of telling new from old, at least.", minimum=0.51, maximum=0.99),
        "worse_by": limit(0.03, "Worse by", "Than expected of the champion's figure.", exclusiveMinimum=0),
        "rows": Param(
            100, type="integer", minimum=20, title="Rows", description="Fewer are not judged.", section="Limits"
        ),
        "limit": Param(
            None,
            type=["null", "integer"],
            minimum=20,
            title="Rows at most",
            section="Limits",
            description="Of each side.",
        ),
        "compute": places_param(title="Compute"),
    }
