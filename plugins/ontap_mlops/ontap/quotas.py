"""Quotas on qtrees: how much each may hold, whether that is enforced, and how much is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import qtrees, volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InvalidRequest, JobStillRunning, NameTaken, NotFound, OntapError

_RULE = "uuid,type,qtree.name,volume.name,space,files"
_REPORT = "index,type,qtree.name,space,files"
_NO_LIMIT = -1
# ONTAP says so with an error, although the rule was made, changed or removed: what is enforced did not follow.
_NOT_ENFORCED = frozenset({"5308567", "5308568", "5308571"})
_STILL_ENFORCED = frozenset({"5308569", "5308572"})


@dataclass(frozen=True, kw_only=True)
class Limits:
    """None is no limit. A hard limit refuses writes beyond it; a soft one is only reported."""

    hard_bytes: int | None = None
    soft_bytes: int | None = None
    hard_files: int | None = None
    soft_files: int | None = None


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a qtree holds, and what it may."""

    qtree: str
    used_bytes: int
    used_files: int
    limits: Limits

    @property
    def percent(self) -> float | None:
        """Of the hard limit in bytes; None without one."""
        return 100 * self.used_bytes / self.limits.hard_bytes if self.limits.hard_bytes else None


@repeatable
def ensure(client: Client, *, svm: str, volume: str, qtree: str, limits: Limits) -> None:
    """Ensure that a qtree has exactly these limits and that they are enforced, from now or from an earlier try.

    ONTAP enforces a new rule only from the next time that quotas are switched on, so they are, for a moment, switched
    off where they are on: nothing is refused meanwhile.

    :param qtree: name; empty means every qtree of the volume that has no rule of its own.
    """
    _check(volume, qtree, limits)
    if qtree:
        qtrees.get(client, svm=svm, volume=volume, name=qtree)
    uuid = volumes.get(client, svm=svm, name=volume).uuid
    rule = _find(client, svm, volume, qtree)
    if rule is None:
        _create(client, svm, uuid, volume, qtree, limits)
        rule = _find(client, svm, volume, qtree)
    if rule is None:
        raise JobStillRunning(f"The quota of {_called(qtree, volume)} was asked for but is not there yet. Try again.")
    if _limits(rule) != limits:
        asked = f"change the quota of {_called(qtree, volume)}"
        with _done_but(_NOT_ENFORCED):
            client.modify("QuotaRule", {"uuid": rule["uuid"]}, _body(limits), asked=asked)
    if not is_on(client, volume_uuid=uuid):
        switch(client, volume_uuid=uuid, on=True)
    elif not _is_enforced(client, svm, volume, qtree, limits):
        switch(client, volume_uuid=uuid, on=False)
        switch(client, volume_uuid=uuid, on=True)


@repeatable
def delete(client: Client, *, svm: str, volume: str, qtree: str) -> bool:
    """Remove the limits of a qtree; False if it had none.

    They are lifted first: ONTAP goes on enforcing a rule that was removed until quotas are next switched off, and a
    changed limit holds at once.
    """
    rule = _find(client, svm, volume, qtree)
    if rule is None:
        return False
    asked = f"remove the quota of {_called(qtree, volume)}"
    try:
        if _limits(rule) != Limits():
            with _done_but(_NOT_ENFORCED):
                client.modify("QuotaRule", {"uuid": rule["uuid"]}, _body(Limits()), asked=asked)
        with _done_but(_STILL_ENFORCED):
            client.remove("QuotaRule", {"uuid": rule["uuid"]}, asked=asked)
    except NotFound:
        return False
    return True


@contextmanager
def _done_but(codes: frozenset[str]) -> Iterator[None]:
    try:
        yield
    except OntapError as error:
        if error.code not in codes:
            raise


def is_on(client: Client, *, volume_uuid: str) -> bool:
    """Whether quotas of the volume are enforced, or about to be."""
    asked = f"read whether quotas of volume {volume_uuid} are on"
    record = client.record("Volume", {"uuid": volume_uuid}, asked=asked, fields="quota.state")
    return (record.get("quota") or {}).get("state") in ("on", "initializing", "resizing")


@repeatable
def switch(client: Client, *, volume_uuid: str, on: bool) -> bool:
    """Switch quotas of a volume on or off; whether that was a change."""
    if is_on(client, volume_uuid=volume_uuid) == on:
        return False
    asked = f"switch quotas of volume {volume_uuid} {'on' if on else 'off'}"
    client.modify("Volume", {"uuid": volume_uuid}, {"quota": {"enabled": on}}, asked=asked)
    return True


def report(client: Client, *, svm: str, volume: str) -> list[Usage]:
    """Return what each qtree with a quota that is enforced holds, in order of name."""
    asked = f"read the quota report of volume {volume!r} of SVM {svm!r}"
    query = {"svm.name": svm, "volume.name": volume, "type": "tree"}
    found = [_usage(record) for record in client.records("QuotaReport", asked=asked, fields=_REPORT, **query)]
    # Without a limit: what is left of a rule that was removed.
    shown = [usage for usage in found if usage.qtree and usage.limits != Limits()]
    return sorted(shown, key=lambda usage: usage.qtree)


def _is_enforced(client: Client, svm: str, volume: str, qtree: str, limits: Limits) -> bool:
    """Nothing tells of a rule for every qtree; it is enforced when those without their own show its limits."""
    found = report(client, svm=svm, volume=volume)
    if qtree:
        return any(usage.qtree == qtree and usage.limits == limits for usage in found)
    own = {_qtree_of(rule) for rule in _rules(client, svm, volume)}
    others = [usage for usage in found if usage.qtree not in own]
    return bool(others) and all(usage.limits == limits for usage in others)


def _create(client: Client, svm: str, uuid: str, volume: str, qtree: str, limits: Limits) -> None:
    body: dict[str, Any] = {"svm": {"name": svm}, "volume": {"uuid": uuid}, "type": "tree", "qtree": {"name": qtree}}
    body |= {kind: {key: v for key, v in of.items() if v != _NO_LIMIT} for kind, of in _body(limits).items()}
    try:
        with _done_but(_NOT_ENFORCED):
            client.create("QuotaRule", body, asked=f"limit {_called(qtree, volume)}")
    except NameTaken:
        return  # by an earlier try, or somebody else: its limits are compared by the caller


def _find(client: Client, svm: str, volume: str, qtree: str) -> dict[str, Any] | None:
    return next((rule for rule in _rules(client, svm, volume) if _qtree_of(rule) == qtree), None)


def _rules(client: Client, svm: str, volume: str) -> list[dict[str, Any]]:
    query = {"svm.name": svm, "volume.name": volume, "type": "tree"}
    asked = f"list the quotas of volume {volume!r} of SVM {svm!r}"
    return client.records("QuotaRule", asked=asked, fields=_RULE, **query)


def _qtree_of(rule: dict[str, Any]) -> str:
    return (rule.get("qtree") or {}).get("name") or ""


def _check(volume: str, qtree: str, limits: Limits) -> None:
    pairs = ((limits.soft_bytes, limits.hard_bytes, "bytes"), (limits.soft_files, limits.hard_files, "files"))
    for soft, hard, unit in pairs:
        if any(limit is not None and limit <= 0 for limit in (soft, hard)):
            raise InvalidRequest(f"{_called(qtree, volume).capitalize()} was to be limited to no {unit}; give more.")
        if soft is not None and hard is not None and soft > hard:
            raise InvalidRequest(
                f"{_called(qtree, volume).capitalize()} was to have a soft limit of {soft} {unit} over the hard one of "
                f"{hard}; give less."
            )
    if limits == Limits():
        raise InvalidRequest(f"{_called(qtree, volume).capitalize()} was to have a quota without a limit; give one.")


def _body(limits: Limits) -> dict[str, Any]:
    def value(limit: int | None) -> int:
        return _NO_LIMIT if limit is None else limit

    return {
        "space": {"hard_limit": value(limits.hard_bytes), "soft_limit": value(limits.soft_bytes)},
        "files": {"hard_limit": value(limits.hard_files), "soft_limit": value(limits.soft_files)},
    }


def _limits(record: dict[str, Any]) -> Limits:
    def of(kind: str, name: str) -> int | None:
        value = (record.get(kind) or {}).get(name)
        return None if value in (None, _NO_LIMIT) else int(value)

    return Limits(
        hard_bytes=of("space", "hard_limit"),
        soft_bytes=of("space", "soft_limit"),
        hard_files=of("files", "hard_limit"),
        soft_files=of("files", "soft_limit"),
    )


def _usage(record: dict[str, Any]) -> Usage:
    def used(kind: str) -> int:
        return int((((record.get(kind) or {}).get("used")) or {}).get("total") or 0)

    qtree = (record.get("qtree") or {}).get("name") or ""
    return Usage(qtree=qtree, used_bytes=used("space"), used_files=used("files"), limits=_limits(record))


def _called(qtree: str, volume: str) -> str:
    return f"qtree {qtree!r} of volume {volume!r}" if qtree else f"every qtree of volume {volume!r}"
