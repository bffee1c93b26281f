"""A workload as objects of a cluster: what is made of it, in which order."""

from __future__ import annotations

import dataclasses
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ontap_mlops import names
from ontap_mlops.compute.kinds.kubernetes import ends, imported, queueing, together
from ontap_mlops.compute.kinds.kubernetes.imported import Imported
from ontap_mlops.compute.workload import Mount, PlaceRefused, Workload
from ontap_mlops.kubernetes.api import Cluster, Manifest
from ontap_mlops.kubernetes.errors import Unreachable
from ontap_mlops.kubernetes_manifests import dask, jobs, labels, mounts, pods, processes

if TYPE_CHECKING:
    from ontap_mlops.compute.kinds.kubernetes.fields import KubernetesFields, Reach

# Variables that name a file of the machine on which Airflow runs; pods get the file's text.
_CERTIFICATES = (
    "AWS_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
)


@dataclass(frozen=True)
class Mounted:
    """One mount of a workload: its folder in the pod and, where a claim leads to it, what that claim is to show."""

    folder: pods.Folder
    claim: str = ""
    source: Mapping[str, Any] | None = None
    options: tuple[str, ...] = ()
    imported: Imported | None = None


class Making:
    """Everything a workload is on a cluster. ``attempt`` tells it from an earlier one of its name."""

    def __init__(
        self,
        place: KubernetesFields,
        cluster: Cluster,
        workload: Workload,
        attempt: str = "",
        workers: dask.Workers | None = None,
    ) -> None:
        self.place, self.cluster, self.workload = place, cluster, workload
        self.entrance = queueing.entrance(place, workload)
        self.attempt = attempt or secrets.token_hex(3)
        self.namespace = cluster.namespace
        self.name = names.kubernetes_job(workload.name)
        self.mounted = [self._mounted(key, mount) for key, mount in workload.mounts.items()]
        self.environment, self.certificates = _with_certificates({**place.environment, **workload.environment})
        self.secrets, more = _with_certificates(workload.secrets)
        self.certificates |= more
        self.workers = None
        if workers is not None and workload.processes == 1:
            self.workers = dataclasses.replace(workers, port=processes.port(self.name))
            self.secrets |= dask.keys()

    @property
    def labels(self) -> dict[str, str]:
        run = self.workload.run or {}
        record = run.get("run") if isinstance(run.get("run"), Mapping) else {}
        version = record.get("dataset_version") if isinstance(record, Mapping) else None
        ours = labels.labels(
            workload=self.workload.name,
            run=names.id_in(self.workload.name),
            project=self.workload.project,
            dataset_version=version.get("id") if isinstance(version, Mapping) else None,
        )
        return {**ours, **self.entrance.labels}

    @property
    def part_name(self) -> str:
        """What its Secret, its ConfigMap and its claims are called."""
        return f"{self.name}-{self.attempt}"

    def job(self) -> Manifest:
        annotations = {
            jobs.ATTEMPT: self.attempt,
            jobs.PROCESSES: str(self.workload.processes),
            "ontap-mlops/program": self.workload.program,
            **({dask.WORKERS: self.workers.to_json()} if self.workers else {}),
        }
        made = jobs.job(
            name=self.name,
            namespace=self.namespace,
            template=self.pod(),
            labels=self.labels,
            annotations=annotations,
            keep_s=self.place.keep_s,
        )
        if self.indexed:
            failures = self.place.restarts * self.workload.processes
            made = processes.indexed(made, processes=self.workload.processes, failures=failures, service=self.part_name)
        return jobs.survives_disruption(made) if self.cluster.version() >= (1, 26) else made

    @property
    def indexed(self) -> bool:
        """Whether the cluster numbers the pods of several processes itself."""
        return self.workload.processes > 1 and self.cluster.version() >= together.INDEXED_SINCE

    @property
    def pods_at_once(self) -> int:
        """How many pods the Job makes; those of a Job that does not number them are made one by one."""
        several = self.workload.processes > 1
        return self.workload.processes if self.indexed else 0 if several else 1

    def _launcher(self) -> tuple[str, ...]:
        if self.workload.processes == 1:
            return ("python", "-m")
        port = processes.port(self.name)
        if not self.indexed:
            return processes.launcher(self.workload.processes, port)
        master = f"{self.name}-0.{self.part_name}"
        return processes.launcher(self.workload.processes, port, rank="$(JOB_COMPLETION_INDEX)", master=master)

    def pod(self) -> Manifest:
        launcher = self._launcher()
        workload, resources = self.workload, self.workload.resources
        folders = {each.folder.key: each.folder.path for each in self.mounted}
        process = pods.Process(
            image=self._image(),
            command=[*launcher, workload.program, *workload.arguments_at(folders)],
            environment=self._variables(),
            limits=pods.limits(resources.cpus, resources.memory_gib, resources.whole_gpus, self.place.gpu_resource),
            folders=[each.folder for each in self.mounted],
            secret=self.part_name if self.secrets else "",
            files=self.part_name if self._files() else "",
            time_limit_s=workload.time_limit_s,
        )
        made = pods.pod(process, queueing.with_entrance(self.place.terms(), self.entrance), self.labels, {})
        return dask.waiting(made, self.workers) if self.workers else made

    def parts(self, job: Manifest) -> list[Manifest]:
        """What a pod waits for until it is there, owned by the Job."""
        common: dict[str, Any] = {
            "name": self.part_name,
            "namespace": self.namespace,
            "labels": self.labels,
            "owner": job,
        }
        parts = []
        if self.secrets:
            parts.append(jobs.secret(**common, values=self.secrets))
        if self._files():
            parts.append(jobs.files(**common, texts=self._files()))
        if self.indexed:
            parts.append(processes.service(**common, selected=labels.labels(workload=self.workload.name)))
        for each in self.mounted:
            parts += self._claims(each, job)
        return parts

    def _claims(self, each: Mounted, job: Manifest) -> list[Manifest]:
        if each.source is None:
            return []
        volume = f"{self.namespace}-{each.claim}"
        where: dict[str, Any] = {"namespace": self.namespace, "labels": self.labels}
        return [
            mounts.static_volume(name=volume, claim=each.claim, source=each.source, options=each.options, **where),
            mounts.static_claim(name=each.claim, volume=volume, owner=job, **where),
        ]

    def _variables(self) -> dict[str, str]:
        variables = dict(self.environment)
        cpus = self.workload.resources.cpus
        if cpus:
            variables.setdefault("OMP_NUM_THREADS", str(max(1, int(cpus))))
        if self.workload.run is not None:
            variables["RUN_FILE"] = f"{pods.FILES}/{pods.RUN_FILE}"
        return variables

    def _files(self) -> dict[str, str]:
        run = self.workload.run_at({each.folder.key: each.folder.path for each in self.mounted})
        return {**self.certificates, **({pods.RUN_FILE: json.dumps(run)} if run is not None else {})}

    def _image(self) -> str:
        image = self.workload.image or self.place.image
        if not image:
            raise PlaceRefused(
                f"workload {self.workload.name} names no image and its place has none; give the place an image in "
                "compute.yaml (make tasks-image builds ours), or the task one"
            )
        return image

    def _mounted(self, key: str, mount: Mount) -> Mounted:
        asked = f"workload {self.workload.name} mounts {mount.svm}:{mount.junction_path} as {{{key}}}"
        reach = self.place.namespaces.get(mount.svm, self.place.namespaces.get("default"))
        if reach is None:
            known = ", ".join(sorted(self.place.namespaces)) or "none"
            raise PlaceRefused(
                f"{asked}, but compute.yaml does not say how pods reach the namespace of SVM {mount.svm!r} (known: "
                f"{known}); add it to the place's namespaces"
            )
        if not mount.junction_path.startswith("/") or ".." in mount.junction_path.split("/"):
            raise PlaceRefused(f"{asked}, which is not a junction path; give one such as /tyre_images")
        if reach.trident:
            return _by_trident(reach, key, mount, asked)
        source = _source(reach, mount)
        if not reach.claims:
            return Mounted(pods.Folder(key=key, source=source, read_only=mount.read_only))
        claim = f"{self.part_name}-{list(self.workload.mounts).index(key)}"
        folder = pods.Folder(
            key=key, source=mounts.claimed(claim, read_only=mount.read_only), read_only=mount.read_only
        )
        return Mounted(folder, claim, source, tuple(reach.mount_options))


def submit(making: Making) -> None:
    """Make everything, then let the Job start. Safe to call again after any death in between, and side by side.

    Nothing runs before the last call, and once that was sent nothing is raised: whoever follows sees what came of it.
    """
    cluster = making.cluster
    job = cluster.ensure(making.job())
    if ends.is_released(job):
        return
    attempt = job["metadata"]["annotations"][jobs.ATTEMPT]
    if attempt != making.attempt:  # somebody began it; its pods wait for parts of that name
        making = Making(making.place, cluster, making.workload, attempt, making.workers)
    for part in making.parts(job):
        cluster.ensure(part)
    for each in making.mounted:
        if each.imported:
            imported.hold(cluster, each.imported, job)
    try:
        cluster.patch("Job", making.name, jobs.released(time.time(), making.pods_at_once))
    except Unreachable:
        return


def check(making: Making) -> None:
    """Have the cluster judge the pod without making it: quota, service account, limits, rules of admission.

    Raises NotFound for what Trident would have to serve its volumes and does not have.
    """
    for each in making.mounted:
        if each.imported:
            imported.check(making.cluster, each.imported)
    _judge(making, making.pod(), f"take workload {making.workload.name}")
    if making.workers:
        worker = dask.template(making.job(), making.workers, "127.0.0.1")
        _judge(making, worker, f"take a Dask worker of workload {making.workload.name}")


def _judge(making: Making, pod: Manifest, asked: str) -> None:
    metadata = {**pod["metadata"], "generateName": f"{making.name}-", "namespace": making.namespace}
    making.cluster.call(
        "POST",
        making.cluster.resource("Pod").path(making.namespace),
        query={"dryRun": "All"},
        body={"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod["spec"]},
        asked=f"{asked} in namespace {making.namespace}",
    )


def _by_trident(reach: Reach, key: str, mount: Mount, asked: str) -> Mounted:
    volume = mount.junction_path.strip("/")
    if "/" in volume or not volume:
        raise PlaceRefused(f"{asked}, but Trident imports volumes by name: mount it in its SVM as /<volume>")
    wanted = Imported(volume, reach.trident, reach.storage_class)
    source = mounts.claimed(wanted.claim, read_only=mount.read_only)
    return Mounted(pods.Folder(key=key, source=source, read_only=mount.read_only), imported=wanted)


def _source(reach: Reach, mount: Mount) -> dict[str, Any]:
    if reach.nfs:
        return mounts.nfs(reach.nfs, mount.junction_path, read_only=mount.read_only and not reach.claims)
    return mounts.host_path(f"{reach.host_path.rstrip('/')}{mount.junction_path}")


def _with_certificates(variables: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the variables, naming files in the pod where they named certificates here, and those files' texts."""
    changed, texts = dict(variables), {}
    for name in _CERTIFICATES:
        file = Path(variables.get(name, ""))
        if variables.get(name) and file.is_file():
            texts[f"{name.lower()}.pem"] = file.read_text()
            changed[name] = f"{pods.FILES}/{name.lower()}.pem"
    return changed, texts
