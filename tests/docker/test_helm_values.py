"""What docker/helm/ says, without the chart: names, secrets, rights and settings agree with the rest of the house."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import helm_check
from scripts.helm_check import HELM, ROOT, SECRETS, VARIANTS
from scripts.images import DOCKERFILE, NAMES, PREFIX

FILES = sorted(HELM.glob("values*.yaml"))
PAGE = (ROOT / "docs" / "production.md").read_text()
KUBERNETES_PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
MANIFESTS = list(yaml.safe_load_all((HELM / "rbac.yaml").read_text()))


def merged(names: list[str]) -> dict[str, Any]:
    """As helm lays values on one another."""

    def laid(under: Any, over: Any) -> Any:
        if not (isinstance(under, dict) and isinstance(over, dict)):
            return over
        return {**under, **{key: laid(under.get(key), value) for key, value in over.items()}}

    values: dict[str, Any] = {}
    for name in names:
        values = laid(values, yaml.safe_load((HELM / name).read_text()))
    return values


def leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, (*path, str(key)))
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value, path)
    else:
        yield path, node


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_secret_is_named_and_never_given(file) -> None:
    for path, value in leaves(yaml.safe_load(file.read_text())):
        if re.search("secret|password|token$|key$", path[-1], re.IGNORECASE) and isinstance(value, str):
            assert value in SECRETS, f"{'.'.join(path)} is {value!r}"


def test_every_secret_is_used_and_made_by_the_page() -> None:
    used = set(re.findall(r"\bairflow-[a-z-]+\b", "".join(file.read_text() for file in FILES)))
    assert used >= SECRETS, "one of them is asked for by no file"
    for name in SECRETS:
        assert re.search(rf"create secret generic {name}\b", PAGE), name


def test_images_are_those_that_make_images_builds() -> None:
    named = {found for file in FILES for found in re.findall(r"com/ml/(ontap-mlops-[a-z]+)", file.read_text())}
    assert named and named <= {PREFIX + name for name in NAMES}
    assert yaml.safe_load((HELM / "values.yaml").read_text())["uid"] == 10001
    assert "USER 10001:10001" in (ROOT / DOCKERFILE).read_text()


def test_versions_are_the_same_everywhere() -> None:
    pinned = re.search(r"^apache-airflow==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned and yaml.safe_load((HELM / "values.yaml").read_text())["airflowVersion"] == pinned[1]
    for text in (PAGE, (HELM / "values.yaml").read_text()):
        assert set(re.findall(r"--version (\S+)", text)) == {helm_check.VERSION}


@pytest.mark.parametrize("variant", VARIANTS)
def test_settings_are_ones_that_airflow_has(variant: str) -> None:
    from airflow.configuration import conf

    known = conf.configuration_description
    for section, options in merged(VARIANTS[variant])["config"].items():
        for option, value in options.items():
            assert option in known[section]["options"], f"[{section}] {option}"
            assert isinstance(value, str | int), "the chart writes text into airflow.cfg"


@pytest.mark.parametrize("variant", VARIANTS)
def test_rights_go_to_accounts_that_the_values_name_and_that_carry_a_token(variant: str) -> None:
    values = merged(VARIANTS[variant])
    executor = values["executor"] == "KubernetesExecutor"
    accounts = {
        part["serviceAccount"]["name"]: part["serviceAccount"].get("automountServiceAccountToken", True)
        for part in values.values()
        if isinstance(part, dict) and "name" in part.get("serviceAccount", {})
    }
    wanted = helm_check.wanted_accounts(executor)
    assert {name for name, token in accounts.items() if token} == wanted, "no other pod can speak to the cluster"
    assert values["rbac"] == {"create": False} and values["allowPodLaunching"] is False
    assert values["createUserJob"]["enabled"] is False, "the chart's first user is admin with the password admin"


def test_the_rights_of_programs_are_those_that_the_page_tells() -> None:
    (told,) = re.findall(r"^```yaml\n(apiVersion: v1\nkind: Namespace\n.*?)^```", KUBERNETES_PAGE, re.M | re.S)
    (role,) = [each for each in yaml.safe_load_all(told) if each["kind"] == "Role"]
    (ours,) = [each for each in MANIFESTS if each["kind"] == "Role" and each["metadata"]["name"] == "airflow-programs"]
    assert ours["rules"] == role["rules"]


def test_no_role_has_a_wildcard_or_commands_in_pods() -> None:
    rules = [rule for each in MANIFESTS if each["kind"] == "Role" for rule in each["rules"]]
    assert rules
    for rule in rules:
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        assert "pods/exec" not in rule["resources"]
    roles = {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in MANIFESTS if each["kind"] == "Role"}
    bound = {
        (each["metadata"]["namespace"], each["roleRef"]["name"]) for each in MANIFESTS if each["kind"] == "RoleBinding"
    }
    assert roles == bound


def test_the_migration_also_makes_the_pools() -> None:
    command = merged(["values.yaml"])["migrateDatabaseJob"]["args"][-1]
    assert command.split("&&")[0].strip() == "airflow db migrate"
    assert "python -m scripts.pools" in command and "airflow pools import" in command


def test_every_dag_finds_its_places_in_the_pages_compute_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag

    from scripts.pools import pools

    shutil.copytree(ROOT / "config", tmp_path, dirs_exist_ok=True)
    (told,) = re.findall(r"^```yaml\n(places:\n.*?)^```", PAGE, re.M | re.S)
    (tmp_path / "compute.yaml").write_text(told)
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    assert DagBag(str(ROOT / "dags")).import_errors == {}
    for name in pools():
        assert f"`{name}`" in PAGE, "the check of step 7 names it"
