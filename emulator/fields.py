"""What a resource can show: its field names, which of them come unasked, and how a record is cut down to the asked."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from emulator import ontap_names
from emulator.errors import BadValue, OntapError
from emulator.store import Record

if TYPE_CHECKING:
    from emulator.world import World


_JOBS = ("job", "jobs")
_SVM = ("/svm/svms", "uuid")
_VOLUME = ("/storage/volumes", "uuid")
# Where the resources are for which objects of these names stand, and by which key.
_PLACES = {
    "svm": _SVM,
    "parent_svm": _SVM,
    "volume": _VOLUME,
    "parent_volume": _VOLUME,
    "aggregates": ("/storage/aggregates", "uuid"),
    "export_policy": ("/protocols/nfs/export-policies", "id"),
    "snapshot_policy": ("/storage/snapshot-policies", "uuid"),
    "schedule": ("/cluster/schedules", "uuid"),
    "ip_interfaces": ("/network/ip/interfaces", "uuid"),
}


class Wanted(frozenset[str]):
    """The leaf names asked for; a render function skips costly work when ``has`` says that nobody asked.

    One of them serves all records of an answer, so that what it is asked once need not be worked out again.
    """

    def has(self, prefix: str) -> bool:
        known: dict[str, bool] = self.__dict__.setdefault("_has", {})
        if prefix not in known:
            known[prefix] = any(name == prefix or name.startswith(prefix + ".") for name in self)
        return known[prefix]

    def below(self, key: str) -> Wanted:
        """What is asked for within ``key``, by the names it has there."""
        known: dict[str, Wanted] = self.__dict__.setdefault("_below", {})
        if key not in known:
            start = key + "."
            known[key] = Wanted(name.removeprefix(start) for name in self if name.startswith(start))
        return known[key]


@dataclass(frozen=True)
class Shape:
    """The readable side of a resource. All names are leaves, e.g. ``svm.name``, ``aggregates.name``."""

    href: str
    """Path below /api of one record, with ``{dotted.name}`` filled from the record, e.g. ``/svm/svms/{uuid}``."""

    keys: tuple[str, ...]
    """Always shown."""

    common: tuple[str, ...]
    """Shown for one record, and for ``fields=*``."""

    costly: tuple[str, ...]
    """Shown only when named, and for ``fields=**``."""

    render: Callable[[World, Record, Wanted], dict[str, Any]]
    """(world, stored record, wanted) to the full nested answer; names that nobody wants are cut away afterwards."""

    stored: dict[str, str] = field(default_factory=dict)
    """Names of text that are shown as they lie in the record, to the indexed field there (`emulator.reading`)."""

    @property
    def names(self) -> tuple[str, ...]:
        return self.keys + self.common + self.costly

    @functools.cached_property
    def ontap(self) -> ontap_names.Names:
        return ontap_names.of(self.href)

    @functools.cached_property
    def _below(self) -> dict[str, frozenset[str]]:
        """The leaves at and below every name. Names that only ONTAP has stand for themselves, and nothing is shown."""
        found: dict[str, set[str]] = {}
        for leaf in (*self.names, *self.ontap.read):
            parts = leaf.split(".")
            for end in range(1, len(parts) + 1):
                found.setdefault(".".join(parts[:end]), set()).add(leaf)
        return {name: frozenset(leaves) for name, leaves in found.items()}

    def knows(self, name: str) -> bool:
        """Whether ONTAP's resource has the field, though the emulator may never have anything to show for it."""
        return name in self._below

    def wanted(self, fields: str | None, *, instance: bool) -> Wanted:
        """Leaves named by a ``fields=`` value. 262197 for a name that the resource does not have."""
        names = set(self.keys)
        if fields is None:
            return Wanted(names | set(self.common if instance else ()))
        return Wanted(names | self.leaves(fields))

    def leaves(self, fields: str) -> set[str]:
        """What a list such as ``name,svm,space.used`` or ``*`` names. 262197 for a name that the resource has not."""
        names = {part.strip() for part in fields.split(",") if part.strip()}
        return set().union(*(self._expand(name) for name in names))

    def _expand(self, name: str) -> set[str]:
        if name == "*":
            return set(self.keys + self.common)
        if name == "**":
            return set(self.names)
        if not self.knows(name) and name != "_links" and not name.startswith("_links."):
            raise OntapError(
                f'The value "{name}" is invalid for field "fields" (<field,...>)', "fields", code=BadValue.code
            )
        return set(self._below.get(name, ()))

    def show(self, world: World, record: Record, wanted: Wanted) -> dict[str, Any]:
        full = self.render(world, record, wanted)
        shown = linked(cut(full, wanted))
        shown["_links"] = {"self": {"href": self.link(full)}}
        return shown

    def link(self, full: dict[str, Any]) -> str:
        """``/api/...`` of one rendered record."""
        href = self.href
        for part in href.split("{")[1:]:
            name = part.split("}")[0]
            value: Any = full
            for key in name.split("."):
                value = value[key]
            href = href.replace("{" + name + "}", quote(str(value), safe="@+=,:"))
        return "/api" + href


def cut(full: dict[str, Any], wanted: Wanted) -> dict[str, Any]:
    """Only the wanted leaves of a nested answer; what is None was never set, and ONTAP leaves it out."""
    result: dict[str, Any] = {}
    for key, value in full.items():
        inner = wanted.below(key)
        if key in wanted and value is not None:
            result[key] = value
        elif inner and isinstance(value, dict):
            if part := cut(value, inner):
                result[key] = part
        elif inner and isinstance(value, list):
            result[key] = [cut(item, inner) for item in value if isinstance(item, dict)]
    return result


def linked(shown: dict[str, Any]) -> dict[str, Any]:
    """The same with a link in each object that stands for another resource, as far as it shows by which key."""
    return {name: _linked(name, value) for name, value in shown.items()}


def _linked(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_linked(name, item) for item in value]
    if not isinstance(value, dict):
        return value
    path, key = _PLACES.get(name, ("", ""))
    link = {"_links": {"self": {"href": f"/api{path}/{value[key]}"}}} if value.get(key) else {}
    return linked(value) | link


def without_links(body: Any) -> Any:
    """The same answer without ``_links``, as ``Accept: application/json`` asks.

    Two kinds stay, as on ONTAP, because a client could not go on without them: ``next`` of a collection, and the way to
    a job that the answer only begins.
    """
    if isinstance(body, list):
        return [without_links(item) for item in body]
    if not isinstance(body, dict):
        return body
    kept = {key: value if key in _JOBS else without_links(value) for key, value in body.items() if key != "_links"}
    if "next" in (body.get("_links") or {}):
        kept["_links"] = {"next": body["_links"]["next"]}
    return kept
