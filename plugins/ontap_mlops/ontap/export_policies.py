"""Export policies: which networks may reach a volume over NFS, and what they may do there.

ONTAP keeps no comment with them, so a policy of ours is told by its name: only one that begins with ``mlops_`` is
changed or removed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InvalidRequest, JobStillRunning, NameTaken, NotFound, NotOurs

PREFIX = "mlops_"
_FIELDS = "id,name,rules"
_FLAVORS = frozenset({"any", "none", "never", "krb5", "krb5i", "krb5p", "ntlm", "sys"})


@dataclass(frozen=True, kw_only=True)
class Rule:
    """``clients`` are networks, addresses, host names, ``.domains`` or ``@netgroups``; the others, ONTAP's words."""

    clients: tuple[str, ...]
    ro: tuple[str, ...] = ("sys",)
    rw: tuple[str, ...] = ("sys",)
    superuser: tuple[str, ...] = ("none",)
    protocols: tuple[str, ...] = ("nfs",)


@dataclass(frozen=True, kw_only=True)
class ExportPolicy:
    id: int
    name: str
    rules: tuple[Rule, ...]


def find(client: Client, *, svm: str, name: str) -> ExportPolicy | None:
    asked = f"look up export policy {name!r} of SVM {svm!r}"
    found = client.records("ExportPolicy", asked=asked, fields=_FIELDS, name=name, **{"svm.name": svm})
    return next((_policy(record) for record in found if record.get("name") == name), None)


def rule_of(value: Rule | Mapping[str, Any]) -> Rule:
    """Return a rule from what a DAG says: ``{"clients": ["10.0.0.0/24"], "rw": "sys"}``."""
    if isinstance(value, Rule):
        return value
    known = {"clients", "ro", "rw", "superuser", "protocols"}
    if not {"clients"} <= value.keys() <= known:
        raise InvalidRequest(f"{dict(value)!r} is no export rule; give clients and, if wanted, ro, rw, superuser.")
    return Rule(**{key: (word,) if isinstance(word, str) else tuple(word) for key, word in value.items()})


@repeatable
def ensure(client: Client, *, svm: str, name: str, rules: Sequence[Rule | Mapping[str, Any]]) -> ExportPolicy:
    """Return the policy of this name with exactly these rules, in this order, made or changed now or by an earlier try.

    Raises NameTaken for one with other rules whose name does not begin with ``mlops_``.
    """
    wanted = tuple(map(rule_of, rules))
    _check(name, wanted)
    policy = find(client, svm=svm, name=name)
    if policy is None:
        body = {"name": name, "svm": {"name": svm}, "rules": [_body(rule) for rule in wanted]}
        with suppress(NameTaken):  # by an earlier try of ours, or somebody else: what is there decides
            client.create("ExportPolicy", body, asked=f"create export policy {name!r} of SVM {svm!r}")
        policy = find(client, svm=svm, name=name)
    if policy is None:
        raise JobStillRunning(f"Export policy {name!r} of SVM {svm!r} was asked for but is not there yet. Try again.")
    if [_compared(rule) for rule in policy.rules] == [_compared(rule) for rule in wanted]:
        return policy
    if not name.startswith(PREFIX):
        raise NameTaken(
            f"Export policy {name!r} of SVM {svm!r} has other rules than were asked for, and only policies whose names "
            f"begin with {PREFIX!r} are changed. {NameTaken.advice}."
        )
    asked = f"change the rules of export policy {name!r} of SVM {svm!r}"
    client.modify("ExportPolicy", {"id": policy.id}, {"rules": [_body(rule) for rule in wanted]}, asked=asked)
    return ExportPolicy(id=policy.id, name=name, rules=wanted)


@repeatable
def apply(client: Client, *, svm: str, volume: str, policy: str) -> str | None:
    """Give a volume the policy; the name of the one it had before. Clients keep what they have open."""
    home = volumes.get(client, svm=svm, name=volume)
    if find(client, svm=svm, name=policy) is None:
        raise NotFound(f"SVM {svm!r} has no export policy {policy!r} for volume {volume!r}. Make it first.")
    asked = f"give volume {volume!r} of SVM {svm!r} the export policy {policy!r}"
    record = client.record("Volume", {"uuid": home.uuid}, asked=asked, fields="nas.export_policy.name")
    before = ((record.get("nas") or {}).get("export_policy") or {}).get("name")
    if before != policy:
        client.modify("Volume", {"uuid": home.uuid}, {"nas": {"export_policy": {"name": policy}}}, asked=asked)
    return before


@repeatable
def delete(client: Client, *, svm: str, name: str) -> bool:
    """Remove it; False if it was gone. Raises NotOurs, or InUse while a volume has it."""
    policy = find(client, svm=svm, name=name)
    if policy is None:
        return False
    if not name.startswith(PREFIX):
        raise NotOurs(
            f"Export policy {name!r} of SVM {svm!r} was not removed: its name does not begin with {PREFIX!r}."
        )
    try:
        client.remove("ExportPolicy", {"id": policy.id}, asked=f"remove export policy {name!r} of SVM {svm!r}")
    except NotFound:
        return False
    return True


def _check(name: str, rules: Sequence[Rule]) -> None:
    for rule in rules:
        if not rule.clients:
            raise InvalidRequest(
                f"A rule of export policy {name!r} names no clients; give networks, such as 10.0.0.0/24."
            )
        for client in rule.clients:
            _check_client(name, client)
        odd = [word for words in (rule.ro, rule.rw, rule.superuser) for word in words if word not in _FLAVORS]
        if odd:
            raise InvalidRequest(f"{odd[0]!r} in export policy {name!r} is none of {', '.join(sorted(_FLAVORS))}.")


def _check_client(policy: str, client: str) -> None:
    """A network is written with the bits beyond its mask zero, or ONTAP takes it for another."""
    if not client or not client[0].isdigit() or "/" not in client:
        if client and not any(mark in client for mark in " ,"):
            return
        raise InvalidRequest(f"{client!r} in export policy {policy!r} is no client; give a network, address or name.")
    try:
        ipaddress.ip_network(client)
    except ValueError as error:
        raise InvalidRequest(f"{client!r} in export policy {policy!r} is no network: {error}.") from None


def _body(rule: Rule) -> dict[str, Any]:
    return {
        "clients": [{"match": ",".join(rule.clients)}],
        "protocols": list(rule.protocols),
        "ro_rule": list(rule.ro),
        "rw_rule": list(rule.rw),
        "superuser": list(rule.superuser),
    }


def _compared(rule: Rule) -> tuple[Any, ...]:
    """The order of clients and of words says nothing."""
    return tuple(frozenset(part) for part in (rule.clients, rule.ro, rule.rw, rule.superuser, rule.protocols))


def _policy(record: dict[str, Any]) -> ExportPolicy:
    return ExportPolicy(
        id=int(record["id"]), name=record.get("name", ""), rules=tuple(_rule(r) for r in record.get("rules") or ())
    )


def _rule(record: dict[str, Any]) -> Rule:
    matches = [client.get("match", "") for client in record.get("clients") or ()]
    return Rule(
        clients=tuple(part.strip() for match in matches for part in match.split(",") if part.strip()),
        ro=tuple(record.get("ro_rule") or ()),
        rw=tuple(record.get("rw_rule") or ()),
        superuser=tuple(record.get("superuser") or ()),
        protocols=tuple(record.get("protocols") or ()),
    )
