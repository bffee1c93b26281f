"""Places whose programs spread their work over Dask's workers.

The program runs on this machine or, where its workers are pods, in a pod beside them.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ontap_mlops.compute.kinds.base import BasePlace, base_folder
from ontap_mlops.compute.kinds.kubernetes.fields import Where
from ontap_mlops.compute.kinds.kubernetes.place import KubernetesPlace
from ontap_mlops.compute.kinds.kubernetes.runner import KubernetesRunner
from ontap_mlops.compute.kinds.local import LocalPlace, LocalRunner
from ontap_mlops.config_file import Section, Texts, shaped
from ontap_mlops.kubernetes_manifests.dask import Workers

Scheduler = Annotated[
    str,
    shaped(
        r"((tcp|tls|ws|wss)://[^/\s]+:\d+)?",
        "give the scheduler's address, like tcp://dask-scheduler:8786, or leave it out",
    ),
]
_OF_THIS_MACHINE = {"namespace_roots", "python", "working_directory", "grace_s", "keep_days"}
# As Dask's own configuration is set by the environment.
_TLS_VARIABLES = {"ca_file": "CA_FILE", "cert_file": "CLIENT__CERT", "key_file": "CLIENT__KEY"}


class Tls(Section):
    """Files in PEM form with which programs and the scheduler of a Dask cluster prove who they are."""

    ca_file: str
    cert_file: str
    key_file: str


class SlurmWorkers(Section):
    """A cluster made for each program, whose workers are jobs of Slurm; all of it ends with the program.

    ``folder`` is shared by this machine and the nodes. ``cpus``: of each worker. ``host``: this machine's name or
    address as the nodes know it. ``wait_s``: how long a program waits for workers before it gives up.
    """

    kind: Literal["slurm"]
    folder: str
    slurm_conf: str = ""
    commands: str = ""
    account: str = ""
    partition: str = ""
    qos: str = ""
    options: Texts = ()
    prepare: Texts = ()
    python: str = ""
    cpus: Annotated[int, Field(ge=1)] = 1
    host: str = ""
    wait_s: Annotated[float, Field(ge=1)] = 600.0

    def variables(self, workers: int, memory_gib: float) -> dict[str, str]:
        """Return dask-jobqueue's own configuration, as the environment sets it, and where Slurm's commands are."""
        options = [*([f"--qos={self.qos}"] if self.qos else []), *self.options]
        jobs = {
            "NAME": "ontap-mlops-dask",
            "CORES": self.cpus,
            "PROCESSES": 1,
            "MEMORY": f"{memory_gib / workers:g}GiB",
            "QUEUE": self.partition or None,
            "ACCOUNT": self.account or None,
            "WALLTIME": None,  # the program's own limit ends them
            "PYTHON": self.python or sys.executable,
            "JOB_EXTRA_DIRECTIVES": options,
            "JOB_SCRIPT_PROLOGUE": list(self.prepare),
            "SHARED_TEMP_DIRECTORY": str((base_folder() / self.folder).resolve()),
            "SCHEDULER_OPTIONS": {"host": self.host} if self.host else {},
            "DEATH_TIMEOUT": 30,  # seconds for which they outlive a program that was killed
        }
        made = {f"DASK_JOBQUEUE__SLURM__{name}": str(value) for name, value in jobs.items()}
        if self.slurm_conf:
            made["SLURM_CONF"] = str((base_folder() / self.slurm_conf).resolve())
        if self.commands:
            made["PATH"] = f"{self.commands}:{os.environ.get('PATH', os.defpath)}"
        return {**made, "DASK_CLUSTER": f"slurm:{workers}", "DASK_CLUSTER_WAIT_S": f"{self.wait_s:g}"}


class KubernetesWorkers(Where):
    """A cluster made for each program, whose workers are pods of a cluster, as is the program; all end with it.

    Its keys are those of a Kubernetes place, and ``cpus`` of each worker, and ``wait_s``: how long a program waits for
    the first worker before it is offered to the next place.
    """

    cpus: Annotated[float, Field(ge=0.1)] = 1.0
    wait_s: Annotated[float, Field(ge=1)] = 600.0


class DaskPlace(LocalPlace):
    """The program itself runs as at a local place; what it spreads over Dask's workers runs on the cluster.

    Workers in pods are the exception: they bring the program to them.
    """

    kind: Literal["dask"]  # type: ignore[assignment]
    scheduler: Scheduler = ""
    tls: Tls | None = None
    cluster: Annotated[SlurmWorkers | KubernetesWorkers, Field(discriminator="kind")] | None = None
    workers: Annotated[int, Field(ge=1)] = 2
    memory_gib: Annotated[float, Field(ge=0.25)] = 4.0

    @model_validator(mode="after")
    def _check_cluster(self) -> Self:
        if self.scheduler and self.cluster:
            raise ValueError(
                f"it names a cluster that is there (scheduler: {self.scheduler}) and one to be made (cluster:); leave "
                "one of them out"
            )
        secured = self.scheduler.startswith(("tls://", "wss://"))
        if secured and self.tls is None:
            raise ValueError(
                f"the scheduler {self.scheduler} asks for certificates; add tls: {{ca_file: ..., cert_file: ..., "
                "key_file: ...}}"
            )
        useless = sorted(_OF_THIS_MACHINE & self.model_fields_set) if self._on_kubernetes else []
        if useless:
            raise ValueError(
                f"{' and '.join(useless)}: of this machine, while with cluster: {{kind: kubernetes}} the program runs "
                "in a pod; leave them out, and say under cluster: how pods reach volumes (namespaces:)"
            )
        return self

    @property
    def _on_kubernetes(self) -> KubernetesWorkers | None:
        return self.cluster if isinstance(self.cluster, KubernetesWorkers) else None

    @property
    def keeps_ended(self) -> bool:  # type: ignore[override]
        """Whether what ended may stay at the place: on this machine, not on a cluster."""
        return self._on_kubernetes is None

    def runner(self) -> LocalRunner | KubernetesRunner:  # type: ignore[override]
        cluster = self._on_kubernetes
        if cluster is None:
            return super().runner()
        every_place = {name: getattr(self, name) for name in BasePlace.model_fields}
        where = {name: getattr(cluster, name) for name in Where.model_fields}
        workers = Workers(
            number=self.workers, cpus=cluster.cpus, memory_gib=self.memory_gib / self.workers, wait_s=cluster.wait_s
        )
        return KubernetesPlace(**every_place, **where).runner(workers)

    def variables(self) -> dict[str, str]:
        """A cluster by address, one to be made on Slurm, or the size of workers that the program starts here itself."""
        if self.scheduler:
            return {"DASK_SCHEDULER_ADDRESS": self.scheduler, **self._tls_variables()}
        if isinstance(self.cluster, SlurmWorkers):
            return self.cluster.variables(self.workers, self.memory_gib)
        return {"DASK_LOCAL_WORKERS": str(self.workers), "DASK_LOCAL_MEMORY": f"{self.memory_gib:g}GiB"}

    def _tls_variables(self) -> dict[str, str]:
        files = self.tls.model_dump() if self.tls else {}
        return {
            f"DASK_DISTRIBUTED__COMM__TLS__{_TLS_VARIABLES[key]}": str(base_folder() / file)
            for key, file in files.items()
        }
