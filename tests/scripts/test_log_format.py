"""One switch for the logs of Airflow and of our own services."""

from __future__ import annotations

import pytest

from scripts.embedded import catalog, environment, ports
from scripts.embedded.layout import Layout

PORTS = ports.USUAL


@pytest.mark.parametrize(("settings", "json_logs"), [({}, "False"), ({environment.LOG_FORMAT: "json"}, "True")])
def test_airflow_and_the_emulators_log_in_one_format(tmp_path, settings, json_logs) -> None:
    layout = Layout(tmp_path / "local")
    layout.make()
    layout.keep_settings(settings)
    assert environment.airflow(layout, PORTS)["AIRFLOW__LOGGING__JSON_LOGS"] == json_logs
    wanted = "json" if json_logs == "True" else "text"
    for name in ("ontap", "ontap_remote"):
        assert catalog.program(name).variables(layout, PORTS)[environment.LOG_FORMAT] == wanted
