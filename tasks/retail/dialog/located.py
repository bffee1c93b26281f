"""YAML whose every value knows its line, so that a fault can be said with file and line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Way = tuple[str | int, ...]
"""The keys and positions that lead to a value."""


@dataclass(frozen=True)
class Finding:
    """One fault of a file, as a sentence."""

    file: str
    line: int
    says: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.says}"


@dataclass(frozen=True)
class Located:
    """The values of one file, and the line at which each begins."""

    file: str
    values: Any
    lines: dict[Way, int]

    def line(self, *way: str | int) -> int:
        """Return the line of the value at the end of ``way`` or, where it is not there, of what would hold it."""
        while way and way not in self.lines:
            way = way[:-1]
        return self.lines.get(way, 1)

    def finding(self, says: str, *way: str | int) -> Finding:
        return Finding(self.file, self.line(*way), says)


def read(path: Path) -> Located | list[Finding]:
    """Return what the file holds, or why it cannot be read: it is missing, no text, no YAML, or says one key twice."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except FileNotFoundError:
        return [Finding(path.name, 1, "There is no such file.")]
    except UnicodeDecodeError:
        return [Finding(path.name, 1, "This is no text in UTF-8.")]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return [Finding(path.name, mark.line + 1 if mark else 1, f"This is no YAML: {error.problem}.")]
    except yaml.YAMLError as error:
        return [Finding(path.name, 1, f"This is no YAML: {error}.")]
    if root is None:
        return [Finding(path.name, 1, "The file is empty.")]
    lines: dict[Way, int] = {}
    twice: list[Finding] = []
    values = _values(root, (), path.name, lines, twice)
    return twice or Located(path.name, values, lines)


def _values(node: yaml.Node, way: Way, file: str, lines: dict[Way, int], twice: list[Finding]) -> Any:
    lines.setdefault(way, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_values(item, (*way, n), file, lines, twice) for n, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        # Texts stay texts, as they stand in the file: `no` is a word that a flow may say, and an id may be a number.
        return None if node.tag == "tag:yaml.org,2002:null" else node.value
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        if key in mapping:
            twice.append(Finding(file, key_node.start_mark.line + 1, f"'{key}' stands here for the second time."))
        lines[*way, key] = key_node.start_mark.line + 1
        mapping[key] = _values(value_node, (*way, key), file, lines, twice)
    return mapping
