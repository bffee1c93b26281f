"""KServe: an InferenceService for each model, by Triton's runtime, from a folder of a claim for each version.

Versions lie beside each other, ``<folder>/<model>-<number>/``, each a model repository of its own: KServe starts new
pods for the new one, and the old ones answer until those are ready.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ontap_mlops.hooks.rest import ServiceRefused, ServiceUnavailable
from ontap_mlops.records import ModelVersion
from ontap_mlops.serving.kind import Program
from ontap_mlops.serving.kinds import triton

if TYPE_CHECKING:
    from ontap_mlops.kubernetes.api import Cluster


@dataclass(kw_only=True)
class Kind(triton.Kind):
    """A model is served by an InferenceService of its name.

    :param inference_conn_id: connection of type ``http`` to where clients reach the InferenceService.
    :param kubernetes_conn_id: connection of type ``kubernetes``.
    :param namespace: of the InferenceService and its claim; the connection's own if empty.
    :param claim: the claim whose volume is ``repository_volume``.
    :param repository_volume: volume of the served versions, on the SVM of the model volume.
    :param repository_folder: folder of the served versions on that volume.
    :param runtime: KServe's ServingRuntime; the one it finds for Triton if empty.
    :param service_account: of the pods; the namespace's default one if empty.
    :param ready_timeout_s: seconds for which a new version is waited for.
    """

    kubernetes_conn_id: str = "kubernetes_default"
    namespace: str = ""
    claim: str = "models"
    repository_folder: str = "kserve"
    runtime: str = ""
    service_account: str = ""
    ready_timeout_s: float = 600
    pause_s: float = 2.0

    @cached_property
    def cluster(self) -> Cluster:
        from ontap_mlops.compute.connections import kubernetes_cluster

        return kubernetes_cluster(self.kubernetes_conn_id)

    def place(self, version: ModelVersion) -> Program:
        made = super().place(version)
        return Program(program=made.program, arguments=[*made.arguments, "--alone"], mounts=made.mounts)

    def activate(self, version: ModelVersion) -> None:  # type: ignore[override]
        """Nothing: what an InferenceService says is what a restart serves."""

    def inactivate(self, version: ModelVersion) -> None:  # type: ignore[override]
        return None

    def wait_ready(self) -> None:
        from ontap_mlops.kubernetes.inference_services import KIND

        with _told():
            self.cluster.resource(KIND)

    def load(self, version: ModelVersion, placed: Mapping[str, Any]) -> None:
        from ontap_mlops.kubernetes import inference_services
        from ontap_mlops.kubernetes_manifests import kserve, labels

        name, namespace = self._where(version)
        manifest = kserve.inference_service(
            name=name,
            namespace=namespace,
            labels=labels.labels(run=version.run_key, dataset_version=version.dataset_version.id),
            annotations={},
            uri=self._uri(version),
            runtime=self.runtime,
            service_account=self.service_account,
        )
        with _told():
            inference_services.change(self.cluster, manifest, version=version.version)
        self._wait(version, self._uri(version))

    def serves(self, version: ModelVersion) -> bool:
        from ontap_mlops.kubernetes import inference_services

        name, namespace = self._where(version)
        with _told():
            found = inference_services.find(self.cluster, name=name, namespace=namespace)
        return inference_services.serves(found, self._uri(version))

    def put_back(self, version: ModelVersion, active: Mapping[str, Any]) -> None:
        """Serve what it replaced, which the InferenceService remembers; remove it where that was nothing."""
        from ontap_mlops.kubernetes import inference_services

        name, namespace = self._where(version)
        with _told():
            before = inference_services.put_back(self.cluster, name=name, namespace=namespace, uri=self._uri(version))
        if before:
            self._wait(version, before)

    def _wait(self, version: ModelVersion, uri: str) -> None:
        from ontap_mlops.kubernetes import inference_services

        name, namespace = self._where(version)
        with _told():
            inference_services.wait(
                self.cluster,
                name=name,
                namespace=namespace,
                uri=uri,
                limit_s=self.ready_timeout_s,
                pause_s=self.pause_s,
            )

    def _repository(self, verb: str, version: ModelVersion, *more: str) -> Program:
        """In a repository that is the version's own."""
        made = super()._repository(verb, version, *more)
        shared, own = f"--repository={{repository}}/{self.repository_folder}", self._folder(version)
        arguments = [f"--repository={{repository}}/{own}" if each == shared else each for each in made.arguments]
        return Program(program=made.program, arguments=arguments, mounts=made.mounts)

    def _folder(self, version: ModelVersion) -> str:
        return f"{self.repository_folder}/{version.model}-{version.version}"

    def _uri(self, version: ModelVersion) -> str:
        from ontap_mlops.kubernetes_manifests import kserve

        return kserve.storage_uri(self.claim, self._folder(version))

    def _where(self, version: ModelVersion) -> tuple[str, str]:
        """Name and namespace of the model's InferenceService."""
        return version.model.replace("_", "-"), self.namespace or self.cluster.namespace


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the cluster become those by which all kinds of serving tell whether a retry can help."""
    from ontap_mlops.kubernetes.errors import KubernetesPermanentError, KubernetesTemporaryError

    try:
        yield
    except KubernetesTemporaryError as error:
        raise ServiceUnavailable(str(error)) from error
    except KubernetesPermanentError as error:
        raise ServiceRefused(str(error)) from error
