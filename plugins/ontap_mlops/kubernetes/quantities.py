"""Sizes as the API writes them, such as ``100Gi``."""

from __future__ import annotations


def bytes_in(quantity: str | int | None) -> int:
    """Return whole bytes; 0 for none."""
    from kubernetes.utils.quantity import parse_quantity

    return int(parse_quantity(quantity or 0))
