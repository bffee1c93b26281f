"""Click-through rate: the numeric columns of days of clicks, and the forest's chance of a click."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.common import manifest
from tasks.common.judging import Incomparable
from tasks.common.metrics import losses
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.ctr.blocks import MALFORMED_SHARE, batches, check_malformed
from tasks.ctr.columns import NUMERIC
from tasks.ctr.days import find_days, parts_of
from tasks.ctr.forest import INPUT, OUTPUT
from tasks.ctr.held_out import HEAD_ROWS, TrainedDay, days_trained, head_of, rows_trained
from tasks.ctr.parse import Malformed
from tasks.ctr.reading import Day
from tasks.drift.sample import NothingNew, Pair, Reservoir, Sample, Source

LIMIT = 20_000
_PART_BYTES = 64 << 20


def read(source: Source) -> Pair:
    """Rows of all days of the baseline, and of the days whose files are in no earlier version."""
    baseline, newest = find_days(source.baseline), find_days(source.data)
    known = {content for url in source.known for content in _contents(find_days(url))}
    new = [day for day, content in zip(newest, _contents(newest), strict=True) if content not in known]
    if not new:
        raise NothingNew(f"All {len(newest)} days of {source.data} were there before; there is no new one.")
    try:
        trained = days_trained(source.model)
    except Incomparable as error:
        raise BadInput(f"{error}.") from error
    network = OnnxModel.load(source.model.onnx, inputs=INPUT, outputs=OUTPUT, threads=source.threads)
    before, after = (_sample(days, trained, network, source) for days in (baseline, new))
    return Pair(before, after, figure="log loss", better=-1, chance="chance of a click")


def _contents(days: Sequence[Day]) -> list[frozenset[str]]:
    """Return what tells each day's content from another's, under whatever name: the digests of its files, in a version
    with a manifest, else its size and its first rows."""
    listed = manifest.of(days[0].url).files
    found = []
    for day in days:
        digests = frozenset(listed[file.key].sha256 for file in day.files if file.key in listed)
        found.append(digests or frozenset({f"{day.size} {head_of(day, HEAD_ROWS)}"}))
    return found


def _sample(days: Sequence[Day], trained: Sequence[TrainedDay], network: OnnxModel, source: Source) -> Sample:
    inputs, asked = (Reservoir(source.limit, source.seed + number) for number in range(2))
    for day in days:
        seen, row, malformed = rows_trained(day, trained), 0, Malformed()
        for part in parts_of(day, _PART_BYTES):
            for batch in batches(part):
                unseen = row + np.arange(len(batch.labels)) >= seen
                inputs.add(batch.values)
                asked.add(batch.values[unseen], batch.labels[unseen])
                row, malformed = row + len(batch.labels), malformed + batch.malformed
        check_malformed(malformed, row, MALFORMED_SHARE, f"{day.url} in {day.name}")
    if not inputs.rows():
        raise BadInput(f"The days {', '.join(day.name for day in days)} of {days[0].url} have no row.")
    ((values,), (questions, labels)) = inputs.rows(), asked.rows()
    chances = network(questions)[:, 1].astype(np.float64)
    columns = {name: values[:, place] for place, name in enumerate(NUMERIC)}
    return Sample(len(values), columns, chances, losses(chances, labels.astype(bool)))
