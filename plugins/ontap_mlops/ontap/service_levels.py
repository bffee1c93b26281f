"""The service level of a volume for a while: QoS policy and tiering, and then what it had before.

Who holds a level, until when, and what the tiering was before is written on the volume itself, as tags, in the request
that changes the tiering; the QoS policy before lies beside it (`qos`). So no crash can separate them, runs that want
the same level share it, and whoever looks finds those whose time is over. Tags need ONTAP 9.13.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from ontap_mlops.ontap import aggregates, moves, qos, qos_policies, tiering, volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InUse, InvalidRequest, Locked, NotFound, ServiceTrouble

_LEVEL, _BEFORE, _SET, _HOLDER = (f"ontap-mlops-level{part}" for part in ("", "-before", "-tiering", "-holder"))
_NAMES = (_LEVEL, _BEFORE, _SET, _HOLDER)
_STAMP = "%Y%m%dT%H%M%SZ"
_FIELDS = "uuid,name,svm.name,_tags,tiering.policy,tiering.min_cooling_days,aggregates.name"
_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a level gives. ``tiering`` None leaves the volume's policy."""

    level: str
    qos_policy: str
    tiering: str | None = None
    cooling_days: int | None = None


@dataclass(frozen=True, kw_only=True)
class Held:
    """How a volume stands. Tiering is ``policy/days``; ``level`` None while nobody holds one; ``holders`` with ends."""

    uuid: str
    name: str
    svm: str
    tiering: str
    aggregates: tuple[str, ...]
    level: str | None
    before: str | None
    given: str | None
    holders: Mapping[str, datetime]
    tags: tuple[str, ...]
    other_tags: tuple[str, ...]

    @property
    def called(self) -> str:
        return f"volume {self.name!r} of SVM {self.svm!r}"


def read(client: Client, *, svm: str, volume: str) -> Held | None:
    """None when there is no such volume."""
    asked = f"read the service level of volume {volume!r} of SVM {svm!r}"
    found = client.records("Volume", asked=asked, fields=_FIELDS, name=volume, **{"svm.name": svm})
    return next((_held(record, svm) for record in found if record.get("name") == volume), None)


@repeatable
def take(
    client: Client, *, svm: str, volume: str, terms: Terms, holder: str, until: datetime
) -> tuple[Held, str, list[str]]:
    """Give the volume a level for ``holder`` (a run key); return how it stands, its QoS policy before, and remarks.

    Raises Locked while others hold another level, and NotFound where there is no such volume or QoS policy.
    """
    qos_policies.get(client, svm=svm, name=terms.qos_policy)  # before anything is changed
    for _ in range(_TRIES):
        now = read(client, svm=svm, volume=volume)
        if now is None:
            volumes.get(client, svm=svm, name=volume)  # says what is missing
            continue
        _refuse_another(now, terms, holder)
        body, remarks = _asked_for(client, now, terms, {**now.holders, holder: until})
        if not body:
            before = qos.raise_policy(client, svm=svm, volume=volume, policy=terms.qos_policy, holder=holder)
            return now, before, remarks
        client.modify("Volume", {"uuid": now.uuid}, body, asked=f"give {now.called} the service level {terms.level!r}")
    raise _contended(svm, volume)


@repeatable
def give_back(client: Client, *, svm: str, volume: str, holder: str) -> tuple[Held, str] | None:
    """Give up a level; return how the volume stands and its QoS policy. None when the volume is gone.

    It stays while others hold the same level. What somebody else has set meanwhile stays too.
    """
    for _ in range(_TRIES):
        policy = qos.lower_policy(client, svm=svm, volume=volume, holder=holder)
        now = read(client, svm=svm, volume=volume)
        if now is None:
            return None
        if holder not in now.holders:
            return now, policy or qos.NONE
        left = {name: end for name, end in now.holders.items() if name != holder}
        body: dict[str, Any] = {"_tags": [*now.other_tags, *(_tags(now.level, now.before, now.given, left))]}
        if not left and now.before and now.given and now.tiering == now.given != now.before:
            body["tiering"] = _body(now.before)
        client.modify("Volume", {"uuid": now.uuid}, body, asked=f"put back the service level of {now.called}")
    raise _contended(svm, volume)


def overdue(client: Client, *, svm: str, now: datetime) -> list[tuple[str, str]]:
    """Volume and holder of every level whose time is over: what runs that were lost have left behind."""
    found = client.records("Volume", asked="list service levels", fields=_FIELDS, **{"svm.name": svm})
    held = [_held(record, svm) for record in found]
    return [(each.name, holder) for each in held for holder, until in each.holders.items() if until < now]


def destination(client: Client, *, held: Held, patterns: Iterable[str], tiers: bool) -> str | None:
    """The roomiest aggregate that fits; None when the volume is on one. Raises NotFound, or SpaceFull for no room.

    :param patterns: names of aggregates, with ``*`` for any part.
    :param tiers: only aggregates with an object store fit.
    """
    patterns = list(patterns)
    if all(any(fnmatchcase(name, pattern) for pattern in patterns) for name in held.aggregates):
        return None
    fitting = [
        found
        for found in aggregates.list_aggregates(client)
        if any(fnmatchcase(found.name, pattern) for pattern in patterns)
        and (not tiers or aggregates.object_stores(client, name=found.name))
    ]
    if not fitting:
        kind = "with an object store " if tiers else ""
        raise NotFound(f"No aggregate {kind}is called {' or '.join(patterns)}, so {held.called} has nowhere to go.")
    best = max(fitting, key=lambda found: found.available_bytes or 0)
    used = volumes.get(client, svm=held.svm, name=held.name).used_bytes or 0
    aggregates.require_room(best, used, held.called)
    return best.name


def look(client: Client, *, aggregate: str | None, **subject: Any) -> dict[str, Any]:
    """Tell whether the volume is where its level wants it, for a wait; at once where no move is asked for."""
    return moves.look(client, aggregate=aggregate, **subject) if aggregate else {"done": True}


def _refuse_another(now: Held, terms: Terms, holder: str) -> None:
    others = {name: until for name, until in now.holders.items() if name != holder}
    if others and now.level != terms.level:
        holds = ", ".join(f"{name} until {until:%Y-%m-%d %H:%M} UTC" for name, until in others.items())
        raise Locked(
            f"{now.called.capitalize()} has the service level {now.level!r} for {holds}, so it was not given "
            f"{terms.level!r}. End that first, or wait."
        )


def _asked_for(
    client: Client, now: Held, terms: Terms, holders: Mapping[str, datetime]
) -> tuple[dict[str, Any], list[str]]:
    """What has to be changed, and what of the level cannot be had, in words."""
    before, remarks = now.before if now.level else now.tiering, []
    wanted = f"{terms.tiering}/{terms.cooling_days or '-'}" if terms.tiering else before or now.tiering
    if terms.tiering not in (None, tiering.NONE):
        try:
            tiering.require_object_stores(client, now.aggregates, now.called)
        except (InvalidRequest, ServiceTrouble) as error:
            wanted, remarks = now.tiering, [f"The tiering stays {now.tiering.split('/')[0]}: {error}"]
    same = _same(now.tiering, wanted)
    given = now.tiering if same else wanted
    body: dict[str, Any] = {} if same else {"tiering": _body(wanted)}
    tags = _tags(terms.level, before, given, holders)
    if sorted([*now.other_tags, *tags]) != sorted(now.tags):
        body["_tags"] = [*now.other_tags, *tags]
    return body, remarks


def _same(there: str, wanted: str) -> bool:
    """Without days of its own, a policy has those that ONTAP gives it."""
    policy, _, days = wanted.partition("/")
    return there == wanted or (days == "-" and there.partition("/")[0] == policy)


def _body(words: str) -> dict[str, Any]:
    policy, _, days = words.partition("/")
    return {"policy": policy} | ({"min_cooling_days": int(days)} if days.isdecimal() else {})


def _tags(level: str | None, before: str | None, given: str | None, holders: Mapping[str, datetime]) -> list[str]:
    if not holders:
        return []
    ends = [f"{_HOLDER}:{name}@{until.astimezone(UTC):{_STAMP}}" for name, until in sorted(holders.items())]
    return [f"{_LEVEL}:{level}", f"{_BEFORE}:{before}", f"{_SET}:{given}", *ends]


def _held(record: dict[str, Any], svm: str) -> Held:
    tags = tuple(record.get("_tags") or ())
    pairs = [(tag, *tag.partition(":")[::2]) for tag in tags]
    told = {name: value for _, name, value in pairs if name in _NAMES}
    found = record.get("tiering") or {}
    holders = [value.rpartition("@")[::2] for _, name, value in pairs if name == _HOLDER]
    return Held(
        uuid=record["uuid"],
        name=record.get("name", ""),
        svm=(record.get("svm") or {}).get("name", svm),
        tiering=f"{found.get('policy') or tiering.NONE}/{found.get('min_cooling_days') or '-'}",
        aggregates=tuple(a["name"] for a in record.get("aggregates") or [] if a.get("name")),
        level=told.get(_LEVEL),
        before=told.get(_BEFORE),
        given=told.get(_SET),
        holders={name: _time(until) for name, until in holders},
        tags=tags,
        other_tags=tuple(tag for tag, name, _ in pairs if name not in _NAMES),
    )


def _time(text: str) -> datetime:
    return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)


def _contended(svm: str, volume: str) -> InUse:
    return InUse(
        f"The service level of volume {volume!r} of SVM {svm!r} was changed by somebody else each of {_TRIES} times "
        "that this was tried. Try again."
    )
