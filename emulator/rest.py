"""ONTAP's REST conventions: calls, replies, routes, collections with paging, and work that goes on as a job.

A resource module has four rooms: ``urls.py`` (``URLS``, a list of `Route`), ``handlers.py`` (one function per
operation, `Call` to `Reply`), ``state.py`` (records, shape and what changes them) and ``errors.py`` (one class per
documented code).
"""

from __future__ import annotations

import base64
import functools
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from emulator import query
from emulator.body import Accepts
from emulator.errors import BadValue, NotFound, OntapError
from emulator.fields import Shape
from emulator.reading import Records
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.auth import User
    from emulator.world import World

RETURN_TIMEOUT_MAX_S = 120
MAX_RECORDS = 10_000
ANY = "*"
"""In place of a parent in the path of a list: all of them, as in ``/storage/volumes/*/snapshots``."""

CHANGE_ARGUMENTS = frozenset({"return_timeout", "return_records", "max_records", "start.key"})
"""Query arguments that every POST, PATCH and DELETE takes."""
LIST_ARGUMENTS = CHANGE_ARGUMENTS | {"fields", "order_by", "query", "query_fields", "job_results_uuid"}
"""Query arguments that every GET takes."""
COLLECTION_ARGUMENTS = CHANGE_ARGUMENTS | {"query", "query_fields", "continue_on_failure", "serial_records"}
"""Query arguments of what is done to a whole collection."""
_NOT_FIELDS = LIST_ARGUMENTS | COLLECTION_ARGUMENTS


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
    def href(self) -> str:
        """The path as a link has it. What a client has escaped is so already."""
        return quote(self.path, safe="/%*")

    @property
    def return_timeout_s(self) -> int:
        return _bounded(self.query, "return_timeout", 0, RETURN_TIMEOUT_MAX_S, default=0)

    @property
    def return_records(self) -> bool:
        return self.flag("return_records")

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A query argument that is true or false; 262197 for anything else."""
        text = self.query.get(name, str(default)).lower()
        if text not in ("true", "false"):
            raise BadValue(text, name, "true|false")
        return text == "true"


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
    each: Route | None = None
    """Of a route to a whole collection: what is done to each of its records (`emulator.bulk`)."""


def one(call: Call, shape: Shape, record: Record | None) -> Reply:
    """Answer with one record, or 404."""
    if record is None:
        raise NotFound()
    return Reply(200, shape.show(call.world, record, shape.wanted(call.query.get("fields"), instance=True)))


def many(call: Call, shape: Shape, records: Iterable[Record]) -> Reply:
    """Answer with the records that match the query: filtered, ordered, paged and cut to the fields asked for."""
    count = _bounded(call.query, "max_records", 1, MAX_RECORDS, default=MAX_RECORDS)
    kept = list(itertools.islice(_from_start(call, shape, records), count + 1))
    named = ",".join(filter(None, [call.query.get("fields"), *_filters(call, shape)]))
    wanted = shape.wanted(named or None, instance=False)
    page = [record for _, record in kept[:count]]
    body: dict[str, Any] = {
        "records": [shape.show(call.world, record, wanted) for record in page],
        "num_records": len(page),
        "_links": {"self": {"href": _href(call, call.query)}},
    }
    if not call.flag("return_records", default=True):
        del body["records"]
    if len(kept) > count:
        start = {"start.key": _token(kept[count - 1][0])}
        body["_links"]["next"] = {"href": _href(call, call.query | start)}
    return Reply(200, body)


def _from_start(call: Call, shape: Shape, records: Iterable[Record]) -> Iterator[tuple[list[Any], Record]]:
    """The records that match, with their sort keys, in order and from ``start.key`` on; read as they are taken."""
    order, start = _order(call, shape), _start(call)
    if isinstance(records, Records):
        records = records.narrowed(_filters(call, shape), shape.stored)
        if not order:
            found = records.after(start[0] if start else 0)
            return (([record["_seq"]], record) for record in select(call, shape, found))
        if len(order) == 1 and order[0][0] in shape.stored:
            return _by_index(call, shape, records, order[0], start)
    kept = _sorted(call.world, shape, list(select(call, shape, records)), order)
    return iter(kept if start is None else _after(kept, order, start, call.query["start.key"]))


def _by_index(
    call: Call, shape: Shape, records: Records, order: tuple[str, int], start: list[Any] | None
) -> Iterator[tuple[list[Any], Record]]:
    name, direction = order
    after = (_storable(start[0], call.query["start.key"]), start[1]) if start else None
    found = records.ordered(shape.stored[name], descending=direction < 0, after=after)
    wanted = shape.wanted(name, instance=False)
    for record in select(call, shape, found):
        value = next(iter(query.values(shape.render(call.world, record, wanted), name)), None)
        yield [value, record["_seq"]], record


def _storable(value: Any, token: str) -> Any:
    """The value, if a record can have it: whoever makes up a ``start.key`` may write anything into it."""
    if value is None or (isinstance(value, int | float) and abs(value) < 2**63):
        return value
    if isinstance(value, str) and value == value.encode(errors="ignore").decode():
        return value
    raise BadValue(token, "start.key")


def _start(call: Call) -> list[Any] | None:
    """What ``start.key`` holds: the values that the list is ordered by, and the sequence number."""
    if (token := call.query.get("start.key")) is None:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, RecursionError) as error:
        raise BadValue(token, "start.key") from error
    if not isinstance(key, list) or len(key) != len(_order_parts(call)) + 1 or type(key[-1]) is not int:
        raise BadValue(token, "start.key")
    if not -(2**63) <= key[-1] < 2**63:
        raise BadValue(token, "start.key")
    return key


def select(call: Call, shape: Shape, records: Iterable[Record]) -> Iterator[Record]:
    """The records whose fields match the query arguments, tried as they are taken."""
    filters, (text, fields) = _filters(call, shape), _search(call, shape)
    if not filters and not fields:
        yield from records
        return
    wanted = shape.wanted(",".join([*filters, *fields]), instance=False)
    for record in records:
        full = shape.render(call.world, record, wanted)
        if query.matches(full, filters) and (not fields or query.mentions(full, fields, text)):
            yield record


def selects(call: Call, shape: Shape) -> bool:
    """Whether the query arguments select records, rather than leave all of them."""
    return bool(_filters(call, shape) or call.query.get("query"))


def _search(call: Call, shape: Shape) -> tuple[str, list[str]]:
    """``query=*x*&query_fields=name,comment``: a pattern, and the fields of which one must match it."""
    if (text := call.query.get("query")) is None:
        return "", []
    return text, sorted(shape.leaves(call.query.get("query_fields", "*")))


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
    return {name: value for name, value in call.query.items() if name not in _NOT_FIELDS and shape.knows(name)}


def _order(call: Call, shape: Shape) -> list[tuple[str, int]]:
    """``order_by=name desc,size`` as [("name", -1), ("size", 1)]."""
    order = []
    for part in _order_parts(call):
        name, _, direction = part.partition(" ")
        if not shape.knows(name) or direction.strip() not in ("", "asc", "desc"):
            raise BadValue(part, "order_by", "field [asc|desc]")
        order.append((name, -1 if direction.strip() == "desc" else 1))
    return order


def _order_parts(call: Call) -> list[str]:
    return list(filter(None, (text.strip() for text in call.query.get("order_by", "").split(","))))


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
                return direction if _later(left, right) else -direction
        return 0

    return functools.cmp_to_key(compare)(key)


def _later(left: Any, right: Any) -> bool:
    """Whether one value comes after another: what is not set comes last, and kinds of value stay together."""
    if left is None or right is None:
        return left is None
    kinds = [(isinstance(value, int | float), str(value)) for value in (left, right)]
    return left > right if kinds[0][0] and kinds[1][0] else kinds[0] > kinds[1]


def _after(
    keyed: list[tuple[list[Any], Record]], order: list[tuple[str, int]], start: list[Any], token: str
) -> list[tuple[list[Any], Record]]:
    try:
        return [pair for pair in keyed if _ranked(start, order) < _ranked(pair[0], order)]
    except (ValueError, TypeError, RecursionError) as error:
        raise BadValue(token, "start.key") from error


def _token(key: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _href(call: Call, arguments: dict[str, str]) -> str:
    path = "/api" + call.href
    return f"{path}?{urlencode(arguments, quote_via=quote)}" if arguments else path


def _bounded(arguments: dict[str, str], name: str, low: int, high: int, *, default: int) -> int:
    text = arguments.get(name)
    if text is None:
        return default
    if not re.fullmatch("[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise BadValue(text, name, f"{low}..{high}")
    return int(text)
