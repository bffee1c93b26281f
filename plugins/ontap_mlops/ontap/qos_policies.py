"""QoS policies: what throughput the volumes that have one may take (maximum) and are promised (minimum)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ontap_mlops.ontap import cluster
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InUse, InvalidRequest, NameTaken, NotFound, NotOurs

FIXED, ADAPTIVE = "fixed", "adaptive"
_LIMITS = {
    FIXED: (
        "max_throughput_iops",
        "min_throughput_iops",
        "max_throughput_mbps",
        "min_throughput_mbps",
        "capacity_shared",
    ),
    ADAPTIVE: (
        "expected_iops",
        "peak_iops",
        "absolute_min_iops",
        "expected_iops_allocation",
        "peak_iops_allocation",
        "block_size",
    ),
}
_PAIRS = (
    ("min_throughput_iops", "max_throughput_iops"),
    ("min_throughput_mbps", "max_throughput_mbps"),
    ("expected_iops", "peak_iops"),
)
_FIELDS = "uuid,name,svm.name,policy_class,object_count,fixed,adaptive"


@dataclass(frozen=True, kw_only=True)
class QosPolicy:
    """``svm`` is None for ONTAP's own. ``volumes`` counts what has the policy."""

    uuid: str
    name: str
    kind: str
    svm: str | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    volumes: int = 0


def list_policies(client: Client, *, svm: str) -> list[QosPolicy]:
    """Return the policies that the SVM's volumes may have, ONTAP's own among them."""
    found = client.records("QosPolicy", asked=f"list QoS policies of SVM {svm!r}", fields=_FIELDS)
    return [policy for record in found if (policy := _policy(record)).svm in (None, svm)]


def find(client: Client, *, svm: str, name: str) -> QosPolicy | None:
    return next((policy for policy in list_policies(client, svm=svm) if policy.name == name), None)


def get(client: Client, *, svm: str, name: str) -> QosPolicy:
    known = list_policies(client, svm=svm)
    for policy in known:
        if policy.name == name:
            return policy
    cluster.svm_uuid(client, svm=svm)
    there = ", ".join(sorted(policy.name for policy in known)) or "none"
    raise NotFound(f"There is no QoS policy {name!r} for SVM {svm!r}; there are: {there}. Check the name.")


@repeatable
def ensure(client: Client, *, svm: str, name: str, kind: str, limits: Mapping[str, Any]) -> QosPolicy:
    """Return the SVM's policy of this name with these limits, made or changed to have them; others stay as they are.

    Raises NameTaken when it is one of ONTAP's own or of the other kind, InvalidRequest for a minimum over its maximum.

    :param kind: fixed or adaptive.
    :param limits: ONTAP's names, such as ``max_throughput_iops`` or ``expected_iops`` and ``peak_iops``.
    """
    _check(name, svm, kind, limits)
    policy = find(client, svm=svm, name=name)
    if policy is None:
        body = {"name": name, "svm": {"name": svm}, kind: dict(limits)}
        try:
            client.create("QosPolicy", body, asked=f"create QoS policy {name!r} of SVM {svm!r}")
        except NameTaken:
            if find(client, svm=svm, name=name) is None:
                raise
        policy = get(client, svm=svm, name=name)
    if policy.svm is None or policy.kind != kind:
        what = "one of ONTAP's own" if policy.svm is None else f"{policy.kind}, which stays so"
        raise NameTaken(f"QoS policy {name!r} of SVM {svm!r} is {what}. {NameTaken.advice}.", code="8454154")
    if {key: policy.limits.get(key) for key in limits} != dict(limits):
        asked = f"change QoS policy {name!r} of SVM {svm!r}"
        client.modify("QosPolicy", {"uuid": policy.uuid}, {kind: dict(limits)}, asked=asked)
        policy = get(client, svm=svm, name=name)
    return policy


@repeatable
def delete(client: Client, *, svm: str, name: str) -> bool:
    """Remove it; False if it was gone already. Raises InUse while volumes have it: ONTAP would take it from them."""
    policy = find(client, svm=svm, name=name)
    if policy is None:
        return False
    if policy.svm is None:
        raise NotOurs(f"QoS policy {name!r} was not removed: it is one of ONTAP's own.")
    if policy.volumes:
        raise InUse(
            f"QoS policy {name!r} of SVM {svm!r} was not removed: {policy.volumes} volumes or files have it, and would "
            "be without a limit. Give them another one first."
        )
    try:
        client.remove("QosPolicy", {"uuid": policy.uuid}, asked=f"remove QoS policy {name!r} of SVM {svm!r}")
    except NotFound:
        return False
    return True


def _check(name: str, svm: str, kind: str, limits: Mapping[str, Any]) -> None:
    called = f"QoS policy {name!r} of SVM {svm!r}"
    if kind not in _LIMITS:
        raise InvalidRequest(f"{called} was asked to be {kind!r}; it is fixed or adaptive.")
    for key in limits:
        if key not in _LIMITS[kind]:
            raise InvalidRequest(f"{called} is {kind} and has no {key!r}; it has {', '.join(_LIMITS[kind])}.")
    if kind == ADAPTIVE and not {"expected_iops", "peak_iops"} <= limits.keys():
        raise InvalidRequest(f"{called} is adaptive and needs expected_iops and peak_iops, in IOPS per TB.")
    for low, high in _PAIRS:
        if limits.get(low) and limits.get(high) and limits[low] > limits[high]:
            raise InvalidRequest(f"{called}: {low} ({limits[low]:,}) is over {high} ({limits[high]:,}).")


def _policy(record: dict[str, Any]) -> QosPolicy:
    kind = ADAPTIVE if record.get(ADAPTIVE) else FIXED
    return QosPolicy(
        uuid=record["uuid"],
        name=record.get("name", ""),
        kind=kind,
        svm=(record.get("svm") or {}).get("name"),
        limits=dict(record.get(kind) or {}),
        volumes=record.get("object_count") or 0,
    )
