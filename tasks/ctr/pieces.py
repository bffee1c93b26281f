"""Reading just the rows of a piece."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tasks.ctr.blocks import batches
from tasks.ctr.selection import Piece


def rows_of(piece: Piece) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]]:
    """Values [N, 13] and labels [N], some tens of thousands of rows at a time."""
    at = 0
    for batch in batches(piece.part):
        first, last = max(piece.first - at, 0), min(piece.last - at, len(batch.labels))
        if first < last:
            yield batch.values[first:last], batch.labels[first:last]
        at += len(batch.labels)
        if at >= piece.last:
            return
