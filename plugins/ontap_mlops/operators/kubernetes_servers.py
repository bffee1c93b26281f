"""Operators on servers in pods: JupyterLab over a claim for a person, Triton over a model repository."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.kubernetes import _KubernetesOperator, _KubernetesWaitingOperator, name_of, version_in

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.kubernetes.api import Cluster
    from ontap_mlops.kubernetes_manifests.servers import Server

_HOME = "/home/jovyan/data"


class _ServerOperator(_KubernetesWaitingOperator):
    """Runs what ``server_of`` describes and waits until it is ready."""

    look = "ontap_mlops.kubernetes.servers.look"
    cancel = "ontap_mlops.kubernetes.servers.withdraw"
    template_fields: Sequence[str] = (
        *_KubernetesWaitingOperator.template_fields,
        "image",
        "cpus",
        "memory_gib",
        "gpus",
    )

    def __init__(
        self,
        *,
        image: str,
        cpus: float | str | None = None,
        memory_gib: float | str | None = None,
        gpus: int | str = 0,
        service_type: str = "ClusterIP",
        terms: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image = image
        self.cpus = cpus
        self.memory_gib = memory_gib
        self.gpus = gpus
        self.service_type = service_type
        self.terms = terms

    def server_of(self, cluster: Cluster, context: Context) -> Server:
        raise NotImplementedError

    def begin(self, client: Cluster, context: Context) -> dict[str, Any]:
        from ontap_mlops.kubernetes import servers

        server = self.server_of(client, context)
        made = servers.ensure(client, server, service=self.service_type)
        where = {"name": server.name, "namespace": server.namespace, "uid": made["metadata"]["uid"]}
        return {**where, "port": next(iter(server.ports.values())), "deadline": self.deadline()}

    def common(self) -> dict[str, Any]:
        from ontap_mlops.kubernetes_manifests import pods

        given = dict(self.terms or {})
        try:
            terms = dataclasses.replace(self.fields.terms() if self.fields else pods.Terms(), **given)
        except TypeError as error:
            raise ValueError(f"the terms {given} fit no pod: {error}") from None
        limits = pods.limits(_number(self.cpus), _number(self.memory_gib), int(_number(self.gpus) or 0))
        return {"image": self.image, "limits": limits, "terms": terms, "shm_gib": terms.shm_gib}


class KubernetesWorkspaceEnsureOperator(_ServerOperator):
    """Run JupyterLab over a claim for a person, until a day; the token to log in with is in a Secret.

    The claim is the data: make it of a dataset version with :class:`KubernetesVolumeImportOperator` (of a FlexClone),
    :class:`KubernetesSnapshotRestoreOperator` or :class:`KubernetesClaimCloneOperator`. A snapshot of the workspace is
    one of its claim, a copy another workspace on a clone of the claim. Run again, it changes what is asked for
    otherwise, such as image or end.

    :param workspace: its name, or a task's result that has one as ``name``.
    :param claim: name of the claim, or the result of the task that made it.
    :param image: one with JupyterLab.
    :param days: how long from the run on it lives (see :class:`KubernetesWorkspaceCollectOperator`); None for good.
    :param folder: where the claim is seen.
    :param command: what is run in place of JupyterLab over ``folder``; it must answer at port 8888.
    :param probe: path that answers when it is ready.
    :param dataset_version: id of the dataset version, or a task's result that has one as ``id``; a label.
    :param cpus: for the pod.
    :param memory_gib: for the pod.
    :param gpus: whole ones.
    :param service_type: ``ClusterIP``, ``NodePort`` or ``LoadBalancer``.
    :param terms: more of the pod, by name: ``node_selector``, ``tolerations``, ``service_account``, ``pull_secrets``,
        ``pull_policy``, ``user``, ``group``, ``shm_gib``, ``host_network``.
    :param namespace: that of the place or the connection if not given.
    :param place: of kind kubernetes, by its name in compute.yaml: its connection, namespace and terms.
    :param wait_limit_s: seconds after which a workspace that was never ready is removed.
    :param kubernetes_conn_id: connection of type ``kubernetes``.
    :return: ``name``, ``namespace``, ``url``, ``pod_url``, ``until``, ``claim``, and ``secret`` with the token in its
        entry JUPYTER_TOKEN.
    """

    template_fields: Sequence[str] = (*_ServerOperator.template_fields, "workspace", "claim", "days", "dataset_version")

    def __init__(
        self,
        *,
        workspace: Any,
        claim: Any,
        days: float | str | None = 7,
        folder: str = _HOME,
        command: Sequence[str] | None = None,
        probe: str = "/api",
        dataset_version: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workspace = workspace
        self.claim = claim
        self.days = days
        self.folder = folder
        self.command = command
        self.probe = probe
        self.dataset_version = dataset_version

    def server_of(self, cluster: Cluster, context: Context) -> Server:
        from ontap_mlops.kubernetes_manifests import servers
        from ontap_mlops.kubernetes_manifests.labels import labels

        where = self.named(cluster, valid_name(name_of(self.workspace), "workspace"))
        return servers.Server(
            name=where["name"],
            namespace=where["namespace"],
            command=self.command or servers.jupyter_command(self.folder),
            ports={"http": servers.JUPYTER},
            probe=self.probe,
            folders=[servers.Folder(claim=name_of(self.claim), path=self.folder)],
            secret=f"{where['name']}-token",
            together=False,
            labels=labels(dataset_version=version_in(self.dataset_version)),  # not the run, which it outlives
            annotations=self._until(context),
            **self.common(),
        )

    def finish(self, client: Any, payload: Any, context: Context) -> Any:
        told = {**payload, "claim": name_of(self.claim), "secret": f"{payload['name']}-token"}
        return super().finish(client, told, context)

    def _until(self, context: Context) -> dict[str, str]:
        from ontap_mlops.kubernetes_manifests.servers import UNTIL

        if self.days in (None, ""):
            return {}
        days = float(str(self.days))
        if days <= 0:
            raise ValueError(f"days is {self.days}; give more than 0, or delete the workspace")
        end = context["dag_run"].run_after + timedelta(days=days)
        return {UNTIL: end.astimezone(UTC).isoformat(timespec="seconds")}


class KubernetesTritonEnsureOperator(_ServerOperator):
    """Run Triton over a model repository on a claim, and wait until it is ready.

    At its start it loads the models that are published whole (their ``config.pbtxt`` names the version); a deployment
    of kind ``triton`` then loads others when it has proven them, and puts back what it replaced. On a FlexClone of the
    repository's claim (:class:`KubernetesClaimCloneOperator`), a second server tries what the first one does not serve
    yet.

    :param server: its name.
    :param claim: name of the claim with the repository, or the result of the task that made it.
    :param image: one with Triton.
    :param folder: of the repository, on the claim.
    :param program: how the image's Triton is started.
    :param flags: more for Triton.
    :param cpus: for the pod.
    :param memory_gib: for the pod.
    :param gpus: whole ones.
    :param service_type: ``ClusterIP``, ``NodePort`` or ``LoadBalancer``.
    :param terms: more of the pod, by name: ``node_selector``, ``tolerations``, ``service_account``, ``pull_secrets``,
        ``pull_policy``, ``user``, ``group``, ``shm_gib``, ``host_network``.
    :param namespace: that of the place or the connection if not given.
    :param place: of kind kubernetes, by its name in compute.yaml: its connection, namespace and terms.
    :param wait_limit_s: seconds after which a server that was never ready is removed.
    :param kubernetes_conn_id: connection of type ``kubernetes``.
    :return: ``name``, ``namespace``, ``url``, ``pod_url``, ``until`` (None).
    """

    template_fields: Sequence[str] = (*_ServerOperator.template_fields, "server", "claim", "folder")

    def __init__(
        self,
        *,
        server: str,
        claim: Any,
        folder: str = "triton",
        program: Sequence[str] = ("tritonserver",),
        flags: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.server = server
        self.claim = claim
        self.folder = folder
        self.program = program
        self.flags = flags

    def server_of(self, cluster: Cluster, context: Context) -> Server:
        from ontap_mlops.kubernetes_manifests import servers
        from ontap_mlops.kubernetes_manifests.labels import labels

        where = self.named(cluster, valid_name(self.server, "server"))
        folder = f"{servers.REPOSITORY}/{self.folder}".rstrip("/")
        return servers.Server(
            name=where["name"],
            namespace=where["namespace"],
            command=servers.triton_command(folder, self.program, self.flags),
            ports={"http": servers.HTTP, "grpc": servers.GRPC, "metrics": servers.METRICS},
            probe="/v2/health/ready",
            folders=[servers.Folder(claim=name_of(self.claim), path=servers.REPOSITORY, read_only=True)],
            labels=labels(),
            **self.common(),
        )


class KubernetesServerDeleteOperator(_KubernetesOperator):
    """Remove a workspace or a Triton server that was made here, with its Service and its token. Its claim stays.

    :param server: its name, or the result of the task that made it. One that is not there is no error.
    :param namespace: that of the place or the connection if not given.
    :param place: of kind kubernetes, by its name in compute.yaml: its connection and namespace.
    :param kubernetes_conn_id: connection of type ``kubernetes``.
    :return: whether it was there.
    """

    template_fields: Sequence[str] = (*_KubernetesOperator.template_fields, "server")

    def __init__(self, *, server: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.server = server

    def execute(self, context: Context) -> bool:
        from ontap_mlops.kubernetes import servers

        with self.hook.client() as cluster:
            return servers.delete(cluster, **self.named(cluster, name_of(self.server)))


class KubernetesWorkspaceCollectOperator(_KubernetesOperator):
    """Remove the workspaces of a namespace whose time is over. Their claims stay, and with them what was written.

    :param namespace: that of the place or the connection if not given.
    :param place: of kind kubernetes, by its name in compute.yaml: its connection and namespace.
    :param kubernetes_conn_id: connection of type ``kubernetes``.
    :return: names of those that were removed.
    """

    def execute(self, context: Context) -> list[str]:
        from ontap_mlops.kubernetes import servers

        with self.hook.client() as cluster:
            gone = servers.collect(cluster, namespace=self.namespace_on(cluster), now=datetime.now(UTC))
        self.log.info("Removed: %s", ", ".join(gone) or "none")
        return gone


def _number(given: float | str | None) -> float | None:
    """A number, which a template may have turned into text."""
    return None if given in (None, "") else float(str(given))


def valid_name(name: str, what: str) -> str:
    """Raises ValueError for what is no name of a Service (which its Secret's name is longer than)."""
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,48}[a-z0-9])?", name):
        raise ValueError(f"{what} {name!r} is no name: up to 50 of a-z, 0-9 and -, a letter first")
    return name
