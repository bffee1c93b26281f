"""Where the sentences of scored calls go: to the call service, or to a folder, a file for each call.

Both keep what they have: a call that is finished stays as it is, and one that was cut short is brought again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from tasks.common.program import BadInput
from tasks.common.result import write_whole
from tasks.common.service import Missing, Service

SENT_AT_ONCE = 200
SERVICE, FILES = "service", "files"

Facts = Mapping[str, Any]
"""Of a call: agent, began, seconds, rate_hz, channels and source."""


class Table(Protocol):
    def is_finished(self, call: str, source: Facts) -> bool:
        """Whether all of the call is there. Raises BadInput where it is there from another recording."""

    def put(self, call: str, facts: Facts, sentences: Sequence[Facts]) -> None:
        """Keep a call and its sentences, and note that it is finished. The same again changes nothing."""


@dataclass(frozen=True)
class ServiceTable:
    """The call service over HTTP."""

    service: Service

    def is_finished(self, call: str, source: Facts) -> bool:
        try:
            known = json.loads(self.service.ask(f"/api/calls/{quote(call)}"))
        except Missing:
            return False
        if known.get("finished") is None:
            return False
        _check_source(call, known["source"], source, str(self.service))
        return True

    def put(self, call: str, facts: Facts, sentences: Sequence[Facts]) -> None:
        path = f"/api/calls/{quote(call)}"
        self.service.ask(path, dict(facts), "PUT")
        for start in range(0, len(sentences), SENT_AT_ONCE):
            sent = {"sentences": list(sentences[start : start + SENT_AT_ONCE])}
            self.service.ask(f"{path}/sentences", sent, "PUT")
        self.service.ask(f"{path}/finished", {"sentences": len(sentences)}, "PUT")


@dataclass(frozen=True)
class FolderTable:
    """A file of JSON for each call, written whole."""

    folder: Path

    def is_finished(self, call: str, source: Facts) -> bool:
        try:
            known = json.loads(self._file(call).read_text())
        except FileNotFoundError:
            return False
        except ValueError as error:
            raise BadInput(f"{self._file(call)} is no JSON ({error}); remove it to have the call again.") from error
        _check_source(call, known["source"], source, str(self.folder))
        return True

    def put(self, call: str, facts: Facts, sentences: Sequence[Facts]) -> None:
        told = {"call": call, **facts, "sentences": list(sentences)}
        write_whole(self._file(call), json.dumps(told, indent=1).encode())

    def _file(self, call: str) -> Path:
        return self.folder / f"{call}.json"


def _check_source(call: str, known: Facts, source: Facts, where: str) -> None:
    """Another version of the dataset holds the same recording; another file is another recording."""
    if (known.get("dataset"), known.get("file")) != (source["dataset"], source["file"]):
        raise BadInput(
            f"{where} has call {call} from {known.get('dataset')}/{known.get('file')}, and this one is from "
            f"{source['dataset']}/{source['file']}; give it another id."
        )
