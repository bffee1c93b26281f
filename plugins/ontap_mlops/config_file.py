"""Reads a YAML file into a pydantic model; a mistake is answered with file, line and what would have been right.

    class Keep(Section):
        versions: Annotated[int, Field(ge=1)] = 30

    keep = load(Path("config/example.yaml"), Keep)

Any text may hold ``${NAME}`` or ``${NAME:-default}``, taken from the environment.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")

Trail = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


class ConfigError(ValueError):
    """A configuration that cannot be used as it is. From a file, the message begins with ``file:line:``."""


class Section(BaseModel):
    """A frozen mapping with known keys; an unknown or a missing one is an error that lists the allowed ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, values: Any) -> Any:
        if values is None:
            values = {}
        if not isinstance(values, Mapping):
            return values
        for key in values:
            if key not in cls.model_fields:
                allowed = f"{meant(str(key), cls.model_fields)}; allowed keys are {_listed(cls.model_fields)}"
                raise _key_error("unknown_key", key, f"unknown key {key!r}{allowed}")
        for key, field in cls.model_fields.items():
            if field.is_required() and key not in values:
                raise _key_error(
                    "missing_key", key, f"the key {key!r} is missing; allowed keys are {_listed(cls.model_fields)}"
                )
        return values

    @classmethod
    def of(cls, values: Mapping[str, Any], what: str) -> Self:
        """Make one from values that come from no file. Raises ConfigError that begins with ``what``."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            trail, sentence = _first(error, {})
            raise ConfigError(f"{what}: {sentence}{_where(trail)}") from None


# One text is taken as a list of one.
Texts = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]


def shaped(pattern: str, shape: str) -> AfterValidator:
    """Check a text against a pattern; ``shape`` says in words what fits."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{text!r} does not fit: {shape}")
        return text

    return AfterValidator(check)


Size = Annotated[str, shaped(r"\d+ ?(MB|GB|TB)", "give it like 500MB, 20GB or 4TB")]
_UNIT = {"MB": 1024**2, "GB": 1024**3, "TB": 1024**4}


def bytes_of(size: str) -> int:
    """Read a ``Size`` by 1024, as ONTAP does. Raises ValueError for anything else."""
    parts = re.fullmatch(r"(\d+) ?(MB|GB|TB)", size)
    if not parts:
        raise ValueError(f"{size!r} does not fit: give it like 500MB, 20GB or 4TB")
    return int(parts[1]) * _UNIT[parts[2]]


def load(path: Path, model: type[Model]) -> Model:
    """The file as the model says. Raises ConfigError, beginning ``file:line:``, on anything amiss."""
    node = composed(path)
    lines: dict[Trail, int] = {}
    values = plain(node, (), lines, path)
    with told(path, lines):
        return model.model_validate(values)


def state(path: Path) -> int:
    """Tell by a number whether ``load`` would still read the same: it is another once the file or the environment is.

    For those who keep what they read. Costs one stat. A file that is not there has a state too.
    """
    facts = path.stat() if path.exists() else None
    file = facts and (facts.st_ino, facts.st_mtime_ns, facts.st_size)
    return hash((path, file, frozenset(os.environ.items())))


def composed(path: Path) -> Any:
    """The file's YAML nodes, which know their lines."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        try:
            # libyaml takes a tenth of the time; a PyYAML built without it has the other loader only.
            node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.MarkedYAMLError:
            node = yaml.compose(text, Loader=yaml.SafeLoader)  # says better what is wrong, and where
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; create it, or set [ontap_mlops] config_dir") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}:1: not YAML: {error}") from None
    if node is None:
        raise ConfigError(f"{path}:1: the file is empty")
    return node


@contextmanager
def told(path: Path, lines: Mapping[Trail, int], start: Trail = ()) -> Iterator[None]:
    """Turns the first mistake that pydantic finds below ``start`` into a ConfigError with file and line."""
    try:
        yield
    except ValidationError as error:
        trail, sentence = _first(error, lines, start)
        raise ConfigError(f"{path}:{_line(trail, lines)}: {sentence}{_where(trail)}") from None


def plain(node: Any, trail: Trail, lines: dict[Trail, int], path: Path) -> Any:
    """Mappings, lists, texts and None, with the line of every one kept; numbers are left to the model to read."""
    lines.setdefault(trail, node.start_mark.line + 1)
    if node.id == "sequence":
        return [plain(item, (*trail, number), lines, path) for number, item in enumerate(node.value)]
    if node.id == "scalar":
        return None if node.tag.endswith(":null") else _expanded(node, trail, path)
    values = {}
    for key_node, value in node.value:
        line = key_node.start_mark.line + 1
        if key_node.id != "scalar":
            raise ConfigError(f"{path}:{line}: here a key is needed, not a {key_node.id}")
        if key_node.value in values:
            raise ConfigError(f"{path}:{line}: the key {key_node.value!r} is given twice{_where(trail)}")
        lines[(*trail, key_node.value)] = line
        values[key_node.value] = plain(value, (*trail, key_node.value), lines, path)
    return values


def _expanded(node: Any, trail: Trail, path: Path) -> str:
    def value_of(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        value = os.environ.get(name) or default
        if value is None:
            advice = f"set it or write ${{{name}:-default}}{_where(trail)}"
            raise ConfigError(f"{path}:{node.start_mark.line + 1}: environment variable {name} is not set; {advice}")
        return value

    return _VARIABLE.sub(value_of, node.value)


def _first(error: ValidationError, lines: Mapping[Trail, int], start: Trail = ()) -> tuple[Trail, str]:
    """Where the mistake that stands first in the file is, and the sentence about it."""
    trails = [(_trail(details, lines, start), details) for details in error.errors(include_url=False)]
    trail, details = min(trails, key=lambda found: _line(found[0], lines))
    return trail, _sentence(details)


def _trail(details: ErrorDetails, lines: Mapping[Trail, int], start: Trail) -> Trail:
    """The steps that exist in the file: pydantic adds some of its own, such as the kind of a variant."""
    trail = start
    for step in details["loc"]:
        if not lines or (*trail, step) in lines:
            trail = (*trail, step)
    if details["type"] == "unknown_key":
        trail = (*trail, details["ctx"]["key"])
    if details["type"] == "union_tag_invalid":
        trail = (*trail, details["ctx"]["discriminator"].strip("'"))
    return trail


def _line(trail: Trail, lines: Mapping[Trail, int]) -> int:
    return lines.get(trail, 1)


def _sentence(details: ErrorDetails) -> str:
    value, context = details["input"], details.get("ctx", {})
    match details["type"]:
        case "string_type":
            return f"here a text is needed, not {_kind(value)}"
        case "tuple_type" | "list_type":
            return f"here a list is needed, not {_kind(value)}"
        case "dict_type" | "model_type" | "model_attributes_type" | "dataclass_type":
            return "here a mapping (key: value lines) is needed"
        case "int_parsing" | "int_type" | "int_from_float":
            return f"{_shown(value)} is not a whole number"
        case "float_parsing" | "float_type":
            return f"{_shown(value)} is not a number"
        case "bool_parsing" | "bool_type":
            return f"{_shown(value)} is not true or false"
        case "greater_than":
            return f"{value} is not above {context['gt']:g}"
        case "greater_than_equal":
            return f"{value} is below {context['ge']:g}, the least allowed"
        case "less_than_equal":
            return f"{value} is above {context['le']:g}, the most allowed"
        case "literal_error" | "union_tag_invalid":
            tag = context.get("tag", value)
            choices = re.findall(r"'([^']*)'", context.get("expected_tags") or context["expected"])
            return f"{tag!r} is not one of {_listed(choices)}{meant(str(tag), choices)}"
        case "union_tag_not_found":
            return f"the key {context['discriminator']} is missing"
        case "value_error":
            return str(context["error"])
    return details["msg"]


def _kind(value: Any) -> str:
    kinds = {dict: "a mapping", list: "a list", type(None): "nothing", str: "a text"}
    return kinds.get(type(value), type(value).__name__)


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else _kind(value)


def _key_error(kind: str, key: str, sentence: str) -> PydanticCustomError:
    return PydanticCustomError(kind, "{sentence}", {"key": key, "sentence": sentence})  # type: ignore[arg-type]


def _where(trail: Trail) -> str:
    return f" (in {'.'.join(map(str, trail))})" if trail else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def meant(text: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(text, list(names), n=1)
    return f", did you mean {close[0]!r}?" if close else ""
