"""A Dask cluster, for programs that run on this machine and spread their work over the cluster's workers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ontap_mlops.compute.kinds.base import base_folder
from ontap_mlops.compute.kinds.local import LocalPlace
from ontap_mlops.config_file import Section, shaped

Scheduler = Annotated[
    str,
    shaped(
        r"((tcp|tls|ws|wss)://[^/\s]+:\d+)?",
        "give the scheduler's address, like tcp://dask-scheduler:8786, or leave it out",
    ),
]
# As Dask's own configuration is set by the environment.
_TLS_VARIABLES = {"ca_file": "CA_FILE", "cert_file": "CLIENT__CERT", "key_file": "CLIENT__KEY"}


class Tls(Section):
    """Files in PEM form with which programs and the scheduler of a Dask cluster prove who they are."""

    ca_file: str
    cert_file: str
    key_file: str


class DaskPlace(LocalPlace):
    """The program itself runs as at a local place; what it spreads over Dask's workers runs on the cluster."""

    kind: Literal["dask"]  # type: ignore[assignment]
    scheduler: Scheduler = ""
    tls: Tls | None = None
    workers: Annotated[int, Field(ge=1)] = 2
    memory_gib: Annotated[float, Field(ge=0.25)] = 4.0

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        secured = self.scheduler.startswith(("tls://", "wss://"))
        if secured and self.tls is None:
            raise ValueError(
                f"the scheduler {self.scheduler} asks for certificates; add tls: {{ca_file: ..., cert_file: ..., "
                "key_file: ...}}"
            )
        return self

    def variables(self) -> dict[str, str]:
        """A cluster by address, or the size of workers that the program starts itself and that end with it."""
        if self.scheduler:
            return {"DASK_SCHEDULER_ADDRESS": self.scheduler, **self._tls_variables()}
        return {"DASK_LOCAL_WORKERS": str(self.workers), "DASK_LOCAL_MEMORY": f"{self.memory_gib:g}GiB"}

    def _tls_variables(self) -> dict[str, str]:
        files = self.tls.model_dump() if self.tls else {}
        return {
            f"DASK_DISTRIBUTED__COMM__TLS__{_TLS_VARIABLES[key]}": str(base_folder() / file)
            for key, file in files.items()
        }
