"""A YAML file of entries by name, read so that a mistake in one leaves the others usable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic

from pydantic import AfterValidator, TypeAdapter

from ontap_mlops.config_file import ConfigError, Model, Trail, composed, meant, plain, told


@dataclass(frozen=True)
class Each(Generic[Model]):
    """The entries of a file by name, and what is wrong with the others; ``lines`` are where their names stand."""

    good: dict[str, Model]
    wrong: dict[str, ConfigError]
    lines: dict[str, int]


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
