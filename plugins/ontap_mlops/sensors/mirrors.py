"""Sensors on mirrors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from ontap_mlops.sensors.base import OntapSensor


class OntapMirrorLagSensor(OntapSensor):
    """Waits until what a mirror's destination shows is no older than this; before it, no GPU need be held.

    A mirror that is broken or paused fails the task at once: its lag only grows.

    :param volume: the destination.
    :param below_s: seconds that the lag has to be below.
    :param svm: of the destination; the connection's own if not given.
    :param ontap_conn_id: connection to the cluster of the destination.
    :return: ``lag_s``, ``snapshot`` (the one that is shown), ``healthy``.
    """

    template_fields: Sequence[str] = ("volume", "below_s", "svm")
    look: ClassVar[str] = "ontap_mlops.ontap.mirrors.look_at_lag"
    survey: ClassVar[str] = "ontap_mlops.ontap.mirrors.list_mirrors"
    judge: ClassVar[str] = "ontap_mlops.ontap.mirrors.judge_lag"

    def __init__(self, *, volume: str, below_s: Any, svm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.below_s = below_s
        self.svm = svm

    def place(self) -> dict[str, Any]:
        return {"svm": self.hook.svm(self.svm)}

    def subject(self) -> dict[str, Any]:
        return {"svm": self.hook.svm(self.svm), "volume": self.volume, "below_s": _seconds(self.below_s)}


def _seconds(value: Any) -> float:
    """Raises ValueError for what is no time that a lag can be below."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = 0.0
    if not seconds > 0:
        raise ValueError(f"below_s is {value!r}; give a number of seconds above 0")
    return seconds
