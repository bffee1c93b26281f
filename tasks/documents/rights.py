"""Who may read which file of the documents, asked of the files as they are now: what is not known is not shown.

1. ``access.yaml`` at the top of the documents, where there is one: the first rule whose pattern fits a file's path
   decides, by groups; the group ``everybody`` is everybody::

       - files: board/*          # * stands for anything, folders too
         groups: [board]
       - files: "*.md"
         groups: [everybody]

2. A file that no rule names: its own owner, group and mode, and those of its folders, as the file system would have it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path, PurePosixPath

ACCESS = "access.yaml"
EVERYBODY = "everybody"


class RightsError(Exception):
    """Who may read what cannot be told; the message says why."""


@dataclass(frozen=True)
class Person:
    """Who asks.

    :param groups: as ``access.yaml`` names them; ``uid`` and ``gids`` as the file system numbers them.
    """

    name: str = ""
    groups: frozenset[str] = frozenset()
    uid: int | None = None
    gids: frozenset[int] = frozenset()


ANYBODY = Person()
"""Somebody who did not say who they are."""


@dataclass(frozen=True)
class Rule:
    """Files whose path fits ``pattern`` may be read by who is in one of ``groups``."""

    pattern: re.Pattern[str]
    groups: frozenset[str]


@dataclass
class Rights:
    """The rights to the files below ``root``, the documents as they are now."""

    root: Path
    _known: tuple[tuple[int, ...], tuple[Rule, ...]] | None = field(default=None, repr=False)

    def readable(self, person: Person, files: Iterable[str]) -> set[str]:
        """Return those of ``files``, paths below the root, that a person may read now. Raises RightsError."""
        rules = self._rules()
        return {file for file in files if self._may(person, file, rules)}

    def _may(self, person: Person, file: str, rules: tuple[Rule, ...]) -> bool:
        for rule in rules:
            if rule.pattern.match(file):
                return EVERYBODY in rule.groups or bool(rule.groups & person.groups)
        return self._mode_lets(person, file)

    def _mode_lets(self, person: Person, file: str) -> bool:
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts:
            return False
        try:
            folders = [self.root / part for part in path.parents if part.parts]
            return all(_lets(person, folder, stat.S_IXOTH) for folder in folders) and _lets(
                person, self.root / path, stat.S_IROTH
            )
        except OSError:
            return False

    def _rules(self) -> tuple[Rule, ...]:
        """Return the rules as the file has them now; read again only where it changed."""
        path = self.root / ACCESS
        try:
            found = path.stat()
            version = (found.st_mtime_ns, found.st_size, found.st_ino)
            if self._known is None or self._known[0] != version:
                self._known = version, rules_of(path.read_text())
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise RightsError(f"{ACCESS} of the documents cannot be read ({type(error).__name__}).") from error
        return self._known[1]


def rules_of(text: str) -> tuple[Rule, ...]:
    """Return the rules that the text of an ``access.yaml`` tells. Raises RightsError with what is wrong."""
    import yaml

    try:
        told = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise RightsError(f"{ACCESS} is no YAML{f', line {mark.line + 1}' if mark else ''}.") from error
    if not isinstance(told, list):
        raise RightsError(f"{ACCESS} is a list of rules, each with files and groups.")
    return tuple(_rule(number, rule) for number, rule in enumerate(told, 1))


def _rule(number: int, told: object) -> Rule:
    if not isinstance(told, dict) or set(told) != {"files", "groups"}:
        raise RightsError(f"Rule {number} of {ACCESS} has files and groups, and nothing else.")
    files, groups = told["files"], told["groups"]
    if not isinstance(files, str) or not files:
        raise RightsError(f"files of rule {number} of {ACCESS} is a pattern of paths, such as board/*.")
    if not isinstance(groups, list) or not all(isinstance(group, str) and group for group in groups):
        raise RightsError(f"groups of rule {number} of {ACCESS} is a list of names, such as [board].")
    return Rule(re.compile(translate(files)), frozenset(groups))


def _lets(person: Person, path: Path, bit: int) -> bool:
    """Say whether a mode lets a person do what ``bit`` is for others; of a link, nothing. Raises OSError."""
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        return False
    if person.uid is not None and person.uid == found.st_uid:
        return bool(found.st_mode & bit << 6)
    if found.st_gid in person.gids:
        return bool(found.st_mode & bit << 3)
    return bool(found.st_mode & bit)
