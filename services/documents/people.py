"""Who asks: a person by the token they bring, as the people file names them; without a token, anybody.

The file is YAML, a list; it holds tokens' SHA-256 only, and is read again when it changes::

    - name: anna
      token: 2bb80d53…            # printf %s TOKEN | sha256sum
      groups: [board]             # as access.yaml of the documents names them
      uid: 1000                   # as the file system numbers them, where that decides
      gids: [1000]
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pydantic
import yaml

from services.web import BadRequestError
from tasks.documents.rights import ANYBODY, Person


class PeopleError(Exception):
    """The people file cannot be understood; the message says why."""


class _Entry(pydantic.BaseModel, extra="forbid"):
    name: str = pydantic.Field(min_length=1, max_length=100)
    token: str = pydantic.Field(pattern="^[0-9a-f]{64}$")
    groups: frozenset[str] = frozenset()
    uid: int | None = None
    gids: frozenset[int] = frozenset()


_ENTRIES = pydantic.TypeAdapter(list[_Entry])


class People:
    """The people of a file; nobody but anybody where there is no file. Raises PeopleError."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: tuple[tuple[int, int], dict[str, Person]] = ((0, 0), {})
        self._now()

    def of(self, authorization: str | None) -> Person:
        """Return who brings this header. Raises BadRequestError where nobody has the token, PeopleError."""
        if not authorization:
            return ANYBODY
        token = authorization.removeprefix("Bearer ").strip()
        person = self._now().get(hashlib.sha256(token.encode()).hexdigest())
        if person is None:
            raise BadRequestError("Nobody has this token; ask whoever looks after the documents for yours.", 401)
        return person

    def _now(self) -> dict[str, Person]:
        if self._file is None:
            return {}
        try:
            found = self._file.stat()
            version = (found.st_mtime_ns, found.st_size)
            if version != self._known[0]:
                self._known = version, _people(self._file.read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise PeopleError(f"{self._file} cannot be read ({type(error).__name__}).") from error
        return self._known[1]


def _people(text: str) -> dict[str, Person]:
    try:
        entries = _ENTRIES.validate_python(yaml.safe_load(text) or [])
    except yaml.YAMLError as error:
        raise PeopleError("The people file is no YAML.") from error
    except pydantic.ValidationError as error:
        # Its input may hold a token that somebody wrote there in full.
        first = error.errors(include_input=False, include_url=False)[0]
        raise PeopleError(f"The people file: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
    people = {each.token: Person(each.name, each.groups, each.uid, each.gids) for each in entries}
    if len(people) != len(entries) or len({each.name for each in entries}) != len(entries):
        raise PeopleError("The people file has a name or a token twice.")
    return people
