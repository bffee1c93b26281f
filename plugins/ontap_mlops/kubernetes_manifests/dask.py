"""The Dask workers of a program in a pod: a Job of their own, which belongs to the program's Job and goes with it.

The scheduler of Dask runs in the program. Its pod is ready, as Kubernetes calls it, once the program waits for workers;
only then are any made, so that a program which wants none costs none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ontap_mlops.kubernetes_manifests import jobs, pods
from ontap_mlops.kubernetes_manifests.processes import is_ours

WORKERS = "ontap-mlops/dask-workers"
"""Annotation of a program's Job: what its workers are like, as JSON."""
PROGRAM = "ontap-mlops/dask-program"
"""Label of the workers' Job and pods: the uid of the program's Job."""
READY_FILE = "/tmp/ontap-mlops-waits-for-dask"  # noqa: S108 - the container's own; the program makes it
_TLS = "DASK_DISTRIBUTED__COMM__TLS__"
_LOOKS_S = 30  # the longest time between two looks: whoever looks is to say first why no worker comes
_DEATH_S = 30  # for which workers outlive a program that was killed
_OF_THE_LIMIT = 0.9  # of a container's memory, what Dask gives the worker: the process that watches it needs some too
_LIFETIME = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Workers:
    """``number`` of workers, each with ``cpus`` (a thread for each) and ``memory_gib``; ``wait_s``: for the first."""

    number: int
    cpus: float
    memory_gib: float
    wait_s: float
    port: int = 0

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of(cls, job: Mapping[str, Any]) -> Workers | None:
        """Return what the annotation of a program's Job says; None where it has none."""
        said = (job["metadata"].get("annotations") or {}).get(WORKERS)
        return cls(**json.loads(said)) if said else None


def waiting(template: Mapping[str, Any], workers: Workers) -> dict[str, Any]:
    """Return the template of a program's pod so that the program can begin a scheduler and say that it waits."""
    told = {
        "DASK_CLUSTER": f"kubernetes:{workers.number}",
        "DASK_CLUSTER_PORT": str(workers.port),
        "DASK_CLUSTER_READY_FILE": READY_FILE,
        "DASK_CLUSTER_WAIT_S": f"{workers.wait_s + _LOOKS_S:g}",
    }
    address = {"name": "DASK_CLUSTER_HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    variables = [address, *({"name": name, "value": value} for name, value in told.items())]
    probe = {"exec": {"command": ["test", "-e", READY_FILE]}, "periodSeconds": 2, "timeoutSeconds": 10}
    return _with_container(
        template, lambda made: {**made, "env": [*made.get("env", []), *variables], "readinessProbe": probe}
    )


def job(program: Mapping[str, Any], pod: Mapping[str, Any], workers: Workers) -> dict[str, Any]:
    """Return the Job of the workers that the program in this pod waits for; both as the API gave them."""
    metadata = program["metadata"]
    keep_s = program["spec"].get("ttlSecondsAfterFinished", jobs.PREPARING_S)
    labels = {**metadata["labels"], PROGRAM: metadata["uid"]}
    made = jobs.job(
        name=name(program, pod),
        namespace=metadata["namespace"],
        template=template(program, workers, pod["status"]["podIP"]),
        labels=labels,
        annotations={},
        keep_s=keep_s,
    )
    made["metadata"]["ownerReferences"] = [{**jobs.owned_by(program), "blockOwnerDeletion": True}]
    spec = {key: value for key, value in made["spec"].items() if key not in ("completions", "activeDeadlineSeconds")}
    # Without `completions` it is done when its pods end, which they do with the program.
    made["spec"] = {**spec, "parallelism": workers.number, "backoffLimit": 3 * workers.number}
    return made


def name(program: Mapping[str, Any], pod: Mapping[str, Any]) -> str:
    """Return the name of the workers' Job: a pod that replaces the program's gets workers of its own."""
    attempt = program["metadata"]["annotations"][jobs.ATTEMPT]
    return f"{program['metadata']['name']}-{attempt}-{pod['metadata']['uid'][:5]}"


def template(program: Mapping[str, Any], workers: Workers, address: str) -> dict[str, Any]:
    """Return the pod of a worker: the program's, with its image, volumes and secrets, and another command."""
    host = f"[{address}]" if ":" in address else address
    command = [
        *("python", "-m", "distributed.cli.dask_worker", f"tls://{host}:{workers.port}"),
        *("--nworkers", "1", "--nthreads", str(max(1, int(workers.cpus)))),
        *("--memory-limit", f"{pods.gib(workers.memory_gib * _OF_THE_LIMIT)}B"),
        *("--death-timeout", str(_DEATH_S), "--no-dashboard", "--local-directory", "/tmp"),  # noqa: S108 - its own
    ]
    limits = pods.limits(workers.cpus, workers.memory_gib, 0)
    changed = {"command": command, "resources": {"limits": limits, "requests": dict(limits)}}

    def worker(made: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in {**made, **changed}.items() if key != "readinessProbe"}

    pod = _with_container(program["spec"]["template"], worker)
    labels = {key: value for key, value in pod["metadata"]["labels"].items() if is_ours(key)}
    metadata = {**pod["metadata"], "labels": {**labels, PROGRAM: program["metadata"].get("uid", "none")}}
    spec = {key: value for key, value in pod["spec"].items() if key != "activeDeadlineSeconds"}
    return {"metadata": metadata, "spec": spec}


def is_worker_of(pod: Mapping[str, Any], program: Mapping[str, Any]) -> bool:
    """Whether a pod is a worker of the program of this Job."""
    return bool((pod["metadata"].get("labels") or {}).get(PROGRAM) == program["metadata"]["uid"])


def keys() -> dict[str, str]:
    """Return the variables by which scheduler, workers and client speak TLS, with a key and certificate made anew."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dask")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    pairs = {f"{_TLS}{role}__CERT": public for role in ("SCHEDULER", "WORKER", "CLIENT")}
    pairs |= {f"{_TLS}{role}__KEY": private for role in ("SCHEDULER", "WORKER", "CLIENT")}
    return {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True", f"{_TLS}CA_FILE": public, **pairs}


def _with_container(template: Mapping[str, Any], changed: Any) -> dict[str, Any]:
    containers = [changed(one) if one["name"] == pods.CONTAINER else one for one in template["spec"]["containers"]]
    return {**template, "spec": {**template["spec"], "containers": containers}}
