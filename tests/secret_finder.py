"""Find values that a file gives to what it calls a password, key or token."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

# Said of a secret where it has a value, up to the end of the line or of the entry.
_SAID = re.compile(
    r"""(?ix) \b[\w-]*(?:password|passwd|secret[_-]?key|access[_-]?key|fernet[_-]?key|api[_-]?key|jwt[_-]?secret|token)
    ["']? \s* (?:=|:\s) \s* ["']? ([A-Za-z0-9+/_.=-]{3,}) ["']? \s* (?:\#.*)? (?:$|[,;})])"""
)
# What follows and is no value: a type, a way to get one, a word that stands for one.
_NO_VALUE = re.compile(
    r"(?i)(str|none|null|true|false|text|string|int|bool|optional|\.{3}|x+|password|secret|token|keys?|path|file|get|"
    r"[a-z_.]*(password|secret|token|key|environ|connection|self)[a-z_.]*)[.,]?"
)
_CALLED = re.compile(r"(?i)(^|_)(password|passwd|secret_key|fernet_key|api_key|jwt_secret|auth_token)")
# A sentence or label about a password is none, nor is the name of a variable, a file or an algorithm.
_ABOUT = re.compile(r".*[\s{}].*|[a-z_]+|[A-Z_]+|[A-Z][a-z]+|sha[0-9]+", re.DOTALL)


def values(path: Path) -> list[str]:
    """Of a Python file by its syntax, of any other by its lines; rows of Markdown tables are about secrets only."""
    if path.suffix == ".py":
        given = [(name, node) for name, node in _given(ast.parse(path.read_text())) if _CALLED.search(name)]
        texts = [node.value for _, node in given if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        return [text for text in texts if text and not _ABOUT.fullmatch(text)]
    lines = [line for line in path.read_text(errors="replace").splitlines() if not line.lstrip().startswith("|")]
    found = [match[1] for line in lines for match in _SAID.finditer(line)]
    return [value for value in found if not _NO_VALUE.fullmatch(value)]


def _given(tree: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """Names with what is assigned to them, passed as them, their default, or what stands under them as a key."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword):
            yield node.arg or "", node.value
        elif isinstance(node, ast.Assign):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.value
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant):
                    yield str(key.value), value
        elif isinstance(node, ast.arguments):
            named = [*node.posonlyargs, *node.args]
            late = named[len(named) - len(node.defaults) :]
            for argument, default in zip([*late, *node.kwonlyargs], [*node.defaults, *node.kw_defaults], strict=True):
                yield argument.arg, default
