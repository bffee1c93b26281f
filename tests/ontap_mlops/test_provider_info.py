"""What Airflow's provider manager reads."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from importlib.metadata import entry_points
from pathlib import Path

import airflow
import jsonschema
import pytest

from ontap_mlops import provider


@pytest.fixture(scope="module")
def info() -> dict:
    (found,) = [e for e in entry_points(group="apache_airflow_provider") if e.value.startswith("ontap_mlops.")]
    return found.load()()


def schema(name: str) -> dict:
    return json.loads((Path(airflow.__file__).parent / name).read_text())


def test_the_installed_entry_point_gives_what_airflow_accepts(info) -> None:
    jsonschema.validate(info, schema("provider_info.schema.json"))


def test_the_connection_form_is_what_airflows_provider_schema_describes(info) -> None:
    form = schema("provider.yaml.schema.json")["properties"]["connection-types"]
    jsonschema.validate(info["connection-types"], form)
    fields = info["connection-types"][0]["conn-fields"]
    assert {"svm", "verify"} <= set(fields)


def test_every_class_and_module_it_names_can_be_imported(info) -> None:
    from airflow.sdk.module_loading import import_string

    hook = import_string(info["connection-types"][0]["hook-class-name"])
    assert hook.conn_type == info["connection-types"][0]["connection-type"] == "ontap"
    for link in info["extra-links"]:
        assert import_string(link).name
    for uris in info["asset-uris"]:
        assert import_string(uris["handler"]) and import_string(uris["to_openlineage_converter"])


@pytest.mark.parametrize(
    ("room", "base"),
    [
        ("operators", "airflow.sdk.BaseOperator"),
        ("sensors", "airflow.sdk.BaseSensorOperator"),
        ("hooks", "airflow.sdk.BaseHook"),
        ("triggers", "airflow.triggers.base.BaseTrigger"),
    ],
)
def test_it_lists_the_modules_that_define_something_to_use_and_no_other(info, room: str, base: str) -> None:
    from airflow.sdk.module_loading import import_string

    defining = set()
    package = importlib.import_module(f"ontap_mlops.{room}")
    for found in pkgutil.iter_modules(package.__path__, f"ontap_mlops.{room}."):
        for name, kind in inspect.getmembers(importlib.import_module(found.name), inspect.isclass):
            # Hooks of plain HTTP services have no base of Airflow's.
            usable = issubclass(kind, import_string(base)) or (room == "hooks" and name.endswith("Hook"))
            if kind.__module__ == found.name and usable and not name.startswith("_"):
                defining.add(found.name)
    assert set(info[room][0]["python-modules"]) == defining


def test_it_names_every_link_there_is(info) -> None:
    from airflow.sdk import BaseOperatorLink

    from ontap_mlops.operators import links

    defined = {
        f"{links.__name__}.{name}"
        for name, kind in inspect.getmembers(links, inspect.isclass)
        if issubclass(kind, BaseOperatorLink) and kind.__module__ == links.__name__ and not kind.__subclasses__()
    }
    assert set(info["extra-links"]) == defined


def test_airflow_registers_the_connection_type_with_its_fields() -> None:
    from airflow.providers_manager import ProvidersManager
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    hook = ProvidersManagerTaskRuntime().hooks["ontap"]
    assert hook is not None, "Airflow refuses classes of a distribution whose name claims to be its own"
    assert hook.hook_name == "NetApp ONTAP"
    manager = ProvidersManager()
    assert set(provider.EXTRA_LINKS) <= set(manager.extra_links_class_names)


def test_airflow_knows_the_options_of_the_configuration_section(info) -> None:
    from airflow.providers_manager import ProvidersManager

    from ontap_mlops import settings

    known = dict(ProvidersManager().provider_configs)[info["package-name"]]["ontap_mlops"]["options"]
    assert list(known) == list(settings.OPTIONS)
    assert all(option["description"].endswith(".") for option in known.values())
