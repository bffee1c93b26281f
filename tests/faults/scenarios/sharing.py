from ontap_mlops.ontap import export_policies, qtrees, quotas
from ontap_mlops.operators.export_policies import OntapExportPolicyDeleteOperator, OntapExportPolicyEnsureOperator
from ontap_mlops.operators.qtrees import OntapQtreeDeleteOperator, OntapQtreeEnsureOperator
from ontap_mlops.operators.quotas import (
    OntapQuotaDeleteOperator,
    OntapQuotaEnsureOperator,
    OntapQuotaReportOperator,
)
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import SVM, Scenario, Site

ALICE = {"task_id": "t", "volume": "tyre", "qtree": "alice"}
RULES = [{"clients": ["10.0.0.0/24"]}]


def qtree(site: Site) -> None:
    tyre(site)
    qtrees.ensure(site.client, svm=SVM, volume="tyre", name="alice")


def limited(site: Site) -> None:
    """Quotas are on, for every qtree that has none of its own."""
    qtree(site)
    quotas.ensure(site.client, svm=SVM, volume="tyre", qtree="", limits=quotas.Limits(hard_bytes=500))


def own_limit(site: Site) -> None:
    qtree(site)
    quotas.ensure(site.client, svm=SVM, volume="tyre", qtree="alice", limits=quotas.Limits(hard_bytes=500))


def policy(site: Site) -> None:
    tyre(site)
    export_policies.ensure(site.client, svm=SVM, name="mlops_gpu", rules=RULES)


SCENARIOS = [
    Scenario(
        operator="OntapQtreeEnsureOperator",
        prepare=tyre,
        make=lambda site: OntapQtreeEnsureOperator(**ALICE, unix_permissions="770"),
    ),
    Scenario(
        operator="OntapQtreeDeleteOperator",
        prepare=own_limit,
        make=lambda site: OntapQtreeDeleteOperator(**ALICE),
    ),
    Scenario(
        operator="OntapQuotaEnsureOperator",
        prepare=limited,
        make=lambda site: OntapQuotaEnsureOperator(**ALICE, hard_bytes=1000),
        end=lambda site: [u.limits for u in quotas.report(site.client, svm=SVM, volume="tyre")],
    ),
    Scenario(
        operator="OntapQuotaDeleteOperator",
        prepare=own_limit,
        make=lambda site: OntapQuotaDeleteOperator(**ALICE),
    ),
    Scenario(
        operator="OntapQuotaReportOperator",
        prepare=own_limit,
        make=lambda site: OntapQuotaReportOperator(task_id="t", volume="tyre"),
    ),
    Scenario(
        operator="OntapExportPolicyEnsureOperator",
        prepare=policy,
        make=lambda site: OntapExportPolicyEnsureOperator(
            task_id="t", policy="mlops_gpu", rules=[*RULES, {"clients": ["10.1.0.0/16"]}], volumes=["tyre"]
        ),
    ),
    Scenario(
        operator="OntapExportPolicyDeleteOperator",
        prepare=policy,
        make=lambda site: OntapExportPolicyDeleteOperator(task_id="t", policy="mlops_gpu"),
    ),
]
