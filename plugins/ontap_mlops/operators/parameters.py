"""What a mapped step is mapped over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.context import run_record

if TYPE_CHECKING:
    from airflow.sdk import Context


class ParameterListOperator(MlopsOperator):
    """Return the values of a list among the run's parameters: a mapped task takes the whole of a result only.

    :param parameter: name of the parameter.
    """

    def __init__(self, *, parameter: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parameter = parameter

    def execute(self, context: Context) -> list[Any]:
        return list(run_record(context).parameters[self.parameter])
