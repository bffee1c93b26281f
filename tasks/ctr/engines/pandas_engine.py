"""The walkthrough's way: the whole table in pandas, then scikit-learn's random forest.

Read the rows, keep the label and the 13 numeric columns as float32 with missing as 0, fit. A scan beforehand, which is
not counted as loading, finds where the rows end and which lines are malformed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.common.program import BadInput
from tasks.common.progress import Progress, say
from tasks.common.result import write_whole
from tasks.ctr.blocks import Count, count
from tasks.ctr.columns import LABEL, NAMES, NUMERIC
from tasks.ctr.engines import Job, Outcome, selected
from tasks.ctr.engines.memory import peak_bytes
from tasks.ctr.forest import Forest, Tree
from tasks.ctr.pieces import rows_of
from tasks.ctr.reading import PARQUET, TABLE, open_file, parquet_file
from tasks.ctr.selection import Piece, Selection

if TYPE_CHECKING:
    import pandas

_MOST_SEEDS = np.iinfo(np.int32).max  # the range that scikit-learn's forest draws its trees' seeds from


def train(job: Job) -> Outcome:
    with job.timer.measure("start"):
        import pandas
        import sklearn.ensemble  # noqa: F401  its import is no part of the training
    with job.timer.measure("check"):
        selection = selected(job, lambda indices: _scan(job, indices))
    try:
        with job.timer.measure("load"):
            frame = pandas.concat(_frames(selection)) if _files(selection) > 1 else next(_frames(selection))
            values = frame[list(NUMERIC)].fillna(0).to_numpy(np.float32)
            labels = frame[LABEL].to_numpy(np.uint8)
            del frame
        with job.timer.measure("train"):
            forest = _fit(job, values, labels)
    except MemoryError as error:
        rows = selection.train_rows
        raise BadInput(f"{rows} rows do not fit in the memory of one process ({error}); use --engine dask.") from error
    memory = {"program": peak_bytes(), "workers": 0}
    with job.timer.measure("evaluate"):
        found = [(forest.predict(v), wanted) for piece in selection.test for v, wanted in rows_of(piece)]
    scores, truth = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return Outcome(forest, selection, scores, truth, memory, {"workers": 1})


def _scan(job: Job, indices: Iterable[int]) -> dict[int, Count]:
    wanted = list(indices)
    with Progress(len(wanted), "parts", "Checking") as progress, ThreadPoolExecutor(os.cpu_count()) as pool:
        found = {}
        for index, facts in zip(wanted, pool.map(lambda i: count(job.parts[i]), wanted), strict=True):
            found[index] = facts
            progress.advance()
    return found


def _files(selection: Selection) -> int:
    return len({piece.part.file for piece in selection.train})


def _frames(selection: Selection) -> Iterator[pandas.DataFrame]:
    """One table per file."""
    by_file: dict[Any, list[Piece]] = {}
    for piece in selection.train:
        by_file.setdefault(piece.part.file, []).append(piece)
    for pieces in by_file.values():
        say(f"Reading {pieces[0].part.file.key}: {sum(piece.rows for piece in pieces)} rows")
        kind = pieces[0].part.file.kind
        if kind == TABLE or any(len(selection.counts[piece.index].bad_lines) for piece in pieces):
            yield _sorted_out(pieces)
        else:
            yield _parquet(pieces) if kind == PARQUET else _text(pieces)


def _sorted_out(pieces: list[Piece]) -> pandas.DataFrame:
    """Of pieces with malformed rows, which pandas would take for rows, or count as lines otherwise than we do."""
    import pandas

    rows = (found for piece in pieces for found in rows_of(piece))
    values, labels = (np.concatenate(arrays) for arrays in zip(*rows, strict=True))
    columns = {LABEL: labels.astype(np.float32)} | {name: values[:, at] for at, name in enumerate(NUMERIC)}
    return pandas.DataFrame(columns)


def _text(pieces: list[Piece]) -> pandas.DataFrame:
    import pandas

    part = pieces[0].part
    with open_file(part.url, part.file) as file:
        return pandas.read_csv(
            file,
            sep="\t",
            header=None,
            names=list(NAMES[: 1 + len(NUMERIC)]),
            usecols=range(1 + len(NUMERIC)),
            dtype=dict.fromkeys(NAMES, np.float32),
            nrows=sum(piece.rows for piece in pieces),
            compression="gzip" if part.file.kind == "gzip" else None,
        )


def _parquet(pieces: list[Piece]) -> pandas.DataFrame:
    part = pieces[0].part
    groups = sorted({group for piece in pieces for group in range(piece.part.start, piece.part.stop)})
    with parquet_file(part.url, part.file) as opened:
        frame = opened.read_row_groups(groups, columns=[LABEL, *NUMERIC]).to_pandas()
    return frame.iloc[: sum(piece.rows for piece in pieces)]


def _fit(job: Job, values: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]) -> Forest:
    """Grow a few trees at a time, so that a stopped run goes on after the last; the trees are those of a single fit."""
    from sklearn.ensemble import RandomForestClassifier

    done = _resume(job)
    settings = job.settings
    seeds = np.random.RandomState(settings.seed)
    seeds.randint(_MOST_SEEDS, size=len(done))
    with Progress(settings.trees, "trees", "Growing") as progress:
        progress.advance(len(done))
        while len(done) < settings.trees:
            number = min(job.threads, settings.trees - len(done))
            model = RandomForestClassifier(
                n_estimators=number, max_depth=settings.depth, random_state=seeds, n_jobs=job.threads
            )
            model.fit(values, labels)
            done += [as_tree(estimator.tree_) for estimator in model.estimators_]
            write_whole(job.checkpoint, job.identity.encode() + Forest(done).to_bytes())
            progress.advance(number)
    return Forest(done)


def _resume(job: Job) -> list[Tree]:
    """Return the trees of an earlier try with the same data and settings."""
    digest = job.identity.encode()
    content = job.checkpoint.read_bytes() if job.checkpoint.is_file() else b""
    if not content.startswith(digest) or not content:
        return []
    done = Forest.from_bytes(content[len(digest) :]).trees
    say(f"Going on from {job.checkpoint}: {len(done)} trees are grown.")
    return done


def as_tree(grown: Any) -> Tree:
    """Return a Tree from scikit-learn's ``tree_``, which compares float32 values with float64 thresholds."""
    threshold = grown.threshold.astype(np.float32)
    above = threshold.astype(np.float64) > grown.threshold
    threshold[above] = np.nextafter(threshold[above], np.float32(-np.inf))
    shares = grown.value[:, 0, :]
    return Tree(
        feature=np.where(grown.children_left < 0, -1, grown.feature).astype(np.int16),
        threshold=threshold,
        left=np.maximum(grown.children_left, 0).astype(np.int32),
        right=np.maximum(grown.children_right, 0).astype(np.int32),
        value=(shares[:, 1] / shares.sum(axis=1)).astype(np.float64),
    )
