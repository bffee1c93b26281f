"""The official client against the emulator, or against a real cluster named by ONTAP_CONTRACT_URL, _USER, _PASSWORD."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from netapp_ontap import HostConnection
from netapp_ontap.resources import Aggregate, Snapshot, Svm, Volume

SIZE = 20 * 1024**2


@dataclass
class Cluster:
    """Where the tests work: an SVM and an aggregate of it, and the emulator if it is one."""

    connection: HostConnection
    svm: str
    aggregate: str
    emulator: object | None


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    if url := os.environ.get("ONTAP_CONTRACT_URL"):
        yield from _connected(url, os.environ["ONTAP_CONTRACT_USER"], os.environ["ONTAP_CONTRACT_PASSWORD"], None)
        return
    emulator = request.getfixturevalue("emulator")
    # The library's default is to verify; requests takes the authority from this variable.
    old = os.environ.get("REQUESTS_CA_BUNDLE")
    os.environ["REQUESTS_CA_BUNDLE"] = emulator.ca
    yield from _connected(emulator.url, emulator.user, emulator.password, emulator)
    os.environ.pop("REQUESTS_CA_BUNDLE")
    if old is not None:
        os.environ["REQUESTS_CA_BUNDLE"] = old


def _connected(url: str, user: str, password: str, emulator: object | None) -> Iterator[Cluster]:
    parts = urlsplit(url)
    connection = HostConnection(parts.hostname, username=user, password=password, port=parts.port or 443)
    with connection:
        svm = os.environ.get("ONTAP_CONTRACT_SVM") or next(iter(Svm.get_collection())).name
        aggregate = next(iter(Svm.get_collection(name=svm, fields="aggregates"))).aggregates[0].name
        assert next(iter(Aggregate.get_collection(name=aggregate))).name == aggregate
        yield Cluster(connection, svm, aggregate, emulator)


@pytest.fixture
def only_emulator(cluster: Cluster) -> object:
    if cluster.emulator is None:
        pytest.skip("steers the emulator; unset ONTAP_CONTRACT_URL to run it")
    return cluster.emulator


@pytest.fixture
def name() -> str:
    """A volume name that no other test has."""
    return f"contract_{uuid4().hex[:12]}"


@pytest.fixture
def volume(cluster: Cluster, name: str) -> Iterator[Volume]:
    """A mounted volume, removed with its clones and snapshots afterwards."""
    made = Volume(
        name=name,
        svm={"name": cluster.svm},
        aggregates=[{"name": cluster.aggregate}],
        size=SIZE,
        comment="contract test",
        nas={"path": f"/{name}"},
        snapshot_policy={"name": "none"},
    )
    made.post(hydrate=True, poll_interval=1)
    yield made
    for clone in Volume.get_collection(**{"clone.parent_volume.uuid": made.uuid, "clone.is_flexclone": "true"}):
        clone.delete(poll_interval=1)
    made.delete(poll_interval=1)


@pytest.fixture
def snapshot(volume: Volume) -> Snapshot:
    made = Snapshot(volume.uuid, name="first", comment="as it was")
    made.post(hydrate=True, poll_interval=1)
    return made
