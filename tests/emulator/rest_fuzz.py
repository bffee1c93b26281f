"""Requests to the emulator that nobody would send on purpose: every route, field and argument, sound values and odd.

`shots` draws a `Shot`; `Gun` sends it to an emulator process and says what came back.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_from_bytes

import httpx
from hypothesis import strategies as st

from emulator import control, ontap_names
from emulator.errors import OntapError
from emulator.rest import COLLECTION_ARGUMENTS, LIST_ARGUMENTS, Route
from emulator.server import URLS

TIMEOUT_S = 90
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE", "PUT", "TRACE", "FOO")
SIZE = 20 << 20

# Sound where some field takes them; each converter picks those that it accepts.
CANDIDATES: list[Any] = [
    *(
        "a",
        "b1",
        "svm1",
        "aggr1",
        "default",
        "none",
        "unix",
        "online",
        "offline",
        "rw",
        "flexvol",
        "volume",
        "nas",
        "s3",
    ),
    *("/a", "/a/b", "/", "allow", "*", "0.0.0.0/0", "any", "sys", "s3_unix", "win_unix", "P1D", "daily", "hourly"),
    *("2031-01-01T00:00:00+00:00", "c.utf_8", "s3.test", "10.0.0.1", "ListBucket", "GetObject", "used_space", "auto"),
    *(0, 1, 2, 5, 80, 443, 755, 1000, SIZE, 2**31, 2**32, 2**63 - 1, True, False, "20MB", "1GB", "true", "5"),
]
NASTY_TEXT = [
    *("", " ", ".", "..", "/", "//", "../..", "/etc", "/tmp/x", "a/b", "a/../b", ".snapshot", "a" * 256, "b" * 5000),
    *("\0", "a\0b", "\n", "a\r\nX: y", "²", "\uff11", "\u202e", "\ud800", "\udfff", "é", "ÿ", "🙂", "\x7f", "%", "%00"),
    *("null", "!null", "!", "|", "*", "**", "?", "[", "]", "<", ">", ">=1", "<=x", "1..2", "..", '"', '""', "'", "\\"),
    *("NaN", "Infinity", "1e400", "-1", "-0", "0x10", "1_000", "9" * 30, "9" * 400, "9" * 5000, "1.5", "true", "null"),
    *("{", "[]", "(", "(a+)+$", "\\9", "(?P<", "<a>", "$(id)", "`id`", "; ls", "P99999999999999999D", "PT1S", "P1Y"),
    *("2026-13-45", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+00:00", "_links", "svm.name", "a.b.c", ".", "a..b"),
]
NASTY_NUMBERS = [-1, 0, 2**31, 2**32, 2**63, 2**64, 10**30, 10**400, -(10**30), 0.5, 1e308, float("nan"), float("inf")]

texts = st.sampled_from(NASTY_TEXT) | st.text(max_size=20)
leaves = st.none() | st.booleans() | st.sampled_from(NASTY_NUMBERS) | st.integers() | texts
odd = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)

ROUTES: list[Route] = list(URLS)
STEERING = [(method, path) for method, path, _ in control.ROUTES]
STEERING_NAMES = (
    *("method", "path", "kind", "times", "delay_s", "status", "code", "message", "now", "offset_s", "mode", "value"),
    *("snapshots_per_volume", "aggregate_bytes", "name", "password", "role", "svm", "privileges", "access", "owners"),
)
STEERING_VALUES = ("refuse", "slow", "error", "immediate", "reads", "seconds", "vsadmin", "readonly", "fuzz")
HEADERS = ("Accept", "Authorization", "Content-Type", "X-Dot-SVM-Name", "X-Dot-SVM-UUID", "Expect", "Upgrade", "Range")


@dataclass(frozen=True)
class Shot:
    method: str
    path: str
    """Below the host; ``{name}`` is filled in when it is sent, with what is there at that time."""
    pick: int = 0
    """Which of the known records fills it in."""
    odd_parts: tuple[str | None, ...] = ()
    """For each ``{name}``: odd text to send in place of what is known, or None."""
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    content: bytes | None = None
    """Sent in place of a body."""
    headers: tuple[tuple[str, str], ...] = ()
    raw: bytes | None = None
    """Sent to the socket as it is, and nothing else."""


def _sound(route: Route) -> dict[str, list[Any]]:
    found = {}
    for name, convert in route.accepts.items():
        found[name] = []
        for candidate in CANDIDATES:
            with contextlib.suppress(ValueError, TypeError, OntapError):
                convert(candidate)
                found[name].append(candidate)
    return found


MAKING = [route for route in ROUTES if route.method == "POST" or (route.method == "PATCH" and not route.each)]
TEMPLATES = {
    ontap_names.anonymous("/api" + route.path): re.compile("/api" + re.sub(r"\{[^}]+\}", "[^/]+", route.path))
    for route in ROUTES
    if route.path.endswith("}")
}
SOUND = {(route.method, route.path): _sound(route) for route in ROUTES}


names = st.integers(0, 9).map("n{}".format)
_VOLUME = {"svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}]}
_RULE = {"clients": [{"match": "0.0.0.0/0"}], "ro_rule": ["any"], "rw_rule": ["any"]}
_STATEMENT = {"effect": "allow", "actions": ["*"], "resources": ["*"]}
# What a POST needs at the least; the rest of its fields come on top.
BASES: dict[str, dict[str, Any]] = {
    "/storage/volumes": _VOLUME,
    "/storage/qos/policies": {"svm": {"name": "svm1"}, "fixed": {"max_throughput_iops": 100}},
    "/storage/snapshot-policies": {"copies": [{"schedule": {"name": "daily"}, "count": 2}]},
    "/protocols/nfs/export-policies": {"svm": {"name": "svm1"}, "rules": [_RULE]},
    "/protocols/nfs/export-policies/{id}/rules": _RULE,
    "/protocols/s3/services": {"svm": {"name": "svm1"}},
    "/protocols/s3/buckets": {"svm": {"name": "svm1"}},
    "/protocols/s3/services/{svm.uuid}/policies": {"statements": [_STATEMENT]},
    "/name-services/name-mappings": {"svm.name": "svm1", "direction": "s3_unix", "pattern": "a", "replacement": "b"},
    "/name-services/unix-users": {"svm.name": "svm1", "id": 5, "primary_gid": 5},
    "/cluster/schedules": {"interval": "PT5M"},
}


@st.composite
def bodies(draw: st.DrawFn, route: Route) -> Any:
    """Mostly an object of fields that the route accepts, mostly with values that each accepts."""
    if draw(st.integers(0, 14)) == 0:
        return draw(odd)
    sound = SOUND[route.method, route.path]
    body: Any = {}
    if route.method == "POST" and draw(st.integers(0, 5)):
        body = json.loads(json.dumps(BASES.get(route.path, {}))) | ({"name": draw(names)} if "name" in sound else {})
        if route.path == "/storage/volumes" and draw(st.booleans()):
            body["nas"] = {"path": f"/{body['name']}"}
    most = draw(st.sampled_from([0, 1, 1, 2, 6]))
    for name in sorted(draw(st.sets(st.sampled_from(sorted(sound)), max_size=most))) if sound else ():
        value = draw(st.sampled_from(sound[name])) if sound[name] and draw(st.integers(0, 3)) else draw(odd)
        _put(body, name, value, deep=draw(st.booleans()), in_list=draw(st.integers(0, 7)) == 0)
    if route.method != "PATCH" and draw(st.integers(0, 9)) == 0:
        body = {"records": draw(st.sampled_from([body, [body], [body, body], [], None, "x", [[body]]]))}
    if draw(st.integers(0, 14)) == 0 and isinstance(body, dict):
        body |= draw(st.dictionaries(texts, odd, max_size=2))
    return body


def _put(body: dict[str, Any], name: str, value: Any, *, deep: bool, in_list: bool) -> None:
    if not deep:
        body[name] = value
        return
    *folders, leaf = name.split(".")
    for folder in folders:
        inner = body.setdefault(folder, {})
        inner = inner[0] if isinstance(inner, list) and inner else inner
        body = inner if isinstance(inner, dict) else body
    body[leaf] = [value] if in_list else value


@st.composite
def queries(draw: st.DrawFn, route: Route) -> tuple[tuple[str, str], ...]:
    """Arguments that the method takes, with sound and odd values; a query where a collection is changed."""
    known = sorted(route.shape.names + tuple(route.shape.ontap.read)[:40]) if route.shape else ["name"]
    known += sorted({name.split(".")[0] for name in known})
    named = st.one_of(*[st.sampled_from(known)] * 9, texts)
    values = texts | st.sampled_from([str(each) for each in CANDIDATES]) | st.sampled_from(NASTY_NUMBERS).map(str)
    taken = LIST_ARGUMENTS if route.method == "GET" else COLLECTION_ARGUMENTS | route.arguments
    asked = [("name", draw(names) + "*")] if route.each else []
    if route.method != "GET" and draw(st.booleans()):
        asked.append(("return_timeout", "5"))
    for _ in range(draw(st.sampled_from([0, 1, 2, 4] if route.method == "GET" else [0, 0, 0, 1]))):
        argument = draw(st.sampled_from(sorted(taken)) | named)
        if argument in ("fields", "order_by", "query_fields"):
            value = draw(st.lists(named, max_size=4).map(",".join)) + draw(st.sampled_from(["", " desc", ",*", ",**"]))
        elif argument == "return_timeout":
            value = draw(st.sampled_from(["0", "1", "2", "121", "-1", "²", "x", ""]))
        elif argument in ("continue_on_failure", "serial_records", "return_records", "force", *route.arguments):
            value = draw(st.sampled_from(["true", "false", "True", "1", ""]))
        else:
            value = draw(values)
        asked.append((argument, value))
    return tuple(asked)


header_sets = st.dictionaries(
    st.sampled_from(HEADERS), st.sampled_from([text for text in NASTY_TEXT if text.isascii() and text.isprintable()])
).map(lambda headers: tuple((name, value.strip()) for name, value in headers.items()))


@st.composite
def calls(draw: st.DrawFn) -> Shot:
    """A route as it is meant, with odd or sound values in any place."""
    route = draw(st.sampled_from(draw(st.sampled_from([ROUTES, MAKING]))))
    method = draw(st.sampled_from(METHODS)) if draw(st.integers(0, 14)) == 0 else route.method
    rarely = st.one_of(*[st.none()] * 14, texts)
    parts = tuple(draw(rarely) for _ in range(route.path.count("{")))
    body = draw(bodies(route)) if method in ("POST", "PATCH", "PUT") or draw(st.integers(0, 14)) == 0 else None
    headers = draw(header_sets) if draw(st.integers(0, 14)) == 0 else ()
    pick = draw(st.integers(0, 50))
    return Shot(method, "/api" + route.path, pick, parts, draw(queries(route)), body, headers=headers)


@st.composite
def steering(draw: st.DrawFn) -> Shot:
    method, path = draw(st.sampled_from(STEERING))
    values = odd | st.sampled_from(STEERING_VALUES) | st.sampled_from(CANDIDATES)
    body = draw(st.dictionaries(st.sampled_from(STEERING_NAMES), values, max_size=4) | odd)
    return Shot(method, "/emulator" + path, 0, (draw(texts),) if "{" in path else (), body=body)


@st.composite
def anywhere(draw: st.DrawFn) -> Shot:
    path = "/".join(draw(st.lists(texts | st.sampled_from(["api", "emulator", "storage", "volumes"]), max_size=5)))
    return Shot(draw(st.sampled_from(METHODS)), "/{rest}", 0, (path,), body=draw(odd))


@st.composite
def torn(draw: st.DrawFn) -> Shot:
    """Bytes that are no sound HTTP, or a body that is no sound JSON."""
    content = draw(
        st.binary(max_size=60)
        | st.sampled_from(
            [b'{"a":' * 3000, b"[" * 3000, b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\\ud800"}', b"\xff\xfe"]
        )
    )
    if draw(st.booleans()):
        return Shot("POST", "/api/storage/volumes", content=content)
    lines = draw(
        st.lists(
            st.sampled_from(
                [
                    *(b"GET /api/cluster HTTP/1.1", b"POST /api/storage/volumes HTTP/1.1", b"GET http://[ HTTP/1.1"),
                    *(b"Host: [", b"Host: x", b"Content-Length: 99", b"Content-Length: -1", b"Content-Length: x"),
                    *(
                        b"Transfer-Encoding: chunked",
                        b"Transfer-Encoding: \xff",
                        b"Authorization: Basic \xff",
                        b"\xff: \xff",
                    ),
                    *(
                        b"Connection: upgrade",
                        b"Upgrade: websocket",
                        b"Upgrade: h2c",
                        b"Expect: 100-continue",
                        b"",
                        b"-5",
                    ),
                    *(
                        b"GET /\xff HTTP/1.1",
                        b"GET /api/cluster HTTP/9.9",
                        b"CONNECT x:1 HTTP/1.1",
                        b"PRI * HTTP/2.0",
                        b"Z",
                    ),
                ]
            ),
            max_size=8,
        )
    )
    return Shot("", "", raw=b"\r\n".join(lines) + draw(st.sampled_from([b"", b"\r\n\r\n"])) + content)


shots = st.one_of(calls(), calls(), calls(), calls(), calls(), calls(), steering(), anywhere(), torn())


@dataclass
class Gun:
    """Sends shots at an emulator and remembers which records it has seen, so that later ones hit some."""

    url: str
    client: httpx.Client
    known: dict[str, list[str]] = field(default_factory=dict)
    """Addresses of records by the template of their route."""

    def fire(self, shot: Shot) -> tuple[int, str]:
        """Status and text of the answer; status 0 where bytes got none. httpx.TimeoutException when it hangs."""
        if shot.raw is not None:
            return self._raw(shot.raw)
        body = shot.content
        if body is None and shot.body is not None:
            body = json.dumps(shot.body).encode()
        request = self.client.build_request(shot.method, self._url(shot), content=body, headers=list(shot.headers))
        try:
            answer = self.client.send(
                request, auth=None if "authorization" in request.headers else httpx.USE_CLIENT_DEFAULT
            )
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            return 0, "the connection was closed without an answer"
        if shot.path == "/emulator/reset" or (shot.method == "DELETE" and shot.path.startswith("/api/svm/svms")):
            self.look()
        self._learn(answer)
        return answer.status_code, answer.text

    def look(self) -> None:
        """Learn what there is to begin with, or after a reset. Without an SVM, nothing sent later would go deep."""
        svms = self.client.get(f"{self.url}/api/svm/svms?name=svm1").json()
        if not svms["num_records"]:
            self.client.post(f"{self.url}/emulator/reset").raise_for_status()
        self.known.clear()
        for route in ROUTES:
            if route.method == "GET" and "{" not in route.path:
                self._learn(self.client.get(f"{self.url}/api{route.path}"))

    def _url(self, shot: Shot) -> httpx.URL:
        path = self._filled(shot.path, shot.pick)
        for part, name in zip(shot.odd_parts, re.findall(r"\{[^}]+\}", shot.path), strict=True):
            if part is not None:
                safe = "/" if name == "{rest}" else ""
                path = "/".join(
                    _escaped(part, safe) if old == name else new
                    for old, new in zip(shot.path.split("/"), path.split("/"), strict=True)
                )
        query = "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in shot.query)
        return httpx.URL(self.url, raw_path=(f"{path}?{query}" if query else path).encode())

    def _filled(self, template: str, pick: int) -> str:
        """The template with the parts of a known record of it, or of the record that it is below."""
        parts = template.split("/")
        for length in range(len(parts), 0, -1):
            if found := self.known.get(ontap_names.anonymous("/".join(parts[:length]))):
                return "/".join([*found[pick % len(found)].split("/"), *parts[length:]])
        some_svm = self.known["/api/svm/svms/{}"]
        svm = some_svm[pick % len(some_svm)].rsplit("/", 1)[-1]
        return template.replace("{svm.uuid}", svm).replace("{", "").replace("}", "")

    def _learn(self, answer: httpx.Response) -> None:
        places = [answer.headers["location"]] if "location" in answer.headers else []
        with contextlib.suppress(ValueError, AttributeError, KeyError, TypeError):
            places += [record["_links"]["self"]["href"] for record in answer.json()["records"]]
        for place in places:
            for template, pattern in TEMPLATES.items():
                if pattern.fullmatch(place):
                    seen = self.known.setdefault(template, [])
                    seen += [place] if place not in seen else []
                    del seen[:-20]

    def _raw(self, data: bytes) -> tuple[int, str]:
        host, answer = httpx.URL(self.url), b""
        with socket.create_connection((host.host, host.port), TIMEOUT_S) as peer, contextlib.suppress(OSError):
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            peer.settimeout(0.2)
            answer = peer.recv(65536)
        return (int(answer[9:12]) if answer.startswith(b"HTTP/1.") else 0), answer.decode("latin-1")

    def put_back(self) -> None:
        """Undo what steering may have done: faults that are due, another clock, jobs that wait."""
        for method, path, body in (
            ("DELETE", "/faults", None),
            ("PUT", "/jobs", {"mode": "immediate"}),
            ("PUT", "/clock", {"offset_s": 0}),
            ("PUT", "/limits", {"snapshots_per_volume": 50, "aggregate_bytes": 1 << 40}),
        ):
            self.client.request(method, f"{self.url}/emulator{path}", json=body).raise_for_status()


def _escaped(text: str, safe: str = "") -> str:
    return quote_from_bytes(text.encode("utf-8", "surrogatepass"), safe=safe)
