"""Calls on a whole collection: many records made, changed or removed, by a list of them or by a query.

Each record is done as if it had been named alone, in the order of the list. Without ``continue_on_failure=true`` the
first failure ends the rest. A list of records is followed by one job, whose results tell what came of each.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import parse_qs, quote, urlsplit

from emulator.body import checked
from emulator.errors import BadValue, MissingField, NoQuery, NotFound, OntapError
from emulator.rest import CHANGE_ARGUMENTS, Call, Reply, Route, job_link, selects

# To stay with the records that a query has selected, one page at a time is enough.
_PAGE_ARGUMENTS = frozenset({"max_records", "start.key"})


class Router(Protocol):
    """What does each call: the table of all routes."""

    def dispatch(self, call: Call, body: Any) -> Reply: ...


Step = tuple[str, Any]
"""Path of one record (below /api) and the body of its own call."""


def with_collections(routes: Iterable[Route]) -> list[Route]:
    """The routes, and PATCH and DELETE of each collection one of whose records has them."""
    routes = list(routes)
    known = {(route.method, route.path): route for route in routes}
    for one in routes:
        collection = re.sub(r"(/\{[^}]+\})+$", "", one.path)
        listed = known.get(("GET", collection))
        if one.method in ("PATCH", "DELETE") and collection != one.path and listed and listed.shape:
            known.setdefault((one.method, collection), replace(one, path=collection, each=one, shape=listed.shape))
    return list(known.values())


def has_records(route: Route, body: Any) -> bool:
    return route.shape is not None and isinstance(body, dict) and "records" in body and "records" not in route.accepts


def create(router: Router, call: Call, body: dict[str, Any]) -> Reply:
    """POST with ``{"records": [...]}``."""
    if others := [name for name in body if name != "records"]:
        raise BadValue(others[0], "records", "nothing else beside it")
    steps = [(call.path, record) for record in _records(body)]
    return _Work(router, call).do(steps).of_records()


def change(router: Router, route: Route, call: Call, body: Any) -> Reply:
    """PATCH or DELETE of what a query selects, or of ``{"records": [...]}`` that name themselves by their keys."""
    assert route.each and route.shape
    if isinstance(body, dict) and body.get("records") is not None:
        return _Work(router, call, route.each.arguments).do(_named(route.each, call, body)).of_records()
    if not selects(call, route.shape):
        raise NoQuery()
    if body is not None:
        checked(body, route.each.accepts, route.shape.ontap.lists)
    paths, following = _selected(router, route, call)
    work = _Work(router, call, route.each.arguments).do([(path, body) for path in paths])
    return work.of_query(following)


def results(router: Router, call: Call) -> Reply:
    """GET of a collection with ``job_results_uuid``: what came of a list of records."""
    group = call.world.store.get("job", call.query["job_results_uuid"])
    if group is None or "parts" not in group or call.user.svm not in (None, (group["svm"] or {}).get("name")):
        raise NotFound("job_results_uuid")
    shown = _shown(router, call, group["paths"])
    body: dict[str, Any] = {"records": shown, "num_records": len(shown)}
    if errors := call.world.jobs.errors_of(group):
        body["errors"] = [{name: value for name, value in each.items() if name != "status"} for each in errors]
    return Reply(200, body)


def _records(body: dict[str, Any]) -> list[dict[str, Any]]:
    records = body["records"]
    if not isinstance(records, list) or not records or not all(isinstance(record, dict) for record in records):
        raise BadValue(records, "records", "list of objects")
    return records


def _named(each: Route, call: Call, body: dict[str, Any]) -> list[Step]:
    """One step for each record, with what stands beside the list for all of them."""
    common = {name: value for name, value in body.items() if name != "records"}
    steps = []
    for record in _records(body):
        changes, path = dict(record), each.path
        for name in re.findall(r"\{([^}]+)\}", each.path):
            key = call.params.get(name) or _taken(changes, name)
            path = path.replace("{" + name + "}", quote(str(key), safe=""))
        changes = common | {name: value for name, value in changes.items() if not name.startswith("_links")}
        # A DELETE says no more than which record; an official client sends all keys that it knows.
        steps.append((path, changes if each.method == "PATCH" else common or None))
    return steps


def _taken(record: dict[str, Any], name: str) -> Any:
    """The value of a dotted name, which is taken out of the record; 262196 where there is none."""
    if name in record:
        found = record.pop(name)
    else:
        folder, _, leaf = name.partition(".")
        inner = record.get(folder)
        found = inner.get(leaf) if leaf and isinstance(inner, dict) else None
        if found is not None:
            record.pop(folder)
    if not isinstance(found, str | int) or isinstance(found, bool) or found == "":
        raise MissingField(f"records.{name}")
    return found


def _selected(router: Router, route: Route, call: Call) -> tuple[list[str], str | None]:
    """Paths of the records that the query selects, and the ``start.key`` of those that are left."""
    dropped = (CHANGE_ARGUMENTS - _PAGE_ARGUMENTS) | {"continue_on_failure", "serial_records"} | route.arguments
    asked = {name: value for name, value in call.query.items() if name not in dropped}
    listed = router.dispatch(replace(call, method="GET", query=asked, body={}), None).body or {}
    paths = [record["_links"]["self"]["href"].removeprefix("/api") for record in listed["records"]]
    following = listed["_links"].get("next", {}).get("href")
    return paths, parse_qs(urlsplit(following).query)["start.key"][0] if following else None


def _shown(router: Router, call: Call, paths: list[str]) -> list[dict[str, Any]]:
    shown = []
    asked = {name: value for name, value in call.query.items() if name == "fields"}
    for path in paths:
        try:
            shown.append(router.dispatch(replace(call, method="GET", path=path, query=asked, body={}), None).body or {})
        except OntapError:  # it is not there yet, or no more
            continue
    return shown


@dataclass
class _Work:
    """One call for each of many records, and what came of them."""

    router: Router
    call: Call
    arguments: frozenset[str] = frozenset()
    """Query arguments that each call is given too."""
    paths: list[str] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    errors: list[OntapError] = field(default_factory=list)
    done: int = 0

    def do(self, steps: list[Step]) -> _Work:
        for name in ("continue_on_failure", "serial_records"):
            self.call.flag(name)
        for path, body in steps:
            try:
                self._note(path, self.router.dispatch(self._inner(path), body))
            except OntapError as error:
                self.errors.append(error)
            if self.failed and not self.call.flag("continue_on_failure"):
                break
        return self

    @property
    def failed(self) -> bool:
        world = self.call.world
        return bool(self.errors) or any((world.store.get("job", job) or {}).get("error") for job in self.jobs[-1:])

    def _inner(self, path: str) -> Call:
        given = {name: value for name, value in self.call.query.items() if name in self.arguments}
        return replace(self.call, path=path, params={}, query=given, body={})

    def _note(self, path: str, reply: Reply) -> None:
        self.done += 1
        self.paths.append(reply.headers.get("Location", "/api" + path).removeprefix("/api"))
        body = reply.body or {}
        self.records += body.get("records", [])
        if "job" in body:
            self.jobs.append(body["job"]["uuid"])

    def of_query(self, following: str | None) -> Reply:
        """As many jobs as records; the client follows each."""
        body: dict[str, Any] = {"num_records": self.done}
        if self.jobs:
            body["jobs"] = [job_link(uuid) for uuid in self.jobs]
        if following and not self._stopped:
            path = f"/api{self.call.href}"
            body["_links"] = {"next": {"href": path + "?" + _encoded(self.call.query | {"start.key": following})}}
        if not self._wait():
            return self._answer(body)
        failed = [
            record for uuid in self.jobs if (record := self.call.world.store.get("job", uuid)) and record["error"]
        ]
        self.errors += [_error(record["error"]) for record in failed]
        self.done -= len(failed)
        self.jobs = []
        return self._answer(body | {"num_records": self.done})

    def of_records(self) -> Reply:
        """One job for all, with a link to its results; the records at once where none of them needs a job."""
        if not self.jobs:
            shown = self.records or (_shown(self.router, self.call, self.paths) if self.call.return_records else [])
            return self._answer({"num_records": self.done} | ({"records": shown} if shown else {}))
        world, svm = self.call.world, self.call.user.svm
        owner = next(iter(world.store.find("svm", name=svm)), None) if svm else None
        uuid = world.jobs.group(
            self.call,
            self.jobs,
            paths=self.paths,
            errors=[error.body()["error"] | {"status": error.status} for error in self.errors],
            svm={"name": owner["name"], "uuid": owner["uuid"]} if owner else None,
        )
        link = job_link(uuid)
        link["_links"]["results"] = {"href": f"/api{self.call.href}?job_results_uuid={uuid}"}
        body = {"job": link, "num_records": self.done}
        if not self._wait():
            return Reply(202, body)
        if self.call.return_records and self.call.method != "DELETE":
            body["records"] = _shown(self.router, self.call, self.paths)
        self.errors = [_error(each) for each in world.jobs.errors_of(world.store.get("job", uuid) or {})]
        self.jobs = []
        return self._answer(body)

    @property
    def _stopped(self) -> bool:
        return self.failed and not self.call.flag("continue_on_failure")

    def _wait(self) -> bool:
        """Whether all jobs have ended within ``return_timeout``."""
        deadline = time.monotonic() + self.call.return_timeout_s
        for job in self.jobs if self.call.return_timeout_s else ():
            if self.call.world.jobs.wait(job, deadline - time.monotonic()) is None:
                return False
        return bool(self.call.return_timeout_s)

    def _answer(self, body: dict[str, Any]) -> Reply:
        """The errors beside what was done; the first of them is the answer where nothing was, or where it ended all."""
        if self.errors:
            body["errors"] = [error.body()["error"] for error in self.errors]
        if self.errors and (self.done == 0 or not self.call.flag("continue_on_failure")):
            return Reply(self.errors[0].status, self.errors[0].body() | body)
        return Reply(202 if self.jobs else 201 if self.call.method == "POST" else 200, body)


def _error(of_job: dict[str, Any]) -> OntapError:
    return OntapError(of_job["message"], of_job.get("target"), code=of_job["code"], status=of_job.get("status"))


def _encoded(arguments: dict[str, str]) -> str:
    return "&".join(f"{quote(name)}={quote(value)}" for name, value in arguments.items())
