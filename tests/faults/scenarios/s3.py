import json
from typing import Any

from ontap_mlops.ontap import s3
from ontap_mlops.operators.s3 import (
    OntapS3BucketDeleteOperator,
    OntapS3BucketEnsureOperator,
    OntapS3ProvisionOperator,
)
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import SVM, Scenario, Site

BUCKET = {"task_id": "t", "bucket": "tyre"}


def served(site: Site) -> None:
    tyre(site)
    s3.ensure_service(site.client, svm=SVM)


def shown(site: Site) -> None:
    served(site)
    s3.ensure_nas_bucket(site.client, svm=SVM, name="tyre", nas_path="/tyre")


def provision(site: Site) -> OntapS3ProvisionOperator:
    return OntapS3ProvisionOperator(
        task_id="t",
        user="u",
        group="g",
        policy="p",
        buckets={"tyre": "/tyre"},
        secret_store=f"file://{site.folder}/keys.json",
    )


def with_keys(site: Site) -> dict[str, Any]:
    """What there is, and whether the keys that are kept are those that ONTAP knows."""
    kept = json.loads((site.folder / "keys.json").read_text())
    (service,) = site.here.records("/protocols/s3/services")
    (user,) = [
        u for u in site.here.records(f"/protocols/s3/services/{service['svm']['uuid']}/users") if u["name"] == "u"
    ]
    return {"held": site.held(), "keys fit": user["access_key"] in kept.values(), "kept": sorted(kept)}


SCENARIOS = [
    Scenario(
        operator="OntapS3BucketEnsureOperator",
        prepare=served,
        make=lambda site: OntapS3BucketEnsureOperator(**BUCKET, nas_path="/tyre"),
    ),
    Scenario(
        operator="OntapS3BucketDeleteOperator",
        prepare=shown,
        make=lambda site: OntapS3BucketDeleteOperator(**BUCKET),
    ),
    Scenario(operator="OntapS3ProvisionOperator", prepare=tyre, make=provision, end=with_keys),
]
