from collections.abc import Callable
from typing import Any

from ontap_mlops.ontap import s3, workspaces
from ontap_mlops.operators.personal_workspaces import PersonalWorkspaceOperator
from ontap_mlops.operators.workspaces import (
    WorkspaceCollectOperator,
    WorkspaceCreateOperator,
    WorkspaceDeleteOperator,
)
from tests.faults.scenarios.versions import DATASET, version
from tests.faults.site import DAG_ID, RUN_ID, SVM, Scenario, Site


def served(site: Site) -> None:
    version(site)
    s3.ensure_service(site.client, svm=SVM)


def create(site: Site) -> WorkspaceCreateOperator:
    return WorkspaceCreateOperator(task_id="t", dataset_version=site.made["version"])


def delete(site: Site) -> WorkspaceDeleteOperator:
    return WorkspaceDeleteOperator(task_id="t")


def collect(site: Site) -> WorkspaceCollectOperator:
    return WorkspaceCollectOperator(task_id="t", days=-1)


def made(site: Site) -> None:
    served(site)
    site.run(create(site))


def failed(site: Site) -> None:
    made(site)
    site.states = {"train": "failed"}


def kept(site: Site) -> None:
    made(site)
    workspaces.keep(site.client, svm=SVM, run_key=site.run_key)


def left_behind(site: Site) -> None:
    """By a run that is over, without a word."""
    made(site)
    site.runs = {(DAG_ID, RUN_ID): "failed"}


def personal(action: str, **more: Any) -> Callable[[Site], PersonalWorkspaceOperator]:
    """Until a day that does not depend on when the test runs twice."""
    facts = {"dataset": DATASET, "name": "scratch", "person": "ada", "days": 30_000}
    return lambda site: PersonalWorkspaceOperator(task_id="t", action=action, **(facts | more))


def lent(site: Site) -> None:
    served(site)
    site.run(personal("make", with_bucket=True)(site))


SCENARIOS = [
    Scenario(operator="PersonalWorkspaceOperator", prepare=served, make=personal("make", with_bucket=True)),
    Scenario(operator="PersonalWorkspaceOperator", name="extend", prepare=lent, make=personal("extend", days=40_000)),
    Scenario(operator="PersonalWorkspaceOperator", name="end", prepare=lent, make=personal("end")),
    Scenario(operator="WorkspaceCreateOperator", prepare=served, make=create),
    Scenario(operator="WorkspaceCreateOperator", name="one that was kept", prepare=kept, make=create),
    Scenario(operator="WorkspaceDeleteOperator", prepare=made, make=delete),
    Scenario(operator="WorkspaceDeleteOperator", name="keeps it", prepare=failed, make=delete),
    Scenario(operator="WorkspaceCollectOperator", prepare=kept, make=collect),
    Scenario(operator="WorkspaceCollectOperator", name="left behind", prepare=left_behind, make=collect),
]
