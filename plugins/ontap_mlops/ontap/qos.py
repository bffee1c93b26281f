"""QoS policy of a volume: raised for as long as somebody needs it, then as it was.

Who has raised it and what it was before is written on the volume itself, as tags, in the same request that changes the
policy. So no crash can separate the two, and runs that overlap share one raise: the last of them puts it back.
Tags need ONTAP 9.13.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InUse

NONE = "none"
"""What ONTAP calls a volume's having no policy."""

_BEFORE, _RAISED, _HOLDER = "ontap-mlops-qos-before", "ontap-mlops-qos-raised", "ontap-mlops-qos-holder"
_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class Level:
    """A volume's policy now. ``before`` and ``raised`` are None while nobody of ``holders`` has raised it."""

    volume_uuid: str
    policy: str
    before: str | None
    raised: str | None
    holders: frozenset[str]
    other_tags: tuple[str, ...]


def level(client: Client, *, svm: str, volume: str) -> Level | None:
    """None when there is no such volume."""
    found = client.records(
        "Volume",
        asked=f"read the QoS policy of volume {volume!r} of SVM {svm!r}",
        fields="uuid,name,_tags,qos.policy.name",
        name=volume,
        **{"svm.name": svm},
    )
    return next((_level(record) for record in found if record.get("name") == volume), None)


@repeatable
def raise_policy(client: Client, *, svm: str, volume: str, policy: str, holder: str) -> str:
    """Give the volume ``policy`` for ``holder`` (a run key); the name of the policy it had before anybody raised it.

    Raises NotFound when there is no such volume or policy.
    """
    for _ in range(_TRIES):
        now = level(client, svm=svm, volume=volume)
        if now is None:
            volumes.get(client, svm=svm, name=volume)  # says what is missing
            continue
        before = now.policy if now.before is None else now.before
        if holder in now.holders and now.policy == policy:
            return before
        asked = f"give volume {volume!r} of SVM {svm!r} the QoS policy {policy!r}"
        _write(client, now, policy, _tags(before, policy, now.holders | {holder}), asked)
    raise _contended(svm, volume)


@repeatable
def lower_policy(client: Client, *, svm: str, volume: str, holder: str) -> str | None:
    """Take ``holder``'s raise back; the policy the volume has then. None when the volume is gone.

    It stays raised while others hold it. A policy that somebody else gave the volume meanwhile stays too.
    """
    for _ in range(_TRIES):
        now = level(client, svm=svm, volume=volume)
        if now is None or holder not in now.holders:
            return now.policy if now else None
        left = now.holders - {holder}
        tags = _tags(now.before, now.raised, left) if left else []
        ours = not left and now.policy == now.raised
        policy = now.before if ours and now.before is not None else now.policy
        _write(client, now, policy, tags, f"put back the QoS policy of volume {volume!r} of SVM {svm!r} to {policy!r}")
    raise _contended(svm, volume)


def _write(client: Client, now: Level, policy: str, tags: list[str], asked: str) -> None:
    """Both in one request; whether somebody else wrote at the same moment shows when it is read again."""
    body: dict[str, Any] = {"_tags": [*now.other_tags, *tags]}
    if policy != now.policy:
        body["qos"] = {"policy": {"name": policy}}
    client.modify("Volume", {"uuid": now.volume_uuid}, body, asked=asked)


def _tags(before: str | None, raised: str | None, holders: frozenset[str]) -> list[str]:
    return [f"{_BEFORE}:{before}", f"{_RAISED}:{raised}", *(f"{_HOLDER}:{holder}" for holder in sorted(holders))]


def _level(record: dict[str, Any]) -> Level:
    pairs = [(tag, *tag.partition(":")[::2]) for tag in record.get("_tags") or []]
    told = {name: value for _, name, value in pairs if name in (_BEFORE, _RAISED)}
    return Level(
        volume_uuid=record["uuid"],
        policy=((record.get("qos") or {}).get("policy") or {}).get("name") or NONE,
        before=told.get(_BEFORE),
        raised=told.get(_RAISED),
        holders=frozenset(value for _, name, value in pairs if name == _HOLDER),
        other_tags=tuple(tag for tag, name, _ in pairs if name not in (_BEFORE, _RAISED, _HOLDER)),
    )


def _contended(svm: str, volume: str) -> InUse:
    return InUse(
        f"The QoS policy of volume {volume!r} of SVM {svm!r} was changed by somebody else each of {_TRIES} times that "
        "this was tried. Try again."
    )
