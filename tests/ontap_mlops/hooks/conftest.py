from collections.abc import Iterator

import pytest

from tests.ontap_mlops.hooks.answering import AnsweringServer, answering
from tests.serving import mlflow_connection, mlflow_port

__all__ = ["mlflow_connection", "mlflow_port"]


@pytest.fixture
def proxy() -> Iterator[AnsweringServer]:
    with answering() as server:
        yield server
