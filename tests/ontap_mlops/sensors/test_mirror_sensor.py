"""The lag of a mirror is waited for on the cluster of its destination."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ontap_mlops.ontap import errors, mirrors, volumes
from ontap_mlops.sensors.mirrors import OntapMirrorLagSensor
from tests.ontap_mlops.conftest import GIB, MARK, SVM, Ontap
from tests.ontap_mlops.operators.running import Run


@pytest.fixture
def there(peered, monkeypatch) -> Iterator[Ontap]:
    """The cluster to which `tyre` is mirrored, as `ontap_remote`."""
    with peered.here.client() as one, peered.there.client() as other:
        here, made = Ontap(peered.here, one), Ontap(peered.there, other)
        extra = {"verify": peered.there.ca, "svm": "svm2"}
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_REMOTE", made.connection(extra=extra))
        client = here.client()
        volumes.ensure(client, svm=SVM, name="tyre", size_bytes=GIB, comment=MARK, junction_path="/tyre")
        asked = {"source": {"path": f"{SVM}:tyre"}, "destination": {"path": "svm2:copy"}, "state": "snapmirrored"}
        asked["create_destination"] = {"enabled": True}  # type: ignore[assignment]
        other.post("/api/snapmirror/relationships?return_timeout=15", json=asked).raise_for_status()
        yield made
        client.close()


def waited(**facts: object) -> dict[str, object]:
    where = {"ontap_conn_id": "ontap_remote", "volume": "copy", "poke_interval": 0.1, "timeout": 20}
    return Run().execute(OntapMirrorLagSensor, **{**where, "deferrable": False, **facts})


def test_a_mirror_that_has_caught_up_ends_the_wait(there) -> None:
    told = waited(below_s="3600")
    assert told["healthy"] and 0 <= float(str(told["lag_s"])) < 3600


def test_a_mirror_that_no_longer_follows_fails_at_once(there) -> None:
    waited(below_s=3600)
    with there.client() as client:
        mirrors.break_off(client, mirror=mirrors.get(client, svm="svm2", volume="copy"))
    with pytest.raises(errors.WrongState, match="its lag will not come below 60 s"):
        waited(below_s=60)


@pytest.mark.parametrize("wrong", ["soon", 0, -1, None])
def test_a_bound_that_is_none_is_refused(ontap, monkeypatch, wrong: object) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_REMOTE", ontap.connection())
    with pytest.raises(ValueError, match="below_s is .*; give a number of seconds above 0"):
        waited(below_s=wrong)
