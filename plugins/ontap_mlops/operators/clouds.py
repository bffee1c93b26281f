"""The bases of operators on the services beside ONTAP."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from airflow.sdk.module_loading import import_string

from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.waiting import WaitingOperator


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
