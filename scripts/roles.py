"""Which calls to ONTAP each operator makes, and the least rights that these need: as a page, a script and REST bodies.

``ontap_calls.json`` beside this file has the calls, recorded from the scenarios of ``tests/faults`` by
``python -m tests.faults.record``; everything else follows from it.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CALLS = Path(__file__).with_name("ontap_calls.json")
NAME = "mlops"
"""Of the role, and of the account in the commands."""
HERE, THERE = "here", "there"
NEEDED, ASKED = "needed", "asked"
"""Without the right to a call the operator fails; or it does without what the call would tell."""

# What no account of a single SVM can be given.
_CLUSTER_ONLY = ("/api/cluster/peers", "/api/cluster/nodes", "/api/cluster/licensing", "/api/storage/aggregates")
# A role can name these below single objects; of all other objects only the collection, which stands for what is below.
_QUALIFIED = (
    "/api/storage/volumes/*/snapshots",
    "/api/storage/volumes/*/files",
    "/api/protocols/s3/services/*/users",
)
_JOB = "GET /cluster/jobs/{uuid}"
_LEVELS = {
    frozenset(): "readonly",
    frozenset({"POST"}): "read_create",
    frozenset({"PATCH"}): "read_modify",
    frozenset({"POST", "PATCH"}): "read_create_modify",
}

_INTRODUCTION = """# Calls to ONTAP, retries and rights

Recorded from the scenarios in which every operator meets every fault (`make faults`). The whole role is in
[ontap-role.txt](ontap-role.txt) as commands for the cluster's administrator, and in
[ontap-role.json](ontap-role.json) as bodies for `POST /api/security/roles`; `make preflight` says which right an
account lacks. The tests run every operator with its own role alone, and take each right away in turn: the task then
fails with a sentence that names what was refused. A call in brackets tells something that the operator does without
where the account may not ask.
"""
_RETRIES = """## Retries

Reads, and changes that find what an earlier try of theirs made, are asked three times at once after a lost answer or
a 5xx. After that the error decides: a task is tried again up to {retries} times, first after {delay:.0f} s and then
after twice as long each time, or it fails at once.

| Error | Task | Meaning |
| --- | --- | --- |
{rows}
"""

Calls = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Operator to cluster to "METHOD /path" to NEEDED or ASKED."""


def calls() -> Calls:
    return json.loads(CALLS.read_text())


def path_of(call: str) -> str:
    """The path that a role names for a call such as "PATCH /storage/volumes/{uuid}": of the collection, with /api."""
    below = re.sub(r"(/\{[^/]*\})+$", "", call.split(" ", 1)[1])
    path = "/api" + re.sub(r"\{[^/]*\}", "*", below)
    return path if path in _QUALIFIED else path.split("/*")[0]


def rights(made: Iterable[str]) -> dict[str, str]:
    """Path to access level for these calls; a level includes reading."""
    methods: dict[str, set[str]] = {}
    for call in made:
        methods.setdefault(path_of(call), set()).add(call.split(" ", 1)[0])
    return {path: _level(found) for path, found in sorted(methods.items())}


def needed(found: Mapping[str, str]) -> list[str]:
    """The calls of one operator on one cluster that it cannot do without.

    Whoever changes something may be answered with a job, which ends later or in another way than usual.
    """
    listed = [call for call, how in found.items() if how == NEEDED]
    return [*listed, *([_JOB] if _JOB not in listed and any(map(_changes, listed)) else [])]


def _changes(call: str) -> bool:
    return not call.startswith(("GET", "HEAD"))


def is_cluster_wide(path: str) -> bool:
    """Whether only an account of the whole cluster can have the right."""
    return path.startswith(_CLUSTER_ONLY)


def summed(known: Calls) -> dict[str, str]:
    """Path to access level for all operators together, on whichever cluster."""
    return rights(call for clusters in known.values() for found in clusters.values() for call in needed(found))


def command(role: str, path: str, access: str, svm: str) -> str:
    """The cluster's own command line for one right; an empty ``svm`` is the cluster."""
    where = f'-vserver "{svm}" ' if svm else ""
    return f'security login rest-role create {where}-role {role} -api "{path}" -access {access}'


def script(known: Calls) -> str:
    """The commands for an administrator, for one SVM, and what the cluster itself has to be asked for."""
    sums = summed(known)
    lines = [
        "# The least rights on ONTAP with which every operator of ontap-mlops works. Made by `make docs`; do not edit.",
        "# Put the name of your SVM in place of SVM, and paste into the cluster's command line.",
        "",
        "# An account of the SVM: everything but peers.",
        *(command(NAME, path, access, "SVM") for path, access in sums.items() if not is_cluster_wide(path)),
        f'security login create -vserver "SVM" -user-or-group-name {NAME} -application http -authentication-method '
        f"password -role {NAME}",
    ]
    wide = [(path, access) for path, access in sums.items() if is_cluster_wide(path)]
    if wide:
        lines += ["", "# An account of the cluster, only for the operators on peers (connection of its own)."]
        lines += [command(f"{NAME}_cluster", path, access, "") for path, access in wide]
    return "\n".join(lines) + "\n"


def bodies(known: Calls) -> str:
    """The same for ``POST /api/security/roles``."""
    sums = summed(known)
    made: list[dict[str, Any]] = [{"name": NAME, "owner": {"name": "SVM"}, "privileges": []}]
    wide: dict[str, Any] = {"name": f"{NAME}_cluster", "privileges": []}
    for path, access in sums.items():
        (wide if is_cluster_wide(path) else made[0])["privileges"].append({"path": path, "access": access})
    return json.dumps([*made, *([wide] if wide["privileges"] else [])], indent=2) + "\n"


def page() -> str:
    """The table: operator, its calls, when it is tried again, its role."""
    known = calls()
    parts = [
        _INTRODUCTION,
        _sum(known),
        _retries(),
        "## Operators\n\n| Operator | Calls | Tried again | Role |\n| --- | --- | --- | --- |",
    ]
    return "\n".join([*parts, *(_row(name, clusters) for name, clusters in sorted(known.items()))]) + "\n"


def _sum(known: Calls) -> str:
    rows = [
        f"| `{path}` | {access} | {'cluster' if is_cluster_wide(path) else 'SVM'} |"
        for path, access in summed(known).items()
    ]
    return "\n".join(["## All together\n\n| Path | Access | Account of |\n| --- | --- | --- |", *rows]) + "\n"


def _retries() -> str:
    from ontap_mlops.ontap import errors
    from ontap_mlops.operators.base import RETRIES, RETRY_DELAY
    from ontap_mlops.operators.retry import RETRY_POLICY

    kinds = sorted(_kinds(errors.OntapError), key=lambda kind: kind.__name__)
    rows = []
    for kind in kinds:
        decided = RETRY_POLICY.evaluate(kind("x"), 1, RETRIES + 1).action.name
        meaning = " ".join((kind.__doc__ or "").split()).split(". ")[0].rstrip(".")
        rows.append(f"| `{kind.__name__}` | {decided.lower()} | {meaning or kind.advice} |")
    return _RETRIES.format(retries=RETRIES, delay=RETRY_DELAY.total_seconds(), rows="\n".join(rows))


def _kinds(kind: type[Any]) -> set[type[Any]]:
    below = [_kinds(each) for each in kind.__subclasses__()]
    return set().union(*below) if below else {kind}


def _row(name: str, clusters: Mapping[str, Mapping[str, str]]) -> str:
    said, roles = [], []
    for cluster in (HERE, THERE):
        found = clusters.get(cluster, {})
        at = "" if cluster == HERE or not found else "*on the other cluster:* "
        listed = [f"`{call}`" if how == NEEDED else f"(`{call}`)" for call, how in sorted(found.items(), key=_place)]
        said += [at + "<br>".join(listed)] if listed else []
        given = [f"`{path}` {access}" for path, access in rights(needed(found)).items()]
        roles += [at + "<br>".join(given)] if given else []
    return f"| `{name}` | {'<br>'.join(said)} | {_tried(name)} | {'<br>'.join(roles)} |"


def _place(item: tuple[str, str]) -> tuple[str, str]:
    method, path = item[0].split(" ", 1)
    return path, method


def _tried(name: str) -> str:
    """In words, from the class: what a retry does with what an earlier try began."""
    kind = operators().get(name)
    waits = "WaitingOperator" in {base.__name__ for base in (kind.__mro__ if kind else ())}
    return "by the error; joins work that goes on" if waits else "by the error; finds what it made"


def operators() -> dict[str, type[Any]]:
    """Every operator of the provider by the name of its class."""
    import ontap_mlops.operators

    found: dict[str, type[Any]] = {}
    for info in pkgutil.iter_modules(ontap_mlops.operators.__path__):
        module = importlib.import_module(f"ontap_mlops.operators.{info.name}")
        found |= {name: kind for name, kind in vars(module).items() if isinstance(kind, type)}
    return found


def _level(methods: set[str]) -> str:
    return "all" if "DELETE" in methods else _LEVELS[frozenset(methods - {"GET", "HEAD", "OPTIONS"})]


def lower(access: str) -> list[str]:
    """What is tried in place of an access level to see whether it is needed: nothing, and only reading."""
    return ["none"] if access == "readonly" else ["none", "readonly"]
