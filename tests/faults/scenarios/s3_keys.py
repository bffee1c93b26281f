import json
from typing import Any

from ontap_mlops.operators.s3_keys import (
    OntapS3UserKeysCheckOperator,
    OntapS3UserKeysRetireOperator,
    OntapS3UserKeysRotateOperator,
)
from tests.faults.scenarios.s3 import provision
from tests.faults.scenarios.volumes import tyre
from tests.faults.site import Scenario, Site


def of(site: Site) -> dict[str, Any]:
    return {"task_id": "t", "user": "u", "secret_store": f"file://{site.folder}/keys.json"}


def provisioned(site: Site) -> None:
    tyre(site)
    site.run(provision(site))


def rotated(site: Site) -> None:
    provisioned(site)
    site.run(OntapS3UserKeysRotateOperator(**of(site), api_conn_id=""))


def with_keys(site: Site) -> dict[str, Any]:
    """How many keys the user has, and whether the one that is kept is among them."""
    kept = json.loads((site.folder / "keys.json").read_text())["access_key"]
    (service,) = site.here.records("/protocols/s3/services")
    users = site.here.records(f"/protocols/s3/services/{service['svm']['uuid']}/users")
    (keys,) = [user["keys"] for user in users if user["name"] == "u"]
    return {"keys": len(keys), "kept works": kept in [key["access_key"] for key in keys]}


SCENARIOS = [
    Scenario(
        operator="OntapS3UserKeysRotateOperator",
        prepare=provisioned,
        make=lambda site: OntapS3UserKeysRotateOperator(**of(site), ttl_days=90, api_conn_id=""),
        end=with_keys,
    ),
    Scenario(
        operator="OntapS3UserKeysRetireOperator",
        prepare=rotated,
        make=lambda site: OntapS3UserKeysRetireOperator(**of(site)),
        end=with_keys,
    ),
    Scenario(
        operator="OntapS3UserKeysCheckOperator",
        prepare=provisioned,
        make=lambda site: OntapS3UserKeysCheckOperator(**of(site)),
        end=with_keys,
    ),
]
