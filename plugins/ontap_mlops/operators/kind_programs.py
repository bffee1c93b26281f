"""The base of tasks whose program is said by a kind of serving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.workload import WorkloadOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.hooks.mlflow import MlflowHook
    from ontap_mlops.serving.kind import Program


class KindProgramOperator(WorkloadOperator):
    """Run the program that ``kind_program`` says, or none, then ``finish`` with its result.

    :param ontap_conn_id: connection to the storage that has the claim on the model.
    :param mlflow_conn_id: connection to the registry.
    """

    template_fields: Sequence[str] = ("compute", "step", "run_key", "image", "program_resources")
    operator_extra_links = ()

    def __init__(
        self, *, ontap_conn_id: str = "ontap_default", mlflow_conn_id: str = "mlflow_default", **kwargs: Any
    ) -> None:
        super().__init__(program="", ontap_conn_id=ontap_conn_id, mlflow_conn_id=mlflow_conn_id, **kwargs)

    @property
    def registry(self) -> MlflowHook:
        from ontap_mlops.hooks.mlflow import MlflowHook

        return MlflowHook(self.mlflow_conn_id or MlflowHook.default_conn_name)

    def kind_program(self, context: Context) -> Program | None:
        """What to run; None when there is nothing to do on any volume."""
        raise NotImplementedError

    def finish(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:
        """Return the task's result, from the program's, which is {} where there is no program."""
        return result

    def execute(self, context: Context) -> dict[str, Any]:
        return self.finish(context, super().execute(context) if self._prepared(context) else {})

    def execute_complete(self, context: Context, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self._prepared(context)
        return self.finish(context, super().execute_complete(context, *args, **kwargs))

    def _secrets(self) -> dict[str, str]:
        """None, unless the program copies to a cloud: others work on files only."""
        from ontap_mlops.hooks import credentials

        return credentials.aws_environment(self.aws_conn_id) if self.aws_conn_id else {}

    def _prepared(self, context: Context) -> bool:
        program = self.kind_program(context)
        if program is not None:
            self.aws_conn_id = program.aws_conn_id
            self.program, self.arguments, self.mounts = program.program, list(program.arguments), dict(program.mounts)
        return program is not None
