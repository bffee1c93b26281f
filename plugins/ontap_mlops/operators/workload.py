"""The operator that runs a program on a named place and lives through the death of its worker."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops import names
from ontap_mlops.compute import rendering
from ontap_mlops.compute.rendering import as_mount
from ontap_mlops.compute.workload import PlaceRefused, Resources, Workload
from ontap_mlops.operators.context import run_key
from ontap_mlops.operators.links import DashboardLink, MlflowRunLink
from ontap_mlops.operators.running import WorkloadFailed, _WorkloadTask

__all__ = ["WorkloadFailed", "WorkloadOperator", "as_mount"]

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context


class WorkloadOperator(_WorkloadTask):
    """Runs one program (see tasks/README.md) where ``compute`` says, shows its log, and returns its result.

    The program's run has a name made of the DAG run's key and ``step``. A retry after the worker's death joins the run
    of that name, or takes its result when it has ended meanwhile; clearing the task runs the program anew. Exit code 2
    (bad input) fails the task at once with the program's own sentence, anything else leaves it to ``retries``.

    A place that has had no room for its ``pending_limit_s`` loses the program to the next place named. A program that
    says ``dashboard URL`` on a line of its log gets a button on the task while it runs: the worker stores the link, and
    the trigger does while the task is deferred.

    Where ``[ontap_mlops] use_pools`` is set, the task runs in the pool of its place (the first one, if there are
    several). A place that comes from a template is not known when the scheduler chooses: then it is the pool of the
    first place in config/compute.yaml.

    :param program: module, run by ``python -m``.
    :param arguments: list of arguments, or a mapping of flags: ``{"epochs": 3}`` is ``--epochs 3``, True is the bare
        flag. Empty and None entries are left out, so that a template can leave one out. ``{key}`` of a mount becomes
        its folder; a record or list becomes JSON.
    :param mounts: ONTAP volumes by key, each ``"svm1:/junction"``, a mapping with ``svm`` and ``junction_path`` (a
        Workspace record does), optionally ``read_only``.
    :param environment: further variables; nothing secret, since they are shown as rendered.
    :param ontap_conn_id: connection whose SVM is meant by a mount that names none.
    :param aws_conn_id: connection whose keys and endpoint the program gets as ``AWS_...``.
    :param mlflow_conn_id: connection the program gets as ``MLFLOW_TRACKING_...``.
    :param service_conn_ids: ``http`` connections to services the program asks, by the name that their variables begin
        with: ``{"DIALOG": "dialog_default"}`` gives it ``DIALOG_URL``, ``DIALOG_TOKEN`` and ``DIALOG_CONNECTION``.
    :param compute: name of a place in config/compute.yaml, or several (a list, or joined by commas) tried in order. A
        place by value is a mapping with the keys of such an entry: ``{"kind": "local", "python": "python3.11"}``.
    :param step: what this program is in the run; the task id if not given.
    :param run_key: the run's key; from the context if not given.
    :param image: container image, for places that need one.
    :param program_resources: ``cpus``, ``memory_gib``, ``gpus`` of one process; ``gpus`` may be a share of one (0.5).
    :param project: GPU project (config/projects.yaml) whose quota it counts against; that of its place if not given.
    :param interactive: it serves a person: it has a time limit (by default its project's or place's), whose reaching is
        a normal end.
    :param processes: how many processes work together.
    :param time_limit: seconds or timedelta after which the program is stopped (SIGTERM, then SIGKILL).
    :param labels: flags whose values tell the program's runs apart in monitoring, such as ``["engine"]``.
    :param poll_interval_s: seconds between two looks at state and log; while it is deferred, up to a fiftieth of the
        time that it has run, at most half a minute.
    :param deferrable: wait in the triggerer and free the worker slot; ``[ontap_mlops] deferrable`` if not given.
    :param first_wait_s: seconds for which a deferrable task waits in its worker first, for programs that end soon.
    :param durable: keep what is needed to rejoin the program after a worker's death.
    """

    template_fields: Sequence[str] = (
        "program",
        "arguments",
        "mounts",
        "environment",
        "compute",
        "step",
        "run_key",
        "image",
        "program_resources",
        "processes",
        "project",
        "interactive",
    )
    template_fields_renderers = {"arguments": "json", "mounts": "json", "environment": "json"}
    operator_extra_links: Collection[BaseOperatorLink] = (DashboardLink(), MlflowRunLink())

    def __init__(
        self,
        *,
        arguments: Any = (),
        mounts: Any = None,
        environment: Any = None,
        ontap_conn_id: str = "ontap_default",
        aws_conn_id: str | None = None,
        mlflow_conn_id: str | None = None,
        service_conn_ids: Mapping[str, str] | None = None,
        step: str | None = None,
        run_key: str | None = None,
        image: str | None = None,
        program_resources: Any = None,
        processes: Any = 1,
        project: str | None = None,
        interactive: Any = False,
        labels: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.arguments = arguments
        self.mounts = mounts
        self.environment = environment
        self.ontap_conn_id = ontap_conn_id
        self.aws_conn_id = aws_conn_id
        self.mlflow_conn_id = mlflow_conn_id
        self.service_conn_ids = service_conn_ids
        self.step = step
        self.run_key = run_key
        self.image = image
        self.program_resources = program_resources
        self.processes = processes
        self.project = project
        self.interactive = interactive
        self.labels = labels

    def workload(self, context: Context) -> Workload:
        """What is to be run, from the rendered parameters. Raises PlaceRefused when they make no workload."""
        arguments = rendering.arguments(self.arguments)
        try:
            return Workload(
                name=names.workload(self.run_key or run_key(context), self._step(context)),
                program=self.program,
                arguments=arguments,
                environment={key: str(value) for key, value in (self.environment or {}).items() if value is not None},
                secrets=self._secrets(),
                mounts={key: as_mount(key, value) for key, value in self.run_mounts(context).items()},
                run=self.run_facts(context),
                image=self.image or None,
                resources=Resources(**(self.program_resources or {})),
                processes=int(self.processes),
                time_limit_s=rendering.seconds(self.time_limit),
                project=_named(self.project),
                interactive=self.is_interactive(),
                labels=rendering.labels(self.labels, arguments),
            )
        except (ValueError, TypeError) as error:
            raise PlaceRefused(f"Task {self.task_id} describes no workload: {error}") from None

    def is_interactive(self) -> bool:
        return self.interactive is True or str(self.interactive).strip().lower() == "true"

    def run_facts(self, context: Context) -> Mapping[str, Any] | None:
        """Return what the program is to find in RUN_FILE, ``{key}`` of a mount standing for its folder; None: no file.

        For a subclass that knows the run.
        """
        return None

    def run_mounts(self, context: Context) -> Mapping[str, Any]:
        """Return the mounts by key, each as ``mounts`` takes it. A subclass may add those that every run has."""
        return {key: self._on_an_svm(mount) for key, mount in (self.mounts or {}).items()}

    def _on_an_svm(self, mount: Any) -> Any:
        if not isinstance(mount, Mapping) or mount.get("svm") or not mount.get("junction_path"):
            return mount
        from ontap_mlops.hooks.ontap import OntapHook

        return {**mount, "svm": OntapHook(self.ontap_conn_id).svm()}

    def _step(self, context: Context) -> str:
        map_index = getattr(context["ti"], "map_index", -1)
        step = self.step or self.task_id
        return step if map_index is None or map_index < 0 else f"{step}-{map_index}"

    def _secrets(self) -> dict[str, str]:
        from ontap_mlops.hooks import credentials

        aws = credentials.aws_environment(self.aws_conn_id) if self.aws_conn_id else {}
        mlflow = credentials.mlflow_environment(self.mlflow_conn_id) if self.mlflow_conn_id else {}
        services: dict[str, str] = {}
        for name, conn_id in (self.service_conn_ids or {}).items():
            services |= credentials.service_environment(name, conn_id)
        return {**aws, **mlflow, **services}


def _named(project: str | None) -> str | None:
    """None for what a template leaves of an empty Param."""
    return None if project in (None, "", "None") else project
