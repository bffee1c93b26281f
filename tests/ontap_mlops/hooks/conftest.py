from collections.abc import Iterator

import pytest

from tests.ontap_mlops.hooks.answering import AnsweringServer, answering


@pytest.fixture
def proxy() -> Iterator[AnsweringServer]:
    with answering() as server:
        yield server
