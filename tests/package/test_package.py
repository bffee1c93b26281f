"""The wheel in an empty environment with a plain Airflow: what it registers, and examples/ run against the emulator."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest

from ontap_mlops import settings
from tests import pages
from tests.conftest import REPOSITORY
from tests.package.conftest import Installed

pytestmark = [pytest.mark.package, pytest.mark.timeout(600)]
EXAMPLES = REPOSITORY / "examples"
RUNNER = Path(__file__).with_name("run_examples.py")


def listed(installed: Installed, *command: str) -> list[dict[str, str]]:
    done = installed.run("airflow", *command, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout[done.stdout.index("[{") :])


def test_airflow_lists_the_provider_with_its_connection_type(installed: Installed) -> None:
    names = {provider["package_name"] for provider in listed(installed, "providers", "list")}
    assert "airflow-provider-ontap-mlops" in names
    hooks = {hook["connection_type"]: hook for hook in listed(installed, "providers", "hooks")}
    assert hooks["ontap"]["class"] == "ontap_mlops.hooks.ontap.OntapHook"


def test_airflows_configuration_has_the_section_with_every_option(installed: Installed) -> None:
    done = installed.run("airflow", "config", "list", "--section", "ontap_mlops", "--defaults")
    assert done.returncode == 0, done.stderr
    for name in settings.OPTIONS:
        assert re.search(rf"^#? ?{name} =", done.stdout, re.MULTILINE), done.stdout


def test_the_wheel_carries_licence_types_and_metadata(wheels: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheels["provider"]) as wheel:
        names = wheel.namelist()
        metadata = wheel.read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert "ontap_mlops/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    for line in ("License-Expression: Apache-2.0", "Classifier: Framework :: Apache Airflow :: Provider"):
        assert line in metadata
    required = set(re.findall(r"^Requires-Dist: ([a-z-]+)", metadata, re.MULTILINE))
    assert {"apache-airflow", "netapp-ontap", "pydantic", "pyyaml", "requests"} <= required


def test_the_programs_wheel_carries_every_module_and_page_of_tasks(wheels: dict[str, Path]) -> None:
    kinds = (".py", ".html")
    with zipfile.ZipFile(wheels["programs"]) as wheel:
        carried = {name for name in wheel.namelist() if name.endswith(kinds)}
    files = (path for path in (REPOSITORY / "tasks").rglob("*.*") if path.suffix in kinds)
    assert carried == {str(path.relative_to(REPOSITORY)) for path in files}, "list the package in tasks/pyproject.toml"


def test_a_wheel_without_the_programs_says_which_package_is_missing(installed: Installed) -> None:
    """Before the programs are installed by the next test: both share one environment."""
    done = installed.run("python", RUNNER, EXAMPLES, "example_dataset_version")
    assert done.returncode == 1
    said = " ".join((done.stdout + done.stderr).split())
    assert re.search(r"program tasks\.data\.check is not installed .{,300}install ontap-mlops-programs", said), said[
        -3000:
    ]


def test_the_page_your_own_dag_works_as_it_stands(installed: Installed, wheels: dict[str, Path]) -> None:
    folder = installed.folder / "page"
    for name, text in pages.files("your-own-dag.md").items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        roots = json.loads((installed.folder / "config" / "compute.yaml").read_text())
        mounted = roots["places"]["local"]["namespace_roots"]["default"]
        (folder / name).write_text(text.replace("/mnt/svm1", mounted))
    variables = {"CONFIG_DIR": folder / "config", "PROGRAMS_DIR": folder}
    told = {f"AIRFLOW__ONTAP_MLOPS__{name}": str(value) for name, value in variables.items()}
    assert {line.partition("=")[0] for line in pages.commands("your-own-dag.md") if line.startswith("export")} == {
        f"export {name}" for name in told
    }
    told["AIRFLOW__CORE__DAGS_FOLDER"] = str(folder / "dags")
    reader = Installed(installed.folder, {**installed.variables, **told})
    done = reader.run("python", RUNNER, folder / "dags")
    assert "RESULT my_first success" in done.stdout, done.stdout[-6000:] + done.stderr[-6000:]


def test_every_example_runs(installed: Installed, wheels: dict[str, Path]) -> None:
    installed.install(wheels["programs"])
    done = installed.run("python", RUNNER, EXAMPLES)
    results = dict(re.findall(r"^RESULT (\w+) (\w+)", done.stdout, re.MULTILINE))
    assert set(results.values()) == {"success"}, done.stdout[-6000:] + done.stderr[-6000:]
    assert len(results) == len(list(EXAMPLES.glob("*.py")))
