"""The bases of operators on the services beside ONTAP."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.module_loading import import_string

from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.waiting import WaitingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class _CloudOperator(MlopsOperator):
    """An operator whose ``hook`` is that of ``hook_class``, made with what ``where`` returns."""

    hook_class: ClassVar[str] = ""

    def where(self) -> dict[str, Any]:
        raise NotImplementedError

    @cached_property
    def hook(self) -> Any:
        return import_string(self.hook_class)(**self.where())


class _CloudWaitingOperator(WaitingOperator, _CloudOperator):
    """The same for work that takes long."""


class _CloudOperationOperator(_CloudWaitingOperator):
    """The same for what a cloud's own operation does, and goes on with when the task is killed; a retry joins it.

    The last look's answer is what the task returns.
    """

    def __init__(self, *, poll_interval_s: float = 15.0, **kwargs: Any) -> None:
        super().__init__(poll_interval_s=poll_interval_s, **kwargs)

    def finish(self, client: Any, payload: Any, context: Context) -> Any:
        self.log.info("%s", ", ".join(f"{name} {value}" for name, value in payload.items()))
        return payload


class _OfSnapshot(MlopsOperator):
    """What names a snapshot: its volume, and its own name."""

    template_fields: Sequence[str] = ("volume", "snapshot")

    def __init__(self, *, volume: str, snapshot: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.snapshot = snapshot
