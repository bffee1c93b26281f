import pytest

from tests.journey import world as worlds


@pytest.fixture(scope="session")
def world():
    return worlds.world()
