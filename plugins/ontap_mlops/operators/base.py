"""What every operator on ONTAP shares: its connection, and which of its failures are retried."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from ontap_mlops.operators.retry import ONTAP_RETRY_POLICY

if TYPE_CHECKING:
    from ontap_mlops.hooks.ontap import OntapHook

_DEFAULTS: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=5),
}


class OntapOperator(BaseOperator):
    """Retried three times after what may pass by itself, failed at once after what may not.

    A subclass does work that finds its own earlier, half-finished try again: names come from its arguments, and our
    mark in the object's comment tells it from somebody else's. The DAG's ``default_args`` and the task's own
    ``retries``, ``retry_delay`` and ``retry_policy`` go before the defaults here.

    :param ontap_conn_id: connection of type ``ontap``.
    """

    ui_color = "#e6f0fb"

    def __init__(self, *, ontap_conn_id: str = "ontap_default", **kwargs: Any) -> None:
        kwargs["default_args"] = {**_DEFAULTS, **(kwargs.get("default_args") or {})}
        super().__init__(**kwargs)
        # A mapped task arrives with an explicit None, so the default cannot come with the others.
        self.retry_policy = self.retry_policy or ONTAP_RETRY_POLICY
        self.ontap_conn_id = ontap_conn_id

    @cached_property
    def hook(self) -> OntapHook:
        from ontap_mlops.hooks.ontap import OntapHook

        return OntapHook(self.ontap_conn_id)


def bytes_of(value: int | str) -> int:
    """A size from an argument that a template may have turned into text."""
    try:
        return int(float(value))
    except ValueError:
        raise ValueError(f"size_bytes is {value!r}; give a whole number of bytes") from None


__all__: Sequence[str] = ("ONTAP_RETRY_POLICY", "OntapOperator", "bytes_of")
