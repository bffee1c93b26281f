"""Which of a volume's data goes to the object store of its aggregate when nobody reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import aggregates, volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InvalidRequest, NotAuthorized, ServiceTrouble
from ontap_mlops.ontap.volumes import Volume

NONE, SNAPSHOT_ONLY, AUTO, ALL = "none", "snapshot_only", "auto", "all"
POLICIES = (NONE, SNAPSHOT_ONLY, AUTO, ALL)
_COOLING = (SNAPSHOT_ONLY, AUTO)
_FIELDS = "aggregates.name,tiering.policy,tiering.min_cooling_days"


@dataclass(frozen=True, kw_only=True)
class Tiering:
    """``cooling_days`` is None where the policy has none."""

    policy: str
    cooling_days: int | None
    aggregates: tuple[str, ...]


def of(client: Client, *, volume: Volume) -> Tiering:
    asked = f"read the tiering policy of volume {volume.name!r} of SVM {volume.svm!r}"
    record = client.record("Volume", {"uuid": volume.uuid}, asked=asked, fields=_FIELDS)
    found: dict[str, Any] = record.get("tiering") or {}
    return Tiering(
        policy=found.get("policy") or NONE,
        cooling_days=found.get("min_cooling_days"),
        aggregates=tuple(a["name"] for a in record.get("aggregates") or [] if a.get("name")),
    )


@repeatable
def set_policy(
    client: Client, *, svm: str, name: str, policy: str, cooling_days: int | None = None
) -> tuple[Tiering, Tiering]:
    """Set the policy; return what it was and what it is. Data that is tiered already stays where it is.

    Raises InvalidRequest for a policy that does not go with the days, or on an aggregate without an object store, and
    ServiceTrouble while that store cannot be reached.

    :param cooling_days: 2 to 183, for snapshot_only and auto; the policy's default if not given.
    """
    volume = volumes.get(client, svm=svm, name=name)
    called = f"volume {name!r} of SVM {svm!r}"
    _check(called, policy, cooling_days)
    before = of(client, volume=volume)
    if policy != NONE:
        require_object_stores(client, before.aggregates, called)
    body: dict[str, Any] = {"policy": policy} | ({"min_cooling_days": cooling_days} if cooling_days else {})
    if before.policy != policy or cooling_days not in (None, before.cooling_days):
        asked = f"set the tiering policy of {called} to {policy}"
        client.modify("Volume", {"uuid": volume.uuid}, {"tiering": body}, asked=asked)
    return before, of(client, volume=volume)


def require_object_stores(client: Client, names: tuple[str, ...], called: str) -> None:
    """Raises InvalidRequest for an aggregate without an object store, ServiceTrouble for one that is not reached.

    An account that may not see aggregates is told by ONTAP itself, when data does not tier.
    """
    for name in names:
        try:
            stores = aggregates.object_stores(client, name=name)
        except NotAuthorized:
            return
        if not stores:
            raise InvalidRequest(
                f"{called[0].upper()}{called[1:]} lies on aggregate {name!r}, which has no object store attached, so "
                "nothing can be tiered. Attach one, or move the volume to an aggregate that has one."
            )
        for store in stores:
            if not store.available:
                raise ServiceTrouble(
                    f"Object store {store.name!r} of aggregate {name!r}, on which {called} lies, cannot be reached. "
                    "Check it and the network to it; the tiering policy was not changed."
                )


def _check(called: str, policy: str, cooling_days: int | None) -> None:
    if policy not in POLICIES:
        raise InvalidRequest(f"The tiering policy {policy!r} of {called} is none of {', '.join(POLICIES)}.")
    if cooling_days is not None and policy not in _COOLING:
        raise InvalidRequest(
            f"The tiering policy {policy!r} of {called} takes no cooling days; only {' and '.join(_COOLING)} wait for "
            "data to cool."
        )
    if cooling_days is not None and not 2 <= cooling_days <= 183:
        raise InvalidRequest(f"{cooling_days} cooling days were asked for {called}; give 2 to 183.")
