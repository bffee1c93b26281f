"""Parquet from elsewhere: which columns it must have, and which of its rows are rows of a click log.

The rules are those of text (``parse``): a label of 0 or 1, and 13 integers of 32 bits that may be missing. NaN is how
pandas writes what is missing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.ctr.columns import LABEL, MISSING, NUMERIC
from tasks.ctr.parse import EXAMPLES, Malformed

STATISTICS = b"statistics"  # by which convert marks its files, in their metadata
_LARGEST = 2**31 - 1


def fault_of(schema: Any) -> str:
    """What is wrong with the columns of an Arrow schema, as the end of a sentence; "" where nothing is."""
    for name in (LABEL, *NUMERIC):
        fields = [field for field in schema if field.name == name]
        if len(fields) != 1:
            return f"has {f'{len(fields)} columns' if fields else 'no column'} {name}"
        if not _is_number(fields[0].type):
            return f"has {fields[0].type} in column {name}, where numbers are expected"
    return ""


def _is_number(kind: Any) -> bool:
    import pyarrow.types

    if pyarrow.types.is_dictionary(kind):
        return _is_number(kind.value_type)
    numbers = ("is_integer", "is_floating", "is_boolean", "is_null")
    return any(getattr(pyarrow.types, name)(kind) for name in numbers)


def sorted_out(batch: Any) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32], npt.NDArray[np.int64], Malformed]:
    """Labels and numbers (with MISSING) of the good rows, and the places of the others."""
    labels = _numbers(batch.column(LABEL))
    values = np.column_stack([_numbers(batch.column(name)) for name in NUMERIC])
    with np.errstate(invalid="ignore"):
        good = (labels == 0) | (labels == 1)
        good &= (np.isnan(values) | ((np.abs(values) <= _LARGEST) & (values == np.trunc(values)))).all(axis=1)
    bad = np.flatnonzero(~good)
    examples = tuple(_example(labels[place], values[place]) for place in bad[:EXAMPLES])
    whole = np.where(np.isnan(values[good]), MISSING, values[good]).astype(np.int32)
    return labels[good].astype(np.uint8), whole, bad, Malformed(len(bad), examples)


def _numbers(column: Any) -> npt.NDArray[np.float64]:
    """float64 with NaN for what is missing; it holds every integer of 32 bits, and no larger one as if it were one."""
    import pyarrow

    if pyarrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pyarrow.types.is_boolean(column.type):
        column = column.cast(pyarrow.int8())
    return np.asarray(column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)


def _example(label: float, values: npt.NDArray[np.float64]) -> str:
    fields = [label, *values]
    return "\\t".join("" if np.isnan(field) else f"{field:.15g}" for field in fields)
