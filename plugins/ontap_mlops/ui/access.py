"""Who asks, and what that person may: Airflow's own login, and the rights that Airflow's auth manager knows.

Whoever may see assets sees the hub. Runs are shown to who may see the runs of their DAG, files of a dataset to who may
also see the DAG ``ingest_<dataset>``, and an action to who may start its DAG.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, HTTPException

from ontap_mlops.ui.facts import actions
from ontap_mlops.ui.facts.shapes import Action, ExperimentPage, Lineage, Training, VersionPage
from ontap_mlops.ui.hub import Hub


class Viewer:
    """A person who is logged in, and may see assets."""

    def __init__(self, user: Any) -> None:
        self.user = user
        self._known: dict[tuple[str, str], bool] = {}

    @property
    def name(self) -> str:
        return str(self.user.get_name())

    @cached_property
    def may_look(self) -> bool:
        return bool(get_auth_manager().is_authorized_asset(method="GET", user=self.user))

    def may_read_runs(self, dag_id: str) -> bool:
        return self._may("GET", dag_id, DagAccessEntity.RUN)

    def may_trigger(self, dag_id: str) -> bool:
        return self._may("POST", dag_id, DagAccessEntity.RUN)

    def may_read_files(self, dataset: str) -> bool:
        return self._may("GET", f"ingest_{dataset}", None)

    def of(self, hub: Hub, wanted: Iterable[Action]) -> list[Action]:
        """Those of these actions that there are and that this person may start."""
        listed = list(wanted)
        return actions.permitted(listed, hub.dags(action.dag_id for action in listed), self.may_trigger)

    def trainings(self, found: Iterable[Training]) -> list[Training]:
        """One that names no DAG was started by hand, and is shown to who may see the hub."""
        return [each for each in found if not each.dag_id or self.may_read_runs(each.dag_id)]

    def lineage(self, found: Lineage) -> Lineage:
        return found.model_copy(update={"trainings": self.trainings(found.trainings)})

    def version(self, found: VersionPage) -> VersionPage:
        return found.model_copy(update={"lineage": self.lineage(found.lineage)})

    def experiment(self, found: ExperimentPage) -> ExperimentPage:
        """Without the runs of DAGs whose runs this person may not see."""
        shown = self.trainings([found.training] if found.training else [])
        repeated = [each for each in found.repeated if self.may_read_runs(each.dag_id)]
        return found.model_copy(update={"training": shown[0] if shown else None, "repeated": repeated})

    def _may(self, method: Any, dag_id: str, entity: DagAccessEntity | None) -> bool:
        key = (method, f"{dag_id}/{entity}")
        if key not in self._known:
            manager, details = get_auth_manager(), DagDetails(id=dag_id, team_name=_team(dag_id))
            self._known[key] = bool(
                manager.is_authorized_dag(method=method, access_entity=entity, details=details, user=self.user)
            )
        return self._known[key]


def _team(dag_id: str) -> str | None:
    from airflow.configuration import conf
    from airflow.models.dag import DagModel

    return DagModel.get_team_name(dag_id) if conf.getboolean("core", "multi_team", fallback=False) else None


def viewer(user: Annotated[Any, Depends(get_user)]) -> Viewer:
    """Whoever is logged in and may see the hub; else the request ends with 401 or 403."""
    found = Viewer(user)
    if not found.may_look:
        raise HTTPException(403, "You may not see assets in this Airflow, and so not the data hub. Ask for that right.")
    return found


ViewerDep = Annotated[Viewer, Depends(viewer)]
