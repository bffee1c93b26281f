"""Render docker/helm/ with the official Airflow chart and judge what comes out; needs `helm`.

    python -m scripts.helm_check                       the chart comes from its public place
    python -m scripts.helm_check --chart FOLDER        or is there already, as a folder or an archive
    python -m scripts.helm_check --values MINE.yaml    with a file of your own on top

Helm itself checks the values against the chart's schema. Then: every image, account and Secret is one that we name, the
chart brings no rights of its own, nobody is root, and every container says what it needs.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
HELM = ROOT / "docker" / "helm"
VERSION = "1.22.0"
REPOSITORY = "https://airflow.apache.org"
RELEASE = NAMESPACE = "airflow"
# The Kubernetes that is rendered for.
KUBERNETES = "1.30.0"
VARIANTS = {
    "KubernetesExecutor": ["values.yaml", "values-kubernetes-executor.yaml"],
    "Celery": ["values.yaml", "values-celery.yaml"],
    "KubernetesExecutor, DAGs from Git": ["values.yaml", "values-kubernetes-executor.yaml", "values-git-sync.yaml"],
}
SECRETS = {
    "airflow-api-secret-key",
    "airflow-broker",
    "airflow-connections",
    "airflow-database",
    "airflow-fernet-key",
    "airflow-git",
    "airflow-jwt-secret",
    "airflow-redis-password",
}
IMAGES = ("/ontap-mlops-airflow:", "/ontap-mlops-worker:", "/statsd-exporter:", "redis:", "/git-sync:")
WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob", "DaemonSet", "Pod")


class NotRendered(RuntimeError):
    """One sentence: what could not be rendered, and what helm said."""


def chart(folder: Path) -> Path:
    """Fetch the chart into ``folder``; NotRendered where its place cannot be reached."""
    options = ["--repo", REPOSITORY, "--version", VERSION, "--destination", str(folder)]
    helm("pull", "airflow", *options, asked=f"fetch the chart airflow {VERSION} from {REPOSITORY}")
    return next(folder.glob("airflow-*.tgz"))


def helm(*arguments: str, asked: str) -> str:
    program = shutil.which("helm")
    if not program:
        raise NotRendered("helm is not installed: PATH has no program of that name.")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise NotRendered(f"helm could not {asked}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def rendered(chart: Path, values: list[Path]) -> list[dict[str, Any]]:
    """Return every object that an installation would make; NotRendered has the schema's complaint."""
    options = [part for file in values for part in ("--values", str(file))]
    options += ["--namespace", NAMESPACE, "--kube-version", KUBERNETES]
    names = ", ".join(file.name for file in values)
    told = helm("template", RELEASE, str(chart), *options, asked=f"render {names}")
    return [each for each in yaml.safe_load_all(told) if each]


def complaints(objects: list[dict[str, Any]]) -> list[str]:
    """Return a sentence for everything that is not as docs/production.md promises it."""
    found = []
    for each in objects:
        name = f"{each['kind']} {each['metadata']['name']}"
        if each["kind"] in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
            found.append(f"{name} brings rights that docker/helm/rbac.yaml does not have.")
        if each["kind"] == "Secret":
            found.append(f"{name} is made by the chart; every Secret of ours is made beforehand, by name.")
        if spec := pod(each):
            found += [f"{name}: {sentence}" for sentence in pod_complaints(spec)]
    return [*found, *account_complaints(objects)]


def pod(manifest: dict[str, Any]) -> dict[str, Any] | None:
    """Return the pods' spec of an object that makes some."""
    if manifest["kind"] not in WORKLOADS:
        return None
    spec = manifest["spec"]
    if manifest["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    return spec if manifest["kind"] == "Pod" else spec["template"]["spec"]


def pod_complaints(spec: dict[str, Any]) -> Iterator[str]:
    for secret in sorted(secrets(spec) - SECRETS):
        yield f"it reads the Secret {secret}, which nobody is told to make."
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        name, image = container["name"], container["image"]
        if not any(part in image for part in IMAGES):
            yield f"container {name} runs the image {image}, which is none of {', '.join(IMAGES)}."
        users = {**spec.get("securityContext", {}), **container.get("securityContext", {})}
        if not users.get("runAsUser") and not users.get("runAsNonRoot"):
            yield f"container {name} may run as root."
    for container in spec["containers"]:
        ours = "ontap-mlops" in container["image"]
        if ours and not container.get("resources", {}).get("limits", {}).get("memory"):
            yield f"container {container['name']} has no limit of memory."


def secrets(node: Any) -> set[str]:
    """Return the names of all Secrets that a spec refers to."""
    if isinstance(node, list):
        return set().union(*(secrets(each) for each in node)) if node else set()
    if not isinstance(node, dict):
        return set()
    found = set().union(*(secrets(each) for each in node.values())) if node else set()
    for key in ("secretKeyRef", "secretRef"):
        if key in node:
            found.add(node[key]["name"])
    if isinstance(node.get("secret"), dict):
        found.add(node["secret"]["secretName"])
    return found


def account_complaints(objects: list[dict[str, Any]]) -> Iterator[str]:
    made = {each["metadata"]["name"] for each in objects if each["kind"] == "ServiceAccount"}
    executor = any("KubernetesExecutor" in str(each.get("data")) for each in objects if each["kind"] == "ConfigMap")
    for name in sorted(wanted_accounts(executor) - made):
        yield f"docker/helm/rbac.yaml gives rights to the account {name}, which the chart does not make."


def wanted_accounts(executor: bool) -> set[str]:
    """Return the accounts of rbac.yaml; those of the first two roles are of no use without the KubernetesExecutor."""
    bindings = [each for each in yaml.safe_load_all((HELM / "rbac.yaml").read_text()) if each["kind"] == "RoleBinding"]
    return {
        subject["name"]
        for each in bindings
        for subject in each["subjects"]
        if executor or each["metadata"]["namespace"] != NAMESPACE
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chart", type=Path, help="folder or archive of the chart; fetched where left out")
    parser.add_argument("--values", type=Path, action="append", default=[], help="a file of your own, on top of ours")
    options = parser.parse_args()
    trouble = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            source = options.chart or chart(Path(folder))
            for title, files in VARIANTS.items():
                objects = rendered(source, [*(HELM / name for name in files), *options.values])
                found = complaints(objects)
                print(f"{title}: {len(objects)} objects, {len(found)} complaints")
                trouble += [f"{title}: {sentence}" for sentence in found]
    except NotRendered as error:
        sys.exit(str(error))
    print("\n".join(trouble))
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main())
