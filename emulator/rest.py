"""ONTAP's REST conventions: calls, replies, routes, collections with paging, and work that goes on as a job.

A resource module has four rooms: ``urls.py`` (``URLS``, a list of `Route`), ``handlers.py`` (one function per
operation, `Call` to `Reply`), ``state.py`` (records, shape and what changes them) and ``errors.py`` (one class per
documented code).
"""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

from emulator import query
from emulator.body import Accepts, checked
from emulator.errors import BadValue, NoSuchApi, NoSuchMethod, NotFound, OntapError, UnknownArgument
from emulator.fields import Shape
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.auth import User
    from emulator.world import World

RETURN_TIMEOUT_MAX_S = 120
MAX_RECORDS = 10_000

_LIST_ARGUMENTS = frozenset({"fields", "max_records", "order_by", "return_timeout", "return_records", "start.key"})
_CHANGE_ARGUMENTS = frozenset({"return_timeout", "return_records", "max_records", "start.key"})


@dataclass
class Call:
    """One request, checked: query and body hold only what the route accepts."""

    method: str
    path: str
    """Below /api, e.g. ``/storage/volumes``."""
    params: dict[str, str]
    """The parts of the path named in braces by the route."""
    query: dict[str, str]
    body: dict[str, Any]
    user: User
    world: World

    @property
    def description(self) -> str:
        """What a job started by this call is called."""
        return f"{self.method} /api{self.path}"

    @property
    def return_timeout_s(self) -> int:
        return _bounded(self.query, "return_timeout", 0, RETURN_TIMEOUT_MAX_S, default=0)

    @property
    def return_records(self) -> bool:
        return self.query.get("return_records", "false").lower() == "true"


@dataclass
class Reply:
    status: int = 200
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """One operation on one path; ``{name}`` marks a part of the path, and names may have dots (``{svm.uuid}``)."""

    method: str
    path: str
    handler: Callable[[Call], Reply]
    shape: Shape | None = None
    """What ``fields=`` and queries may name."""
    accepts: Accepts = field(default_factory=dict)
    """Body fields with their converters (`emulator.body`)."""
    arguments: frozenset[str] = frozenset()
    """Further query arguments, e.g. ``force``."""


class Router:
    """Finds the route of a request and checks its arguments."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = list(routes)
        self._compiled = [(route, *_compile(route.path)) for route in self.routes]

    def dispatch(self, call: Call, body: Any) -> Reply:
        route, call.params = self._match("GET" if call.method == "HEAD" else call.method, call.path)
        _check_arguments(route, call.query)
        call.body = checked(body, route.accepts) if body is not None else {}
        _ = call.return_timeout_s  # 262197 before anything is done
        return route.handler(call)

    def methods(self, path: str) -> list[str]:
        return sorted({route.method for route, pattern, _ in self._compiled if pattern.fullmatch(path)})

    def _match(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        for route, pattern, names in self._compiled:
            if route.method == method and (match := pattern.fullmatch(path)):
                return route, dict(zip(names, map(unquote, match.groups()), strict=True))
        raise NoSuchMethod(method) if self.methods(path) else NoSuchApi()


def _compile(path: str) -> tuple[re.Pattern[str], list[str]]:
    names = re.findall(r"\{([^}]+)\}", path)
    return re.compile(re.sub(r"\\\{[^}]+\\\}", "([^/]+)", re.escape(path)) + "/?"), names


def _check_arguments(route: Route, arguments: dict[str, str]) -> None:
    known = (_LIST_ARGUMENTS if route.method == "GET" else _CHANGE_ARGUMENTS) | route.arguments
    for name in arguments:
        if name not in known and not (route.shape and route.method != "POST" and route.shape.knows(name)):
            raise UnknownArgument(name)


def one(call: Call, shape: Shape, record: Record | None) -> Reply:
    """Answer with one record, or 404."""
    if record is None:
        raise NotFound()
    return Reply(200, shape.show(call.world, record, shape.wanted(call.query.get("fields"), instance=True)))


def many(call: Call, shape: Shape, records: list[Record]) -> Reply:
    """Answer with the records that match the query: filtered, ordered, paged and cut to the fields asked for."""
    filters, order = _filters(call, shape), _order(call, shape)
    kept = _sorted(call.world, shape, select(call, shape, records), order)
    kept = _after(kept, order, call.query.get("start.key"))
    count = _bounded(call.query, "max_records", 1, MAX_RECORDS, default=MAX_RECORDS)
    named = ",".join(filter(None, [call.query.get("fields"), *filters]))
    wanted = shape.wanted(named or None, instance=False)
    page = [record for _, record in kept[:count]]
    body: dict[str, Any] = {
        "records": [shape.show(call.world, record, wanted) for record in page],
        "num_records": len(page),
        "_links": {"self": {"href": _href(call, call.query)}},
    }
    if call.query.get("return_records", "true").lower() == "false":
        del body["records"]
    if len(kept) > count:
        start = {"start.key": _token(kept[count - 1][0])}
        body["_links"]["next"] = {"href": _href(call, call.query | start)}
    return Reply(200, body)


def select(call: Call, shape: Shape, records: list[Record]) -> list[Record]:
    """The records whose fields match the query arguments."""
    filters = _filters(call, shape)
    if not filters:
        return records
    wanted = shape.wanted(",".join(filters), instance=False)
    return [r for r in records if query.matches(shape.render(call.world, r, wanted), filters)]


def for_each(call: Call, shape: Shape, records: list[Record], handler: Callable[[Call], Reply]) -> Reply:
    """PATCH or DELETE on a collection: the operation on one record, done for all that match the query."""
    replies = []
    named = {entry.get("uuid") for entry in call.body.get("records") or []}
    for record in select(call, shape, records):
        if named and record["uuid"] not in named:
            continue
        inner = replace(call, path=f"{call.path}/{record['uuid']}", params=call.params | {"uuid": record["uuid"]})
        replies.append(handler(inner))
    jobs = [reply.body["job"] for reply in replies if reply.body and "job" in reply.body]
    body: dict[str, Any] = {"num_records": len(replies)}
    return Reply(202 if jobs else 200, body | ({"jobs": jobs} if jobs else {}))


def created(call: Call, shape: Shape, record: Record) -> Reply:
    """201 for something made at once; the record itself only with ``return_records=true``."""
    shown = shape.show(call.world, record, shape.wanted(None, instance=True))
    body = {"num_records": 1, "records": [shown]} if call.return_records else {}
    return Reply(
        201, body, {"Location": shape.link(shape.render(call.world, record, shape.wanted("**", instance=True)))}
    )


def accepted(
    call: Call,
    operation: str,
    args: dict[str, Any],
    *,
    location: str | None = None,
    result: Callable[[], dict[str, Any] | None] = lambda: None,
    svm: dict[str, str] | None = None,
) -> Reply:
    """Do ``operation`` (a name registered with `emulator.jobs.operation`) as a job.

    202 with the job, or 200 / 201 / the job's error when it ends within ``return_timeout``. ``result`` renders the
    record for ``return_records=true``. ``location`` is the path of what is being made (with /api).
    """
    jobs = call.world.jobs
    uuid = jobs.submit(call, operation, args, svm=svm)
    done = jobs.wait(uuid, call.return_timeout_s or jobs.courtesy_s)
    if not call.return_timeout_s:
        done = None
    if done and done["state"] == "failure":
        raise OntapError(done["error"]["message"], code=done["error"]["code"], status=done["error"]["status"])
    body: dict[str, Any] = {"job": job_link(uuid)}
    if call.return_records and (shown := result()):
        body |= {"num_records": 1, "records": [shown]}
    status = 202 if not done else 201 if call.method == "POST" else 200
    return Reply(status, body, {"Location": location} if location else {})


def job_link(uuid: str) -> dict[str, Any]:
    return {"uuid": uuid, "_links": {"self": {"href": f"/api/cluster/jobs/{uuid}"}}}


def _filters(call: Call, shape: Shape) -> dict[str, str]:
    return {name: value for name, value in call.query.items() if name not in _LIST_ARGUMENTS and shape.knows(name)}


def _order(call: Call, shape: Shape) -> list[tuple[str, int]]:
    """``order_by=name desc,size`` as [("name", -1), ("size", 1)]."""
    order = []
    for part in filter(None, (text.strip() for text in call.query.get("order_by", "").split(","))):
        name, _, direction = part.partition(" ")
        if not shape.knows(name) or direction.strip() not in ("", "asc", "desc"):
            raise BadValue(part, "order_by", "field [asc|desc]")
        order.append((name, -1 if direction.strip() == "desc" else 1))
    return order


def _sorted(
    world: World, shape: Shape, records: list[Record], order: list[tuple[str, int]]
) -> list[tuple[list[Any], Record]]:
    """Records with their sort keys; the sequence of creation decides between equals."""
    wanted = shape.wanted(",".join(name for name, _ in order), instance=False)
    keyed = []
    for record in records:
        shown = shape.render(world, record, wanted) if order else {}
        key = [next(iter(query.values(shown, name)), None) for name, _ in order]
        keyed.append(([*key, record["_seq"]], record))
    return sorted(keyed, key=lambda pair: _ranked(pair[0], order))


def _ranked(key: list[Any], order: list[tuple[str, int]]) -> Any:
    directions = [direction for _, direction in order] + [1]

    def compare(a: list[Any], b: list[Any]) -> int:
        for left, right, direction in zip(a, b, directions, strict=True):
            if left != right:
                return direction if left is None or (right is not None and left > right) else -direction
        return 0

    return functools.cmp_to_key(compare)(key)


def _after(
    keyed: list[tuple[list[Any], Record]], order: list[tuple[str, int]], token: str | None
) -> list[tuple[list[Any], Record]]:
    if token is None:
        return keyed
    try:
        start = json.loads(base64.urlsafe_b64decode(token))
        return [pair for pair in keyed if _ranked(start, order) < _ranked(pair[0], order)]
    except (ValueError, TypeError) as error:
        raise BadValue(token, "start.key") from error


def _token(key: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _href(call: Call, arguments: dict[str, str]) -> str:
    path = "/api" + quote(call.path)
    return f"{path}?{urlencode(arguments, quote_via=quote)}" if arguments else path


def _bounded(arguments: dict[str, str], name: str, low: int, high: int, *, default: int) -> int:
    text = arguments.get(name)
    if text is None:
        return default
    if not text.isdigit() or not low <= int(text) <= high:
        raise BadValue(text, name, f"{low}..{high}")
    return int(text)
