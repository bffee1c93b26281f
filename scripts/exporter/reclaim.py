"""How much space could be reclaimed, judged as the DAG ``reclaim_space`` judges it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from urllib.parse import quote

from scripts.exporter.looking import Figures, Look, Told

_DOUBT = "it cannot be asked who needs it"
_LABELS = ("ontap_conn_id", "svm", "kind")


class Unclear(Exception):
    """Somebody who would know what is needed did not answer."""


class Reclaim:
    """The SVMs that datasets live on. ONTAP works out what removing a snapshot frees: it is asked seldom."""

    kind = "reclaim"
    every_s = 900.0
    kept_looks = 3
    metrics: Mapping[str, Told] = {
        "reclaimable_bytes": Told("Space that is freed, at least, by removing what nobody needs any more.", _LABELS),
        "reclaimable_items": Told("Things of this project that nobody needs any more.", _LABELS),
        "needed_items": Told("Things of this project that stay, each with its reason in `make reclaim`.", _LABELS),
    }

    def __init__(self, mlflow_conn_id: str = "mlflow_default") -> None:
        self.mlflow_conn_id = mlflow_conn_id

    def sources(self) -> Mapping[str, Look]:
        from ontap_mlops import registry

        homes = {(dataset.ontap_conn_id, dataset.svm or "") for dataset in registry.usable().values()}
        return {f"{conn_id}/{svm}": partial(self._look, conn_id, svm) for conn_id, svm in sorted(homes)}

    def _look(self, conn_id: str, svm: str) -> Figures:
        from ontap_mlops.hooks.ontap import OntapHook
        from ontap_mlops.operators import reclaim_items, reclaim_rules

        figures, hook = Figures(), OntapHook(conn_id)
        place = (conn_id, hook.svm(svm))
        rules = reclaim_items.Rules(svm=place[1], conn_id=conn_id, mlflow_conn_id=self.mlflow_conn_id, runs=_is_over)
        with hook.client() as client:
            items = reclaim_rules.judge(client, rules).items
        if (doubt := next((item.reason for item in items if (item.reason or "").startswith(_DOUBT)), None)) is not None:
            raise Unclear(doubt)
        for item in items:
            goes = item.reason is None
            figures.add("reclaimable_bytes", *place, item.kind, value=(item.bytes or 0) if goes else 0)
            figures.add("reclaimable_items", *place, item.kind, value=int(goes))
            figures.add("needed_items", *place, item.kind, value=int(not goes))
        return figures


def _is_over(dag_id: str, run_id: str) -> bool | None:
    """None for a run that Airflow does not know. Raises ServiceError where Airflow does not say."""
    from ontap_mlops.hooks.airflow_rest import AirflowRest

    path = f"/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}"
    asked = f"read run {run_id}"
    status, run = AirflowRest(may="read runs").call("GET", path, asked=asked, accept=(200, 404))
    return None if status == 404 else run.get("state") in ("success", "failed")
