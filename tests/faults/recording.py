"""Which calls a scenario makes, which rights these need, and how it ends with an account that has these and no more."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from emulator.router import Router
from emulator.server import URLS
from ontap_mlops.ontap.errors import NotAuthorized, OntapPermanentError
from scripts import roles
from tests.faults.playing import Undisturbed, begin, play
from tests.faults.site import Scenario, Site
from tests.faults.trouble import TROUBLES, KilledAfter, LostAnswer
from tests.faults.wire import Call

USER, PASSWORD = "few", "few-rights"
_TEMPLATES = Router(URLS)
_AFTER = (LostAnswer, KilledAfter)


def calls_of(made: Iterable[Call]) -> dict[str, set[str]]:
    """Name of the cluster to the calls, such as "PATCH /storage/volumes/{uuid}"."""
    found: dict[str, set[str]] = {}
    for call in made:
        if call.cluster is not None:
            found.setdefault(call.cluster, set()).add(f"{call.method} {template(call)}")
    return found


def template(call: Call) -> str:
    """The path below /api as the documentation has it."""
    below = call.path.removeprefix("/api")
    matching = [route.path for route in _TEMPLATES.routes if _fits(route.path, below)]
    assert matching, f"{call} is none of the emulator's"
    return min(matching, key=lambda path: path.count("{"))


def _fits(path: str, asked: str) -> bool:
    parts, given = path.split("/"), asked.split("/")
    return len(parts) == len(given) and all(
        part.startswith("{") or part == there for part, there in zip(parts, given, strict=True)
    )


Rights = Mapping[str, Mapping[str, str]]
"""Name of the cluster to path to access level."""


def ends(site: Site, scenario: Scenario, good: Undisturbed, rights: Rights) -> str | None:
    """Play the scenario with an account that has these rights: None when it ends as it should, else how it ends."""
    begin(site, scenario)
    with _account(site, rights):
        try:
            site.run(scenario.make(site))
        except NotAuthorized as error:
            assert error.http_status == 403 and "refused to" in str(error), f"{scenario.title}: {error}"
            return str(error)
        except OntapPermanentError as error:  # what it may not see is not there, as far as it can tell
            assert "account" in str(error), f"{scenario.title}: {error}"
            return str(error)
    # What an account may not see, it has not made: the operator leaves that to who has.
    return None if scenario.end(site) == good.end else "it ends otherwise"


def of_the_table(scenario: Scenario, good: Undisturbed) -> dict[str, dict[str, str]]:
    """The rights of the generated table. AssertionError where the scenario makes calls that the table does not have."""
    known = roles.calls().get(scenario.operator, {})
    again = "its calls have changed: run `.venv/bin/python -m tests.faults.record` and `make docs`"
    for cluster, calls in calls_of(good.calls).items():
        assert calls <= set(known.get(cluster, {})), f"{scenario.title}, on the cluster {cluster}: {again}"
    return {cluster: roles.rights(roles.needed(found)) for cluster, found in known.items()}


def check(site: Site, scenario: Scenario, good: Undisturbed) -> None:
    """AssertionError where it does not end as it should with the rights of the table and no other."""
    rights = of_the_table(scenario, good)
    error = ends(site, scenario, good, rights)
    assert error is None, f"{scenario.title} needs more than {rights}: {error}"


@contextmanager
def _account(site: Site, rights: Rights) -> Iterator[None]:
    before = {}
    for name, cluster in zip((roles.HERE, roles.THERE), site.clusters, strict=False):
        given = rights.get(name, {})
        wide = any(map(roles.is_cluster_wide, given))
        privileges = [{"path": path, "access": access} for path, access in given.items()]
        cluster.control("PUT", "/roles", {"name": USER, "privileges": privileges})
        scope = {} if wide else {"svm": cluster.emulator.svm}
        cluster.control("PUT", "/users", {"name": USER, "password": PASSWORD, "role": USER, **scope})
        variable = f"AIRFLOW_CONN_ONTAP_{'DEFAULT' if name == roles.HERE else 'REMOTE'}"
        before[variable] = os.environ[variable]
        os.environ[variable] = json.dumps(json.loads(before[variable]) | {"login": USER, "password": PASSWORD})
    try:
        yield
    finally:
        os.environ.update(before)


def needs(site: Site, scenario: Scenario, good: Undisturbed) -> dict[str, dict[str, str]]:
    """Cluster to call to NEEDED or ASKED, found out by taking the right to each path away.

    What is only called where an answer was lost or a worker killed is needed then.
    """
    usual = calls_of(good.calls)
    made = calls_of([*good.calls, *disturbed(site, scenario, good)])
    full = {cluster: roles.rights(calls) for cluster, calls in made.items()}
    found: dict[str, dict[str, str]] = {}
    for cluster, given in full.items():
        for path, access in given.items():
            missed = [
                level for level in roles.lower(access) if refused(site, scenario, good, full, cluster, path, level)
            ]
            for call in sorted(call for call in made[cluster] if roles.path_of(call) == path):
                reads = call.startswith(("GET", "HEAD"))
                is_needed = bool(missed) if reads else "readonly" in missed
                is_needed |= call not in usual.get(cluster, ())
                found.setdefault(cluster, {})[call] = roles.NEEDED if is_needed else roles.ASKED
    return found


def disturbed(site: Site, scenario: Scenario, good: Undisturbed) -> list[Call]:
    """The calls made when the answer to a change is lost, or the worker killed after it."""
    changing = replace(good, calls=[call for call in good.calls if call.changes])
    played = [play(site, scenario, trouble, changing, sys.maxsize) for trouble in TROUBLES if trouble.kind in _AFTER]
    return [call for cell in played for call in cell.calls]


def refused(
    site: Site, scenario: Scenario, good: Undisturbed, full: Rights, cluster: str, path: str, level: str
) -> str | None:
    """How it ends with less access to one path; None when it ends as it should."""
    return ends(site, scenario, good, {**full, cluster: {**full[cluster], path: level}})
