from typing import Any

from ontap_mlops import names
from ontap_mlops.ontap import marks, volumes
from ontap_mlops.operators.claims import ModelReleaseOperator
from ontap_mlops.operators.context import CLAIM
from ontap_mlops.operators.roll_back import ModelClaimInspectOperator
from ontap_mlops.records import Claim
from ontap_mlops.serving.claims import ModelClaims
from tests.faults.site import SVM, Scenario, Site
from tests.ontap_mlops.conftest import GIB

MODEL, DEAD = "quality", "r20261119t063000z01234567"


def claimed(site: Site, owner: str = DEAD) -> None:
    volume = names.model_volume(MODEL)
    volumes.ensure(site.client, svm=SVM, name=volume, size_bytes=GIB, comment=marks.mark("model"))
    ModelClaims(None, None, None, MODEL).take(owner)


def claimed_by_this_run(site: Site) -> None:
    claimed(site, site.run_key)
    facts = {"run_key": site.run_key, "svm": SVM, "volume": names.model_volume(MODEL)}
    site.results[CLAIM] = Claim(model=MODEL, held=True, champion=None, **facts).to_json()


def inspect(site: Site, what: str, holder: str | None = None) -> ModelClaimInspectOperator:
    operator = ModelClaimInspectOperator(task_id="t", model=MODEL, what=what, holder=holder)
    operator.do_branch = lambda context, way: site.pushed.update(way=way)  # type: ignore[assignment, method-assign, misc]
    return operator


def told(site: Site) -> dict[str, Any]:
    """All that is held, and what the task said, without when the claim was taken."""
    shown = {key: value for key, value in site.pushed["return_value"].items() if key != "since"}
    return {"held": site.held(), "shown": shown, "way": site.pushed["way"]}


SCENARIOS = [
    Scenario(
        operator="ModelClaimInspectOperator",
        prepare=claimed,
        end=told,
        make=lambda site: inspect(site, "show_claim"),
    ),
    Scenario(
        operator="ModelClaimInspectOperator",
        name="gives up",
        prepare=claimed,
        end=told,
        make=lambda site: inspect(site, "give_up_claim", DEAD),
    ),
    Scenario(
        operator="ModelReleaseOperator",
        prepare=claimed_by_this_run,
        make=lambda site: ModelReleaseOperator(task_id="t", model=MODEL),
    ),
]
