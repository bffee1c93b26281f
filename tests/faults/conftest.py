"""A site for the scenarios, and after them the table of operators and faults."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ontap_mlops import settings
from ontap_mlops.ontap import client as ontap_client
from tests.faults.site import Site, forget_beginnings
from tests.faults.table import table
from tests.faults.wire import Wire
from tests.ontap_mlops.conftest import Ontap
from tests.serving import mlflow_connection, mlflow_port

__all__ = ["mlflow_connection", "mlflow_port"]


@pytest.fixture
def second(request: pytest.FixtureRequest) -> Any:
    """The other cluster of a scenario that needs one, else None."""
    scenario = getattr(request.node, "callspec", None) and request.node.callspec.params.get("scenario")
    return request.getfixturevalue("emptied_there") if scenario and scenario.clusters == 2 else None


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory, emulator: Any) -> Iterator[Path]:
    """One folder for all plays, since what a scenario has prepared may name it; after them the clusters are emptied."""
    yield tmp_path_factory.mktemp("secrets")
    forget_beginnings()
    emulator.reset()


@pytest.fixture(scope="module")
def emptied_there(other_emulator: Any) -> Iterator[Any]:
    yield other_emulator
    other_emulator.reset()


@pytest.fixture
def site(
    request: pytest.FixtureRequest, emulator: Any, second: Any, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    """As the last play left it; all calls of this process go through its wire."""
    scenario = getattr(request.node, "callspec", None) and request.node.callspec.params.get("scenario")
    if scenario and scenario.mlflow:
        request.getfixturevalue("mlflow_connection")
    monkeypatch.setenv(settings.variable("secrets_dir"), str(secrets))
    # A client's own patience is part of what is tested, the time it takes is not.
    monkeypatch.setattr(ontap_client, "_PAUSES_S", (0.0,) * len(ontap_client._PAUSES_S))
    with emulator.client() as http, _there(second) as there:
        here = Ontap(emulator, http)
        urls = {emulator.url: "here"} | ({second.url: "there"} if second else {})
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", here.connection())
        if there:
            extra = {"verify": second.ca, "svm": second.svm}
            monkeypatch.setenv("AIRFLOW_CONN_ONTAP_REMOTE", there.connection(extra=extra))
        with Wire(urls).tapped() as wire:
            yield Site(here, there, wire, secrets)
        for client in (*here.clients, *(there.clients if there else [])):
            client.close()


@contextmanager
def _there(emulator: Any) -> Iterator[Ontap | None]:
    """The second cluster with a connection that is closed; None without one."""
    if emulator is None:
        yield None
        return
    with emulator.client() as http:
        yield Ontap(emulator, http)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table when all faults were played at all calls."""
    if os.environ.get("ONTAP_FAULTS") != "all":
        return
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, []) if r.when == "call"]
    cells = [dict(report.user_properties).get("cell") for report in reports]
    for line in table([cell for cell in cells if cell]):
        terminalreporter.write_line(line)
