"""Operators on Amazon SageMaker's notebook instances and batch transforms; docs/sagemaker.md goes the whole way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops import names
from ontap_mlops.operators.clouds import _CloudWaitingOperator
from ontap_mlops.operators.context import run_key

if TYPE_CHECKING:
    from airflow.sdk import Context

STOP_LIMIT_S = 1800.0


class _SageMaker(_CloudWaitingOperator):
    hook_class = "ontap_mlops.hooks.sagemaker.SageMakerHook"
    service = "SageMaker"

    def __init__(
        self,
        *,
        aws_conn_id: str = "aws_default",
        region_name: str | None = None,
        poll_interval_s: float = 15.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(poll_interval_s=poll_interval_s, **kwargs)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name

    def where(self) -> dict[str, Any]:
        return {"aws_conn_id": self.aws_conn_id, "region_name": self.region_name}


class SageMakerNotebookStartOperator(_SageMaker):
    """Start a stopped notebook instance for this run, and wait until it is in service.

    Use it as a setup, with :class:`SageMakerNotebookStopOperator` as its teardown: then it is stopped also when what
    comes between fails. One that runs already is left alone, since somebody works in it; a retry joins its own.

    :param notebook: name of the instance.
    :param aws_conn_id: connection of type ``aws``.
    :param region_name: the connection's own if not given.
    :return: ``name`` and ``state``.
    """

    look = "ontap_mlops.sagemaker.notebooks.look"
    template_fields: Sequence[str] = ("notebook",)

    def __init__(self, *, notebook: str, wait_limit_s: float | None = STOP_LIMIT_S, **kwargs: Any) -> None:
        super().__init__(wait_limit_s=wait_limit_s, **kwargs)
        self.notebook = notebook

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.sagemaker import notebooks

        notebooks.start(client, self.notebook, run_key(context))
        return {"name": self.notebook, "wanted": "InService"}


class SageMakerNotebookStopOperator(_SageMaker):
    """Stop the notebook instance that this run started, and wait until SageMaker says that it has stopped.

    One that another run or a person has started stays as it is, unless ``whoever`` is set. One that is just starting is
    waited for and then stopped. The task fails when it has not stopped within the limit: then it goes on costing.

    :param notebook: name of the instance.
    :param whoever: stop it whoever started it.
    :param aws_conn_id: connection of type ``aws``.
    :param region_name: the connection's own if not given.
    :return: ``name`` and ``state``.
    """

    look = "ontap_mlops.sagemaker.notebooks.look"
    template_fields: Sequence[str] = ("notebook",)

    def __init__(
        self, *, notebook: str, whoever: bool = False, wait_limit_s: float | None = STOP_LIMIT_S, **kwargs: Any
    ) -> None:
        super().__init__(wait_limit_s=wait_limit_s, **kwargs)
        self.notebook = notebook
        self.whoever = whoever

    def execute(self, context: Context) -> Any:
        from ontap_mlops.sagemaker import notebooks

        with self.hook.client() as client:
            if not self.whoever and not notebooks.is_of(client, self.notebook, run_key(context)):
                self.log.info("Notebook instance %s was not started for this run; it stays as it is", self.notebook)
                return {"name": self.notebook, "state": "left alone"}
        return super().execute(context)

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        return {"name": self.notebook, "wanted": "Stopped"}


class SageMakerTransformOperator(_SageMaker):
    """Let a model of SageMaker answer for every object below a prefix, once for each run, and wait for the end.

    Killed, it stops the transform. The model is one that a deployment of kind ``sagemaker`` has made.

    :param model_name: SageMaker's name of the model.
    :param source: ``s3://bucket/prefix`` of what is to be answered, in AWS or by an S3 access point of FSx.
    :param target: ``s3://bucket/prefix`` for the answers, ``<object>.out`` each.
    :param content_type: of the objects.
    :param instance_type: of the machine that answers.
    :param instances: how many of them.
    :param aws_conn_id: connection of type ``aws``.
    :param region_name: the connection's own if not given.
    :return: ``name``, ``state`` and ``output``.
    """

    look = "ontap_mlops.sagemaker.transforms.look"
    cancel = "ontap_mlops.sagemaker.transforms.stop"
    template_fields: Sequence[str] = ("model_name", "source", "target")

    def __init__(
        self,
        *,
        model_name: str,
        source: str,
        target: str,
        content_type: str = "application/json",
        instance_type: str = "ml.m5.large",
        instances: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_name = model_name
        self.source = source
        self.target = target
        self.content_type = content_type
        self.instance_type = instance_type
        self.instances = instances

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.sagemaker import transforms

        name = names.workload(run_key(context), self.task_id)
        transforms.ensure(
            client,
            name=name,
            model_name=self.model_name,
            source=self.source,
            target=self.target,
            content_type=self.content_type,
            instance_type=self.instance_type,
            instances=self.instances,
        )
        return {"name": name}
