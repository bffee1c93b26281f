"""Whether the data that a training reads at a site is there, judged by what a survey of its volume has found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import mirrors, readiness
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.mirrors import Mirror
from ontap_mlops.ontap.snapshots import Snapshot


@dataclass(frozen=True)
class Found:
    """What a site has of one volume, and the mirrors that end there."""

    snapshots: Sequence[Snapshot]
    mirrors: Sequence[Mirror]


def survey(client: Client, *, svm: str, volume: str) -> Found:
    return Found(readiness.snapshots_there(client, svm=svm, volume=volume), mirrors.list_mirrors(client, svm=svm))


def ready(
    found: Found, *, site: str, dataset: str, svm: str, volume: str, version_id: str, below_s: float
) -> dict[str, Any]:
    """Tell whether the version is at the site and its mirror no more than ``below_s`` behind; "" and 0 ask for neither.

    Raises NotFound and WrongState for a mirror whose lag only grows.
    """
    answers = []
    if version_id:
        facts = {"site": site, "dataset": dataset, "version_id": version_id, "snapshot": ""}
        answers.append(readiness.frozen(found.snapshots, **facts))
    if below_s:
        answers.append(mirrors.judge_lag(found.mirrors, svm=svm, volume=volume, below_s=below_s))
    waits = [line for answer in answers if not answer["done"] for line in answer["lines"]]
    if waits:
        return {"done": False, "lines": waits}
    return {"done": True, "payload": {key: value for answer in answers for key, value in answer["payload"].items()}}
