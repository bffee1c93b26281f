"""What the reclaimer speaks of: things of ours, the reason why each stays, and the rules by which they are judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

Removers = dict[str, Callable[[], str | None]]
"""UUID of what may go to the function that removes it, or says why it stays after all."""
Runs = Callable[[str, str], bool | None]
"""(DAG id, run id) to whether the run is over; None where nobody knows such a run."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """``bytes`` is what removing the thing frees; ``reason`` says why it stays, None if it may go."""

    kind: str
    name: str
    volume: str
    uuid: str
    created_at: str
    reason: str | None
    bytes: int | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Whom to ask, and by which rules things of ours become old."""

    svm: str
    conn_id: str
    mlflow_conn_id: str
    runs: Runs
    run_key: str = ""
    """Of the run that asks: a claim of its own is in nobody's way."""
    owner: str = ""
    """The same run as the owner of a lease (``cache_uses.owner``)."""
    keep_newest_models: int = 10
    workspace_days: float | None = None
    """``[ontap_mlops] keep_failed_workspaces_days`` if not given."""
    safety_days: float | None = None
    """``[ontap_mlops] keep_safety_snapshots_days`` if not given."""
    experiment_days: float | None = None
    """Experiments stay if not given."""

    def is_over(self, owner: str) -> bool:
        """Whether the run of such an owner is over for certain."""
        from ontap_mlops.ontap import cache_uses

        run = cache_uses.run_of(owner)
        return run is not None and owner != self.owner and self.runs(*run) is True


def unanswered() -> tuple[type[Exception], ...]:
    """What is raised where MLflow cannot be asked who needs a thing."""
    from airflow.sdk.exceptions import AirflowNotFoundException

    from ontap_mlops.hooks.rest import ServiceError

    return ServiceError, AirflowNotFoundException
