"""A YAML file of entries by name, read so that a mistake in one leaves the others usable."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, TypeAdapter

from ontap_mlops import settings
from ontap_mlops.config_file import ConfigError, Model, Section, Trail, composed, meant, plain, state, told

Named = TypeVar("Named", bound=Section)


@dataclass(frozen=True)
class Each(Generic[Model]):
    """The entries of a file by name, and what is wrong with the others; ``lines`` are where their names stand."""

    good: dict[str, Model]
    wrong: dict[str, ConfigError]
    lines: dict[str, int]

    def once(self, path: Path, of: Callable[[Model], Hashable], wrong: Callable[[str, Model, str], str]) -> None:
        """Of two entries with the same ``of``, take the later one to be wrong.

        :param wrong: says why, after file and line: of its name, the entry, and the name of the first one.
        """
        seen: dict[Hashable, str] = {}
        for name, entry in list(self.good.items()):
            first = seen.setdefault(of(entry), name)
            if first != name:
                del self.good[name]
                self.wrong[name] = ConfigError(f"{path}:{self.lines[name]}: {wrong(name, entry, first)}")


@dataclass(frozen=True)
class Catalog(Generic[Model, Named]):
    """A file of the configuration's folder, as those read it who ask for one entry, for all, or for what is right.

    ``named`` is ``entry`` with its ``name``; ``called`` is what an entry is, in words; ``check`` takes those out of
    ``good`` that do not go together. A file that is ``optional`` and not there has no entries.
    """

    file: str
    key: str
    called: str
    entry: type[Model]
    named: type[Named]
    name: AfterValidator
    optional: bool = False
    check: Callable[[Path, Each[Model]], None] | None = None

    @property
    def path(self) -> Path:
        return settings.config_dir() / self.file

    def all(self, path: Path | None = None) -> dict[str, Named]:
        """Every entry by name. Raises ConfigError with file, line and the allowed keys where any is wrong."""
        read = self.read(path)
        for wrong in read.wrong.values():
            raise wrong
        return self._named(read)

    def usable(self, path: Path | None = None) -> dict[str, Named]:
        """Every entry that is right: a mistake in one takes no other from a DAG file that asks for these.

        Raises ConfigError for a file that cannot be read as a whole.
        """
        return self._named(self.read(path))

    def one(self, name: str) -> Named:
        """Raises ConfigError where the entry is wrong, and ValueError, naming the known ones, where there is none."""
        read = self.read()
        if name in read.wrong:
            raise read.wrong[name]
        if name not in read.good:
            raise ValueError(f"no {self.called} {name!r} in {self.path}; it has {sorted(read.good)}")
        return self._one(name, read.good[name])

    def of(self, value: str | Named | Mapping[str, Any]) -> Named:
        """One by name, or by value: an object, or a mapping with the keys of the file and ``name``."""
        if isinstance(value, str):
            return self.one(value)
        if isinstance(value, Mapping):
            return self.named.of(value, f"{self.called} given by value")
        return value

    def argument(self, value: str | Named | Mapping[str, Any]) -> str | dict[str, Any]:
        """The same as an operator keeps it, so that Airflow can store and template it: the name, or plain values."""
        if isinstance(value, str):
            return value
        return dict(value) if isinstance(value, Mapping) else value.model_dump(mode="json")

    def read(self, path: Path | None = None) -> Each[Model]:
        path = path or self.path
        if self.optional and not path.exists():
            return Each({}, {}, {})
        return _read(self, path, state(path))

    def _named(self, read: Each[Model]) -> dict[str, Named]:
        return {name: self._one(name, entry) for name, entry in read.good.items()}

    def _one(self, name: str, entry: Model) -> Named:
        return self.named(**{"name": name, **entry.model_dump()})


@functools.lru_cache(maxsize=32)
def _read(catalog: Catalog[Any, Any], path: Path, _state: int) -> Each[Any]:
    """The file in this state, read once: a task of one of 200 edge sites asks for its entry a dozen times."""
    found = load_each(path, catalog.key, catalog.entry, catalog.name)
    if catalog.check is not None:
        catalog.check(path, found)
    return found


def load_each(path: Path, key: str, model: type[Model], name: AfterValidator) -> Each[Model]:
    """The mapping under ``key``, the file's only one, entry by entry: a mistake in one leaves the others usable.

    :param name: what an entry's name must fit.

    Raises ConfigError, as ``load``, for what concerns the file as a whole.
    """
    entries = _entries(composed(path), key, path)
    found: Each[Model] = Each({}, {}, {})
    for name_node, node in entries:
        entry, line = str(name_node.value), name_node.start_mark.line + 1
        lines: dict[Trail, int] = {(key, entry): line}
        try:
            if entry in found.lines:
                found.good.pop(entry, None)
                raise ConfigError(f"{path}:{line}: the key {entry!r} is given twice (in {key})")
            found.lines[entry] = line
            values = plain(node, (key, entry), lines, path)
            with told(path, lines, (key, entry)):
                TypeAdapter(Annotated[str, name]).validate_python(entry)
                found.good[entry] = model.model_validate(values)
        except ConfigError as error:
            found.wrong[entry] = error
    return found


def _entries(root: Any, key: str, path: Path) -> list[tuple[Any, Any]]:
    """Nodes of name and value under ``key`` of a file that has no other key."""
    if root.id != "mapping":
        raise ConfigError(f"{path}:1: here a mapping (key: value lines) is needed")
    for node, _ in root.value:
        if node.value != key:
            line, near = node.start_mark.line + 1, meant(str(node.value), [key])
            raise ConfigError(f"{path}:{line}: unknown key {node.value!r}{near}; allowed keys are {key}")
    if len(root.value) != 1:
        wrong = "is given twice" if root.value else "is missing"
        raise ConfigError(f"{path}:1: the key {key!r} {wrong}; allowed keys are {key} (in {key})")
    under = root.value[0][1]
    if under.id == "scalar" and under.tag.endswith(":null"):
        return []
    if under.id != "mapping":
        line = under.start_mark.line + 1
        raise ConfigError(f"{path}:{line}: here a mapping (key: value lines) is needed (in {key})")
    for node, _ in under.value:
        if node.id != "scalar":
            raise ConfigError(f"{path}:{node.start_mark.line + 1}: here a key is needed, not a {node.id}")
    return list(under.value)
