"""Which rights on ONTAP the account lacks, by harmless calls, and which operators and DAGs need them.

Every path of the generated role (docs/reference/ontap-calls.md) is tried with each method that an operator uses, on
objects that are not there. What is lacking fails the check only where a DAG is named that needs it: few need all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import scripts.preflight as preflight
from ontap_mlops.hooks.ontap import OntapHook
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.errors import OntapError
from scripts import roles
from scripts.preflight import Check, Failed

_NOBODY = "00000000-0000-0000-0000-000000000000"
_NAMED = 3  # operators in a line

Lacking = dict[str, list[str]]
"""Path to the methods that the account may not use on it."""


def report(
    conn_id: str,
    *,
    dag_id: str | None = None,
    say: Callable[[str], None] = print,
    where: str = roles.HERE,
    at: str = "",
) -> int:
    """Say a line for each right that is lacking; how many checks failed, which is none without a DAG.

    :param where: which of the clusters that an operator speaks to the connection leads to; ``at`` says so in the lines.
    """
    known = roles.calls()
    wanted = set(known) if dag_id is None else operators_of(dag_id) & set(known)
    try:
        with OntapHook(conn_id).client() as client:
            found = lacking(client, known, wanted, where)
    except OntapError:
        return 0  # another check has said so
    if dag_id is None:
        for path, methods in found.items():
            say(f"lacks    {at + path:<34} {_said(known, wanted, path, methods, where)}")
        return 0
    checks = [
        Check(at + path, partial(_fail, _said(known, wanted, path, methods, where))) for path, methods in found.items()
    ]
    if not checks:
        checks = [
            Check(f"{at}rights that {dag_id} needs", lambda: f"all, for {', '.join(sorted(wanted)) or 'no operator'}")
        ]
    return preflight.report(checks, say)


def lacking(client: Client, known: roles.Calls, operators: Iterable[str], where: str = roles.HERE) -> Lacking:
    """Try each call that these operators cannot do without, on the cluster where their object lives."""
    calls = {call for name in operators for call in roles.needed(known[name].get(where, {}))}
    found: Lacking = {}
    for call in sorted(calls, key=lambda call: (roles.path_of(call), call)):
        method, template = call.split(" ", 1)
        if not client.may(method, _harmless(template), asked=f"try {method} on {template}"):
            found.setdefault(roles.path_of(call), []).append(method)
    return found


def operators_of(dag_id: str) -> set[str]:
    """Names of the classes of a DAG's tasks. Raises SystemExit, naming those there are, for one that is not there."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk.configuration import conf

    folder = conf.get("core", "dags_folder")
    bag = DagBag(folder)
    if dag_id not in bag.dags:
        raise SystemExit(f"There is no DAG {dag_id!r} in {folder}; there are {', '.join(sorted(bag.dags)) or 'none'}.")
    return {task.task_type for task in bag.dags[dag_id].tasks}


def _harmless(template: str) -> str:
    """The path with /api, with the uuid that nothing has wherever an object is named."""
    parts = [_NOBODY if part.startswith("{") else part for part in template.split("/")]
    return "/api" + "/".join(parts)


def _said(known: roles.Calls, wanted: Iterable[str], path: str, methods: list[str], where: str) -> str:
    needing = [name for name in sorted(wanted) if path in roles.rights(roles.needed(known[name].get(where, {})))]
    calls = [call for name in needing for call in roles.needed(known[name].get(where, {}))]
    access = roles.rights(call for call in calls if roles.path_of(call) == path)[path]
    others = f" and {len(needing) - _NAMED} others" if len(needing) > _NAMED else ""
    scope = "an account of the cluster, " if roles.is_cluster_wide(path) else ""
    return (
        f"the account may not {', '.join(methods)}; give it {scope}access {access} "
        f"[needed by {', '.join(needing[:_NAMED])}{others}]"
    )


def _fail(sentence: str) -> str:
    raise Failed(sentence)
