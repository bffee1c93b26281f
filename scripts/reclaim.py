"""Lists what this project made on an SVM: what could be removed and how much that frees, and why the rest stays.

python -m scripts.reclaim                       on the SVM of the connection ontap_default
python -m scripts.reclaim --svm svm2 --json     the same as JSON

Nothing is removed; the DAG reclaim_space does that. Whether a run goes on is asked of Airflow (connection airflow_api).
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from typing import Any
from urllib.parse import quote

from scripts import beside_airflow


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ontap-conn-id", default="ontap_default")
    parser.add_argument("--mlflow-conn-id", default="mlflow_default")
    parser.add_argument("--svm", help="that of the connection unless said")
    parser.add_argument("--keep-newest-models", type=int, default=10, help="versions of each model that stay")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    beside_airflow.find_connections()

    with redirect_stdout(sys.stderr):
        from airflow.sdk.exceptions import AirflowNotFoundException

        from ontap_mlops.ontap.errors import OntapError

        try:
            plan = _plan(options)
        except (OSError, ValueError, OntapError, AirflowNotFoundException) as error:
            print(error, file=sys.stderr)
            return 2
    print(json.dumps(plan, indent=2) if options.json else "\n".join(_told(plan)))
    return 0


def _plan(options: argparse.Namespace) -> dict[str, Any]:
    from ontap_mlops.hooks.ontap import OntapHook
    from ontap_mlops.operators import reclaim, reclaim_items, reclaim_rules

    hook = OntapHook(options.ontap_conn_id)
    rules = reclaim_items.Rules(
        svm=hook.svm(options.svm),
        conn_id=options.ontap_conn_id,
        mlflow_conn_id=options.mlflow_conn_id,
        runs=_is_over,
        keep_newest_models=max(options.keep_newest_models, 1),
    )
    with hook.client() as client:
        return reclaim.plan_of(rules.svm, reclaim_rules.judge(client, rules))


def _told(plan: dict[str, Any]) -> list[str]:
    from ontap_mlops.operators import reclaim

    near = [reclaim.warning(plan["near_limit"])] if plan["near_limit"] else []
    return [*reclaim.lines(plan), *near]


def _is_over(dag_id: str, run_id: str) -> bool | None:
    """Ask Airflow's REST API; a run that it does not tell about counts as unknown, and keeps what it has."""
    from airflow.sdk.exceptions import AirflowNotFoundException

    from ontap_mlops.hooks.airflow_rest import AirflowRest
    from ontap_mlops.hooks.rest import ServiceError

    path = f"/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}"
    try:
        status, run = AirflowRest(may="read runs").call("GET", path, asked=f"read run {run_id}", accept=(200, 404))
    except (ServiceError, AirflowNotFoundException) as error:
        print(f"Airflow does not say whether run {run_id} of {dag_id} is over: {error}", file=sys.stderr)
        return None
    return None if status == 404 else run.get("state") in ("success", "failed")


if __name__ == "__main__":
    sys.exit(main())
