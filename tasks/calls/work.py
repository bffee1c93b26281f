"""The recorded calls of a dataset version, and where what is understood of them goes: for ``plan`` and ``score``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.calls import dataset
from tasks.calls.dataset import Call
from tasks.calls.tables import FolderTable, ServiceTable, Table
from tasks.common.cli import Flags
from tasks.common.data import Store, open_source
from tasks.common.listing import make_folder
from tasks.common.program import BadInput
from tasks.common.service import Service

NAME, WHAT = "CALLS", "the call service"


@dataclass(frozen=True)
class Work:
    """``calls`` are those with a recording, by id; ``origin`` is the dataset and the version that hold them."""

    store: Store
    calls: list[Call]
    table: Table
    origin: tuple[str, str]

    @classmethod
    def of(cls, options: argparse.Namespace) -> Work:
        store = open_source(options.data)
        recorded = [call for call in dataset.calls(store) if call.file]
        if not recorded:
            raise BadInput(f"None of the calls of {store.url} has a recording.")
        return cls(store, recorded, _table(options.folder), (options.dataset, options.dataset_version))

    def source(self, call: Call) -> dict[str, str]:
        name, version = self.origin
        return {"dataset": name, "version": version, "file": call.file}

    def is_done(self, call: Call) -> bool:
        return self.table.is_finished(call.id, self.source(call))

    def part(self, text: str) -> Sequence[Call]:
        """Return the calls of a part such as ``0/3``: every third from the first on."""
        number, slash, count = text.partition("/")
        if not slash or not number.isdigit() or not count.isdigit() or not int(number) < int(count):
            raise BadInput(f"--part is {text!r}; the first of three is written 0/3.")
        return self.calls[int(number) :: int(count)]


def add_work(flags: Flags) -> None:
    flags.data("folder or s3://bucket/prefix with calls")
    flags.add_argument("--folder", type=Path, help="where a file for each call is written, instead of the call service")
    flags.add_argument(
        "--dataset", default="calls", help="name of the data", from_run=lambda run: run.dataset_version.get("dataset")
    )
    flags.add_argument(
        "--dataset-version", default="by-hand", help="id of its version", from_run=lambda run: run.version_id
    )


def _table(folder: Path | None) -> Table:
    if folder is None:
        return ServiceTable(Service.of_environment(NAME, WHAT))
    make_folder(folder)
    return FolderTable(folder)
