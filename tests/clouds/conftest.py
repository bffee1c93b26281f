"""Local services that speak the clouds' documented interfaces, one process-wide each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from tests.clouds import certificates
from tests.clouds.airflow_connections import AirflowConnections
from tests.clouds.azure_service import AzureService
from tests.clouds.copy_sync_service import CopySyncService
from tests.clouds.fsx_service import FsxService
from tests.clouds.google_service import GoogleService
from tests.clouds.local_service import LocalService, serving


@pytest.fixture(scope="session")
def copy_sync_running() -> Iterator[LocalService]:
    with serving(CopySyncService()) as service:
        yield service


@pytest.fixture
def copy_sync(copy_sync_running: CopySyncService, monkeypatch: pytest.MonkeyPatch) -> CopySyncService:
    from ontap_mlops.clouds.copy_sync import client

    copy_sync_running.forget()
    client._TOKENS.clear()
    monkeypatch.setenv("AIRFLOW_CONN_COPY_SYNC_DEFAULT", copy_sync_running.connection())
    return copy_sync_running


@pytest.fixture
def carried_out() -> Callable[[Any], Any]:
    """Run an operator to its end, through the triggerer where it defers."""
    import asyncio

    def run(operator: Any, context: Any = None) -> Any:
        context = {} if context is None else context
        try:
            return operator.execute(context)
        except TaskDeferred as deferred:
            event = asyncio.run(_first_of(deferred.trigger))
            return operator.execute_complete(context, event, **(deferred.kwargs or {}))

    return run


async def _first_of(trigger: Any) -> Any:
    return (await anext(trigger.run())).payload


@pytest.fixture(scope="session")
def fsx_running() -> Iterator[LocalService]:
    with serving(FsxService()) as service:
        yield service


@pytest.fixture
def fsx(fsx_running: FsxService, monkeypatch: pytest.MonkeyPatch) -> FsxService:
    fsx_running.forget()
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", fsx_running.connection())
    return fsx_running


@pytest.fixture(scope="session")
def airflow_rest_running() -> Iterator[LocalService]:
    with serving(AirflowConnections()) as service:
        yield service


@pytest.fixture
def airflow_rest(airflow_rest_running: AirflowConnections, monkeypatch: pytest.MonkeyPatch) -> AirflowConnections:
    airflow_rest_running.forget()
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_API", airflow_rest_running.connection())
    return airflow_rest_running


@pytest.fixture(scope="session")
def azure_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    certificate, key = certificates.write(tmp_path_factory.mktemp("azure"))
    with serving(AzureService(certificate), ssl_certfile=str(certificate), ssl_keyfile=str(key)) as service:
        yield service


@pytest.fixture
def azure(azure_running: AzureService, monkeypatch: pytest.MonkeyPatch) -> AzureService:
    from ontap_mlops.hooks import azure_netapp

    azure_running.forget()
    azure_netapp._KEPT.clear()
    monkeypatch.setenv("AIRFLOW_CONN_AZURE_NETAPP_DEFAULT", azure_running.connection())
    return azure_running


@pytest.fixture(scope="session")
def google_running() -> Iterator[LocalService]:
    with serving(GoogleService()) as service:
        yield service


@pytest.fixture
def google_cloud(google_running: GoogleService, monkeypatch: pytest.MonkeyPatch) -> GoogleService:
    from ontap_mlops.hooks import google_netapp

    google_running.forget()
    google_netapp._KEPT.clear()
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_NETAPP_DEFAULT", google_running.connection())
    return google_running
