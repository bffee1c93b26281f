"""Criteo's click logs: 40 columns separated by tabs, without a header."""

from __future__ import annotations

LABEL = "label"
NUMERIC = tuple(f"I{number}" for number in range(1, 14))
CATEGORICAL = tuple(f"C{number}" for number in range(1, 27))
NAMES = (LABEL, *NUMERIC, *CATEGORICAL)
# How a missing integer stands in arrays of int32; no row of the format may hold it.
MISSING = -(2**31)
