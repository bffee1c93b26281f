"""An index of passages: one LanceDB table in a folder, found again by words and by meaning.

A build works in a folder that nobody searches (``Building``): it brings the table to the wanted files, each change a
transaction of LanceDB's, and writes ``index.json`` last. A build that is killed is simply run again: what it had done
is there, and ``index.json`` is not. What is searched (``Index``) is a finished folder that no longer changes.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tasks.common.metrics import Floats
from tasks.common.program import BadInput
from tasks.common.result import write_whole

SCHEMA = 1
FACTS = "index.json"
TABLE = "passages"
MADE_WITH = "made_with"
DEEP = 50
"""Passages that words and meaning each put forward; their ranks decide together."""
SEARCHED_WHOLE = 10_000
"""Passages up to which every vector is compared; beyond, only those of the nearest partitions."""
PROBED = 0.1
"""Of the partitions, how many are looked into."""
REFINED = 5
"""Times as many vectors as wanted are compared again in full."""
FILES_AT_ONCE = 1000
"""Files that one transaction removes."""

Allowed = Callable[[str], bool] | Collection[str]


@dataclass(frozen=True)
class Passage:
    """A part of a document.

    :param file: path in the dataset; ``digest`` is the file's.
    :param place: where in it, as a person says it: ``page 3``; ``position`` counts the file's passages from 0.
    """

    file: str
    digest: str
    kind: str
    title: str
    place: str
    position: int
    text: str

    @property
    def id(self) -> str:
        """The same for the same place of the same content, in whichever version."""
        return hashlib.sha256(f"{self.file}\0{self.digest}\0{self.position}".encode()).hexdigest()[:32]


COLUMNS = tuple(field.name for field in fields(Passage))


@dataclass(frozen=True)
class Hit:
    """A passage that was found.

    :param score: of both ranks together; higher is better, and of no meaning from one question to the next.
    :param similarity: cosine of the question's vector and the passage's.
    """

    passage: Passage
    score: float
    similarity: float


@dataclass(frozen=True)
class Before:
    """What a passage of a file said before the file was replaced, with its vector."""

    title: str
    text: str
    vector: Floats


class Building:
    """The index of ``folder``, being brought to the files that are wanted.

    :param made_with: whatever decides passages and vectors beside a file's content, such as the encoder's digest and
        the policy's. Passages that were made with something else are dropped.
    """

    def __init__(self, folder: Path, made_with: str) -> None:
        self._folder, self._made_with = folder, made_with
        folder.mkdir(parents=True, exist_ok=True)
        self._database = _connect(folder)
        self._table = _open(self._database)
        if self._table is not None and _told(self._table) != made_with:
            self._unfinished()
            self._database.drop_table(TABLE)
            self._table = None

    def files(self) -> dict[str, str]:
        """Return the digest of each file that has passages."""
        return _files(self._table)

    def before(self, files: Collection[str]) -> list[Before]:
        """Return what there is of files that are about to be replaced."""
        if self._table is None or not files:
            return []
        asked = self._table.search().where(f"file IN ({_quoted(sorted(files))})").select(["title", "text", "vector"])
        return [Before(row["title"], row["text"], np.asarray(row["vector"], np.float32)) for row in asked.to_list()]

    def replace(self, passages: Sequence[Passage], vectors: Floats) -> None:
        """Put whole files in place of what there is of them.

        :param vectors: of the passages, in their order [N, width], each of length 1.

        Killed in the middle, a file has no passages, and is wanted again.
        """
        if not passages:
            return
        vectors = np.asarray(vectors, np.float32)
        if len(vectors) != len(passages):
            raise ValueError(f"{len(passages)} passages have {len(vectors)} vectors")
        self._unfinished()
        self.remove({passage.file for passage in passages})
        rows = _rows(passages, vectors, self._made_with)
        if self._table is None:
            self._table = self._database.create_table(TABLE, rows)
        else:
            self._table.add(rows)

    def remove(self, files: Collection[str]) -> None:
        """Take out all passages of files; one that has none is no fault."""
        if self._table is None or not files:
            return
        self._unfinished()
        names = sorted(files)
        for first in range(0, len(names), FILES_AT_ONCE):
            self._table.delete(f"file IN ({_quoted(names[first : first + FILES_AT_ONCE])})")

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Make the table quick to search and small, then write ``facts`` with its counts as ``index.json``."""
        self._unfinished()
        count = self._table.count_rows() if self._table is not None else 0
        if self._table is not None and not count:
            self._database.drop_table(TABLE)
            self._table = None
        if self._table is not None:
            _make_quick(self._table, count)
        counts = {"schema": SCHEMA, "made_with": self._made_with, "passages": count, "files": len(self.files())}
        write_whole(self._folder / FACTS, json.dumps({**facts, **counts}, indent=2, sort_keys=True).encode())

    def _unfinished(self) -> None:
        (self._folder / FACTS).unlink(missing_ok=True)


class Index:
    """A finished index. Raises BadInput where ``folder`` holds none."""

    def __init__(self, folder: Path) -> None:
        self.facts = facts_of(folder)
        self._table = _open(_connect(folder))
        self.files = _files(self._table)
        if len(self.files) != self.facts["files"]:
            raise BadInput(f"{folder} holds {len(self.files)} files, but {FACTS} tells {self.facts['files']}.")

    def search(self, question: str, vector: Floats, *, limit: int, allowed: Allowed | None = None) -> list[Hit]:
        """Return up to ``limit`` passages for a question, the best first, by words and by meaning.

        :param vector: what the index's encoder makes of the question [width], of length 1.
        :param allowed: the files that may be found, or which says so of a file; None for all. What may not be found
            is never looked at, so that it takes no place from what may.
        """
        where = self._only(allowed)
        if self._table is None or where == "":
            return []
        from lancedb.query import MatchQuery

        words = MatchQuery(question, "text")  # type: ignore[call-arg]
        asked = self._table.search(query_type="hybrid", vector_column_name="vector", fts_columns="text")
        asked = asked.vector(np.asarray(vector, np.float32)).text(words).distance_type("cosine")
        asked = asked.nprobes(max(1, round(_partitions(self.facts["passages"]) * PROBED))).refine_factor(REFINED)
        asked = asked.limit(max(DEEP, limit))
        found = (asked.where(where) if where else asked).rerank().to_arrow().slice(0, limit)
        return [_hit(row, vector) for row in found.to_pylist()]

    def passage(self, name: str) -> Passage | None:
        """Return the passage of an id; None where the index has none."""
        found = self._where(f"id = {_quoted([name])}")
        return found[0] if found else None

    def around(self, passage: Passage, reach: int) -> list[Passage]:
        """Return a passage with up to ``reach`` before and after it in its file, in their order."""
        low, high = passage.position - reach, passage.position + reach
        found = self._where(f"file = {_quoted([passage.file])} AND position BETWEEN {low} AND {high}")
        return sorted(found, key=lambda each: each.position)

    def passages(self) -> list[Passage]:
        """Return all passages, file by file in their order."""
        return sorted(self._where("position >= 0"), key=lambda each: (each.file, each.position))

    def sample(self, count: int) -> list[Passage]:
        """Return up to ``count`` passages; most of them the same in an index of which little has changed."""
        if self._table is None or count < 1:
            return []
        names = sorted(self._table.search().select(["id"]).to_arrow()["id"].to_pylist())[:count]
        return sorted(self._where(f"id IN ({_quoted(names)})"), key=lambda each: each.id)

    def _where(self, condition: str) -> list[Passage]:
        if self._table is None:
            return []
        rows = self._table.search().where(condition).select(list(COLUMNS)).to_list()
        return [Passage(**{name: row[name] for name in COLUMNS}) for row in rows]

    def _only(self, allowed: Allowed | None) -> str | None:
        """Return the condition that leaves the allowed files; None for all, empty for none."""
        if allowed is None:
            return None
        may = allowed if callable(allowed) else set(allowed).__contains__
        inside = [file for file in self.files if may(file)]
        if len(inside) in (0, len(self.files)):
            return "" if not inside else None
        if len(inside) <= len(self.files) // 2:
            return f"file IN ({_quoted(inside)})"
        outside = sorted(set(self.files) - set(inside))
        return f"file NOT IN ({_quoted(outside)})"


def facts_of(folder: Path) -> dict[str, Any]:
    """Return what ``index.json`` of a folder tells. Raises BadInput where there is no finished index to read."""
    try:
        facts: dict[str, Any] = json.loads((folder / FACTS).read_text())
    except FileNotFoundError:
        raise BadInput(f"{folder} holds no finished index; build it.") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder / FACTS} cannot be read ({type(error).__name__}).") from error
    if facts.get("schema") != SCHEMA:
        raise BadInput(f"{folder} holds an index of schema {facts.get('schema')!r}; this program reads {SCHEMA}.")
    return facts


def _make_quick(table: Any, count: int) -> None:
    """Bring the indexes of ``count`` rows up to date, making those that lack, and leave one version only."""
    from lancedb.index import FTS, BTree, IvfSq

    there = {index.columns[0] for index in table.list_indices()}
    if "text" not in there:
        table.create_index("text", config=FTS(language="English"))
    for column in {"id", "file"} - there:
        table.create_index(column, config=BTree())
    if "vector" not in there and count > SEARCHED_WHOLE:
        table.create_index("vector", config=IvfSq(distance_type="cosine", num_partitions=_partitions(count)))
    # Nobody reads the folder of a build, and one that was killed may have left files of half a transaction.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)


def _partitions(count: int) -> int:
    return max(1, math.isqrt(count) // 3)


def _connect(folder: Path) -> Any:
    import lancedb

    return lancedb.connect(folder)


def _open(database: Any) -> Any:
    """Return the table; None where there is none."""
    return database.open_table(TABLE) if TABLE in database.list_tables().tables else None


def _told(table: Any) -> str | None:
    """Return what the passages of a table were made with."""
    told = (table.schema.metadata or {}).get(MADE_WITH.encode())
    return told.decode() if told else None


def _files(table: Any) -> dict[str, str]:
    if table is None:
        return {}
    found = table.search().select(["file", "digest"]).to_arrow()
    return dict(zip(found["file"].to_pylist(), found["digest"].to_pylist(), strict=True))


def _rows(passages: Sequence[Passage], vectors: Floats, made_with: str) -> Any:
    import pyarrow as pa

    width = vectors.shape[1]
    columns = {"id": [passage.id for passage in passages]}
    columns |= {name: [getattr(passage, name) for passage in passages] for name in COLUMNS}
    kinds = {"position": pa.int32()}
    names = [pa.field(name, kinds.get(name, pa.string()), nullable=False) for name in columns]
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), width)
    schema = pa.schema([*names, pa.field("vector", flat.type, nullable=False)], {MADE_WITH: made_with})
    return pa.table([*columns.values(), flat], schema=schema)


def _hit(row: Mapping[str, Any], vector: Floats) -> Hit:
    passage = Passage(**{name: row[name] for name in COLUMNS})
    return Hit(passage, float(row["_relevance_score"]), float(np.dot(np.asarray(row["vector"], np.float32), vector)))


def _quoted(names: Collection[str]) -> str:
    """Return names as SQL's texts, with commas between."""
    return ", ".join("'" + name.replace("'", "''") + "'" for name in names)
