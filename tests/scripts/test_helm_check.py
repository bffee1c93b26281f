"""How `make helm-check` judges what the chart renders; with `helm` here, also that it renders."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import helm_check
from scripts.helm_check import HELM, VARIANTS, NotRendered, complaints, rendered

CHART = os.environ.get("ONTAP_MLOPS_AIRFLOW_CHART")
needs_helm = pytest.mark.skipif(not shutil.which("helm"), reason="helm is not installed")
CONTAINER = {
    "name": "scheduler",
    "image": "registry.example.com/ml/ontap-mlops-airflow:1",
    "resources": {"limits": {"memory": "1Gi"}},
    "envFrom": [{"secretRef": {"name": "airflow-connections"}}],
}
ACCOUNTS = [
    {"kind": "ServiceAccount", "metadata": {"name": name}} for name in sorted(helm_check.wanted_accounts(executor=True))
]


def deployment(**container: Any) -> dict[str, Any]:
    spec = {"securityContext": {"runAsUser": 10001}, "containers": [CONTAINER | container]}
    return {"kind": "Deployment", "metadata": {"name": "airflow-scheduler"}, "spec": {"template": {"spec": spec}}}


def test_what_is_as_promised_is_not_complained_of() -> None:
    assert complaints([deployment(), *ACCOUNTS]) == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (deployment(image="apache/airflow:3.2.2"), "runs the image apache/airflow:3.2.2, which is none of"),
        (deployment(resources={}), "container scheduler has no limit of memory"),
        (deployment(securityContext={"runAsUser": 0}), "container scheduler may run as root"),
        (
            deployment(env=[{"valueFrom": {"secretKeyRef": {"name": "made-up", "key": "k"}}}]),
            "it reads the Secret made-up, which nobody is told to make",
        ),
        ({"kind": "Role", "metadata": {"name": "pod-launcher"}}, "Role pod-launcher brings rights"),
        ({"kind": "Secret", "metadata": {"name": "airflow-jwt"}}, "Secret airflow-jwt is made by the chart"),
    ],
)
def test_each_of_these_is_told(wrong: dict[str, Any], sentence: str) -> None:
    (told,) = complaints([wrong, *ACCOUNTS])
    assert sentence in told


def test_a_job_on_a_schedule_and_mounted_secrets_are_looked_into() -> None:
    inside = deployment()["spec"]
    inside["template"]["spec"]["volumes"] = [{"name": "v", "secret": {"secretName": "hidden"}}]
    job = {"kind": "CronJob", "metadata": {"name": "cleanup"}, "spec": {"jobTemplate": {"spec": inside}}}
    (told,) = complaints([job, *ACCOUNTS])
    assert told.startswith("CronJob cleanup: it reads the Secret hidden")


def test_an_account_with_rights_that_nobody_makes_is_told() -> None:
    config = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"airflow.cfg": "executor = KubernetesExecutor"}}
    told = complaints([config, *ACCOUNTS[1:]])
    assert told == [
        f"docker/helm/rbac.yaml gives rights to the account {ACCOUNTS[0]['metadata']['name']}, "
        "which the chart does not make."
    ]


def test_without_helm_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotRendered, match="helm is not installed"):
        helm_check.chart(tmp_path)


@needs_helm
def test_values_that_the_schema_refuses_are_told_in_its_words(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: small\nversion: 1.0.0\n")
    (tmp_path / "values.schema.json").write_text('{"properties": {"replicas": {"type": "integer"}}}')
    (tmp_path / "templates" / "made.yaml").write_text(yaml.safe_dump(deployment()))
    values = tmp_path / "mine.yaml"
    values.write_text("replicas: 2\n")
    assert [each["metadata"]["name"] for each in rendered(tmp_path, [values])] == ["airflow-scheduler"]
    values.write_text("replicas: many\n")
    with pytest.raises(NotRendered, match=r"could not render mine.yaml: (?s:.*)replicas"):
        rendered(tmp_path, [values])


@needs_helm
@pytest.mark.skipif(not CHART, reason="ONTAP_MLOPS_AIRFLOW_CHART names no folder or archive of the official chart")
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_official_chart_takes_our_values(variant: str) -> None:
    assert complaints(rendered(Path(str(CHART)), [HELM / name for name in VARIANTS[variant]])) == []
