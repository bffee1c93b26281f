"""Reads a YAML file against a schema, so that a typo is answered with file, line and what would have been right.

A schema is built of the kinds below::

    SCHEMA = Section({"volume": Text(required=True), "keep": Whole(default=10, minimum=1), "tags": Items(Text())})
    values = load(Path("config/example.yaml"), SCHEMA)

Where only names and types matter, plain Python says the same: ``{"volume": str, "keep": int, "tags": list}``, with
``{"*": {...}}`` for names the user chooses and ``(str, type(None))`` for what may be null; keys left out stay out.

Any text may hold ``${NAME}`` or ``${NAME:-default}``, taken from the environment. Keys left out get their default.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class ConfigError(ValueError):
    """A configuration file that cannot be used as it is; the message begins with ``file:line:``."""


@dataclass(frozen=True)
class _At:
    """Where in the file a value stands: for messages only."""

    path: Path
    trail: tuple[str, ...] = ()

    def under(self, key: str) -> _At:
        return _At(self.path, (*self.trail, key))

    def error(self, node: Any, sentence: str) -> ConfigError:
        where = f" (in {'.'.join(self.trail)})" if self.trail else ""
        return ConfigError(f"{self.path}:{node.start_mark.line + 1}: {sentence}{where}")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a value may be. ``default`` stands in when the key is left out, unless it is ``required``."""

    required: bool = False
    default: Any = None
    nullable: bool = False

    def value(self, node: Any, at: _At) -> Any:
        return None if self.nullable and _is_null(node) else self.read(node, at)

    def read(self, node: Any, at: _At) -> Any:
        raise NotImplementedError

    def absent(self) -> Any:
        return self.default


@dataclass(frozen=True, kw_only=True)
class Text(Kind):
    """A string; a number or date written without quotes counts as its text. ``shape`` says the ``pattern`` in words."""

    choices: Sequence[str] = ()
    pattern: str | None = None
    shape: str = ""

    def read(self, node: Any, at: _At) -> str:
        text = _expanded(_scalar(node, at, "a text"), node, at)
        if self.choices and text not in self.choices:
            raise at.error(node, f"{text!r} is not one of {_listed(self.choices)}{_meant(text, self.choices)}")
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise at.error(node, f"{text!r} does not fit: {self.shape or self.pattern}")
        return text


@dataclass(frozen=True, kw_only=True)
class Number(Kind):
    minimum: float | None = None
    maximum: float | None = None

    def read(self, node: Any, at: _At) -> float:
        text = _expanded(_scalar(node, at, "a number"), node, at)
        try:
            value = self._parsed(text)
        except ValueError:
            raise at.error(node, f"{text!r} is not {self._said}") from None
        if self.minimum is not None and value < self.minimum:
            raise at.error(node, f"{text} is below {self.minimum}, the least allowed")
        if self.maximum is not None and value > self.maximum:
            raise at.error(node, f"{text} is above {self.maximum}, the most allowed")
        return value

    _said = "a number"

    def _parsed(self, text: str) -> float:
        return float(text)


@dataclass(frozen=True, kw_only=True)
class Whole(Number):
    _said = "a whole number"

    def _parsed(self, text: str) -> int:
        return int(text)


@dataclass(frozen=True, kw_only=True)
class Flag(Kind):
    def read(self, node: Any, at: _At) -> bool:
        text = _expanded(_scalar(node, at, "true or false"), node, at).lower()
        if text not in ("true", "false", "yes", "no", "on", "off"):
            raise at.error(node, f"{text!r} is not true or false")
        return text in ("true", "yes", "on")


@dataclass(frozen=True)
class Items(Kind):
    """A list, each item of one kind; a single value is taken as a list of one."""

    of: Kind

    def read(self, node: Any, at: _At) -> list[Any]:
        if node.id != "sequence":
            return [self.of.value(node, at)]
        return [self.of.value(item, at) for item in node.value]

    def absent(self) -> Any:
        return [] if self.default is None else list(self.default)


@dataclass(frozen=True)
class Named(Kind):
    """A mapping whose keys are names the user chooses, each value of one kind."""

    of: Kind
    name_pattern: str = r"[A-Za-z0-9_.-]+"

    def read(self, node: Any, at: _At) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, key_node, value in _pairs(node, at):
            if not re.fullmatch(self.name_pattern, key):
                raise at.error(key_node, f"the name {key!r} does not fit {self.name_pattern}")
            values[key] = self.of.value(value, at.under(key))
        return values

    def absent(self) -> Any:
        return {} if self.default is None else dict(self.default)


@dataclass(frozen=True)
class Section(Kind):
    """A mapping with known keys; any other is an error that lists them. ``fill`` adds the defaults of absent ones."""

    keys: Mapping[str, Kind]
    fill: bool = True

    def read(self, node: Any, at: _At) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, key_node, value in _pairs(node, at):
            if key not in self.keys:
                meant = _meant(key, self.keys)
                raise at.error(key_node, f"unknown key {key!r}{meant}; allowed keys are {_listed(self.keys)}")
            values[key] = self.keys[key].value(value, at.under(key))
        for key, kind in self.keys.items():
            if key in values:
                continue
            if kind.required:
                raise at.error(node, f"the key {key!r} is missing; allowed keys are {_listed(self.keys)}")
            if self.fill:
                values[key] = kind.absent()
        return values

    def absent(self) -> Any:
        return {key: kind.absent() for key, kind in self.keys.items()} if self.default is None else self.default


@dataclass(frozen=True)
class Variant(Kind):
    """A mapping whose other keys depend on the value of one, such as ``kind: local``."""

    key: str
    sections: Mapping[str, Section] = field(default_factory=dict)

    def read(self, node: Any, at: _At) -> dict[str, Any]:
        chosen = next((value for key, _, value in _pairs(node, at) if key == self.key), None)
        if chosen is None:
            raise at.error(node, f"the key {self.key!r} is missing; it is one of {_listed(self.sections)}")
        which = Text(choices=tuple(self.sections)).read(chosen, at.under(self.key))
        return Section({self.key: Text(), **self.sections[which].keys}).read(node, at)


def load(path: Path, schema: Kind | Mapping[str, Any]) -> dict[str, Any]:
    """The file's values with defaults filled in. Raises ConfigError, beginning ``file:line:``, on anything amiss."""
    import yaml

    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; create it, or set [ontap_mlops] config_dir") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}:1: not YAML: {error}") from None
    if node is None:
        raise ConfigError(f"{path}:1: the file is empty")
    return _kind(schema).read(node, _At(path))


_PLAIN: dict[type, type[Kind]] = {str: Text, int: Whole, float: Number, bool: Flag}


def _kind(schema: Any, nullable: bool = False) -> Kind:
    if isinstance(schema, Kind):
        return schema
    if isinstance(schema, tuple):
        (one,) = [kind for kind in schema if kind is not type(None)]
        return _kind(one, nullable=True)
    if isinstance(schema, Mapping):
        if set(schema) == {"*"}:
            return Named(_kind(schema["*"]), nullable=nullable)
        return Section({key: _kind(kind) for key, kind in schema.items()}, fill=False, nullable=nullable)
    return Items(Text(), nullable=nullable) if schema is list else _PLAIN[schema](nullable=nullable)


def _pairs(node: Any, at: _At) -> list[tuple[str, Any, Any]]:
    if _is_null(node):
        return []
    if node.id != "mapping":
        raise at.error(node, "here a mapping (key: value lines) is needed")
    seen: set[str] = set()
    pairs = []
    for key_node, value in node.value:
        key = _scalar(key_node, at, "a key")
        if key in seen:
            raise at.error(key_node, f"the key {key!r} is given twice")
        seen.add(key)
        pairs.append((key, key_node, value))
    return pairs


def _is_null(node: Any) -> bool:
    return node.id == "scalar" and node.tag.endswith(":null")


def _scalar(node: Any, at: _At, wanted: str) -> str:
    if node.id != "scalar" or _is_null(node):
        found = {"mapping": "a mapping", "sequence": "a list"}.get(node.id, "nothing")
        raise at.error(node, f"here {wanted} is needed, not {found}")
    return node.value


def _expanded(text: str, node: Any, at: _At) -> str:
    def value_of(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        value = os.environ.get(name) or default
        if value is None:
            raise at.error(node, f"environment variable {name} is not set; set it or write ${{{name}:-default}}")
        return value

    return _VARIABLE.sub(value_of, text)


def _listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(sorted(names))


def _meant(text: str, names: Sequence[str] | Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(text, list(names), n=1)
    return f", did you mean {close[0]!r}?" if close else ""
