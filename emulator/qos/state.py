"""QoS policies: the throughput that a volume may have (maximum) and is promised (minimum)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from emulator.body import Accepts, flag, text
from emulator.fields import Shape, Wanted
from emulator.qos import errors
from emulator.store import Record
from emulator.svms import parts
from emulator.values import at_most, between, one_of

if TYPE_CHECKING:
    from emulator.world import World

KIND = parts.belongs("qos_policy")
NONE = "none"
"""The name by which a volume is given no policy."""

# ONTAP's own adaptive policies, in IOPS per TB: expected, peak, and the least for a volume of any size.
_PRESETS = {"extreme": (6144, 12288, 1000), "performance": (2048, 4096, 500), "value": (128, 512, 75)}

_LIMIT = between(0, 2**31 - 1)
_FIXED: Accepts = {
    "max_throughput_iops": _LIMIT,
    "min_throughput_iops": _LIMIT,
    "max_throughput_mbps": _LIMIT,
    "min_throughput_mbps": _LIMIT,
    "capacity_shared": flag,
}


_ALLOCATION = one_of("used_space", "allocated_space")
_ADAPTIVE: Accepts = {
    "expected_iops": _LIMIT,
    "peak_iops": _LIMIT,
    "absolute_min_iops": _LIMIT,
    "expected_iops_allocation": _ALLOCATION,
    "peak_iops_allocation": _ALLOCATION,
    "block_size": one_of("any", "4k", "8k", "16k", "32k", "64k", "128k"),
}
_LIMITS: Accepts = {f"fixed.{name}": convert for name, convert in _FIXED.items()} | {
    f"adaptive.{name}": convert for name, convert in _ADAPTIVE.items()
}
PATCH_FIELDS: Accepts = {"name": at_most(128)} | _LIMITS
POST_FIELDS: Accepts = {"svm.name": text, "svm.uuid": text} | PATCH_FIELDS


def render(world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
    shown = {key: record.get(key) for key in ("uuid", "name", "svm", "scope", "policy_class", "pgid")}
    if wanted.has("object_count"):
        shown["object_count"] = len(volumes_with(world, record["uuid"]))
    return shown | {kind: record[kind] for kind in ("fixed", "adaptive") if record[kind]}


POLICY = Shape(
    href="/storage/qos/policies/{uuid}",
    keys=("uuid", "name"),
    common=("svm.name", "svm.uuid", "scope", "policy_class", "object_count", "pgid", *_LIMITS),
    costly=(),
    render=render,
)


def volumes_with(world: World, policy: str) -> list[Record]:
    return [v for v in world.store.find("volume") if v["options"].get("qos.policy.uuid") == policy]


def of_kind(body: dict[str, Any], old: Record | None = None) -> dict[str, Any]:
    """``fixed`` and ``adaptive`` of a policy after the request, one of them None. 2 for both or none of them."""
    given = {kind: body[kind] for kind in ("fixed", "adaptive") if body.get(kind)}
    if old and not given:
        return {"fixed": old["fixed"], "adaptive": old["adaptive"]}
    if len(given) != 1 or (old and not old[next(iter(given))]):
        raise errors.FixedOrAdaptive()
    (kind, limits) = next(iter(given.items()))
    merged = (old[kind] if old else _defaults(kind)) | limits
    _check(merged)
    return {"fixed": None, "adaptive": None} | {kind: merged}


def _defaults(kind: str) -> dict[str, Any]:
    if kind == "fixed":
        return {"capacity_shared": False}
    return {"expected_iops_allocation": "allocated_space", "peak_iops_allocation": "used_space"}


def _check(limits: dict[str, Any]) -> None:
    """Where both are set; 0 is no limit."""
    pairs = [(f"min_throughput_{unit}", f"max_throughput_{unit}") for unit in ("iops", "mbps")]
    for low, high in [*pairs, ("expected_iops", "peak_iops")]:
        minimum, maximum = limits.get(low), limits.get(high)
        if minimum and maximum and minimum > maximum:
            raise errors.MinimumOverMaximum(low, minimum, maximum)


def check_name(world: World, name: str, svm: dict[str, str]) -> None:
    """A name is the only one of its SVM and none of the cluster's."""
    for record in world.store.find(KIND, name=name):
        if record["svm"] is None or record["svm"]["uuid"] == svm["uuid"]:
            raise errors.NameTaken(name, svm["name"])


def new(world: World, name: str, svm: dict[str, str] | None, limits: dict[str, Any]) -> Record:
    """A record; not stored yet. Without an SVM it is one of ONTAP's own, for the whole cluster."""
    ids = [record["pgid"] for record in world.store.find(KIND)]
    return {
        "uuid": str(uuid4()),
        "name": name,
        "svm": svm,
        "scope": "svm" if svm else "cluster",
        "policy_class": "user_defined" if svm else "preset",
        "pgid": max(ids, default=0) + 1,
    } | limits


def add_presets(world: World) -> None:
    """Those that are not there: a state written by an older emulator has none."""
    there = {record["name"] for record in world.store.find(KIND) if record["svm"] is None}
    for name, (expected, peak, least) in _PRESETS.items():
        if name not in there:
            limits = {"expected_iops": expected, "peak_iops": peak, "absolute_min_iops": least}
            world.store.insert(KIND, new(world, name, None, of_kind({"adaptive": limits})))


def wished(world: World, svm: dict[str, str], wish: dict[str, Any]) -> str | None:
    """UUID of the policy that a volume of the SVM asks for by name or UUID; None for ``none``. 404 if there is none."""
    name, uuid = wish.get("name"), wish.get("uuid")
    if name == NONE:
        return None
    for record in world.store.find(KIND):
        usable = record["svm"] is None or record["svm"]["uuid"] == svm["uuid"]
        if usable and name in (None, record["name"]) and uuid in (None, record["uuid"]):
            return record["uuid"]
    raise errors.NoSuchPolicy(str(name or uuid))


def of_volume(world: World, volume: Record) -> dict[str, str] | None:
    """Name and UUID of a volume's policy; None when it has none."""
    policy = world.store.get(KIND, volume["options"].get("qos.policy.uuid") or "")
    return {"name": policy["name"], "uuid": policy["uuid"]} if policy else None
