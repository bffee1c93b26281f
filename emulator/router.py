"""Finds the route of a request, checks its arguments and its body, and calls its handler."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from emulator import bulk
from emulator.body import checked, without_nulls
from emulator.errors import NoSuchApi, NoSuchMethod, UnknownArgument
from emulator.rest import CHANGE_ARGUMENTS, COLLECTION_ARGUMENTS, LIST_ARGUMENTS, Call, Reply, Route


class Router:
    """All routes, with those to whole collections that follow from them."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = bulk.with_collections(routes)
        self._compiled = [(route, *_compile(route.path)) for route in self.routes]

    def dispatch(self, call: Call, body: Any) -> Reply:
        route, call.params = self._match("GET" if call.method == "HEAD" else call.method, call.path)
        _check_arguments(route, call.query)
        _ = call.return_timeout_s, call.return_records  # 262197 before anything is done
        if route.each:
            return bulk.change(self, route, call, body)
        if route.method == "POST" and bulk.has_records(route, body):
            return bulk.create(self, call, body)
        if route.method == "GET" and "job_results_uuid" in call.query:
            return bulk.results(self, call)
        call.body = checked(body, route.accepts, lists_of(route)) if body is not None else {}
        if route.method == "POST":
            call.body = without_nulls(call.body)
        return route.handler(call)

    def methods(self, path: str) -> list[str]:
        return sorted({route.method for route, pattern, _ in self._compiled if pattern.fullmatch(path)})

    def _match(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        for route, pattern, names in self._compiled:
            if route.method == method and (match := pattern.fullmatch(path)):
                return route, dict(zip(names, map(unquote, match.groups()), strict=True))
        raise NoSuchMethod(method) if self.methods(path) else NoSuchApi()


def lists_of(route: Route) -> frozenset[str]:
    return route.shape.ontap.lists if route.shape else frozenset()


def _compile(path: str) -> tuple[re.Pattern[str], list[str]]:
    names = re.findall(r"\{([^}]+)\}", path)
    return re.compile(re.sub(r"\\\{[^}]+\\\}", "([^/]+)", re.escape(path)) + "/?"), names


def _check_arguments(route: Route, arguments: dict[str, str]) -> None:
    known = LIST_ARGUMENTS if route.method == "GET" else CHANGE_ARGUMENTS
    if route.each or route.method == "POST":
        known = COLLECTION_ARGUMENTS
    for name in arguments:
        is_field = route.shape and route.method != "POST" and route.shape.knows(name)
        if name not in known | route.arguments and not is_field:
            raise UnknownArgument(name)
