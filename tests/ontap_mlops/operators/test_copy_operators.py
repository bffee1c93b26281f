"""The volumes of a mirrored pair: shown to clients, hidden from them, compared before one of them is overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ontap_mlops.ontap import divergence, marks, s3, snapshots, volumes
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.errors import NameTaken, NotFound
from ontap_mlops.operators.copies import OntapCopyCheckOperator, OntapCopyHideOperator, OntapCopyShowOperator
from tests.conftest import Pair
from tests.emulator.mirror_support import Mirrors
from tests.ontap_mlops.conftest import GIB, Ontap
from tests.ontap_mlops.operators.run_context import context

NAMES = {"volume": "data_mirror", "svm": "svm2"}


@pytest.fixture
def pair(peered: Pair, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirrors]:
    """The volume `data` here, mirrored to `data_mirror` there."""
    with peered.here.client() as here, peered.there.client() as there:
        for name, emulator, http in (("DEFAULT", peered.here, here), ("REMOTE", peered.there, there)):
            extra = {"verify": emulator.ca, "svm": emulator.svm}
            monkeypatch.setenv(f"AIRFLOW_CONN_ONTAP_{name}", Ontap(emulator, http).connection(extra=extra))
        made = Mirrors(peered, here, there)
        made.mirrored()
        yield made


@pytest.fixture
def there(pair: Mirrors) -> Iterator[Client]:
    with clients(pair.pair.there) as client:
        yield client


@pytest.fixture
def here(pair: Mirrors) -> Iterator[Client]:
    with clients(pair.pair.here) as client:
        yield client


def clients(emulator: Any) -> Client:
    login = {"username": emulator.user, "password": emulator.password}
    return Client(host=emulator.host, port=emulator.port, verify=emulator.ca, **login)


def show(**other: Any) -> dict[str, Any]:
    facts = {"task_id": "show", "ontap_conn_id": "ontap_remote", "dataset": "data", **NAMES, **other}
    return OntapCopyShowOperator(**facts).execute({})


def check(**other: Any) -> dict[str, Any]:
    """Of what only the volume here has."""
    facts = {"task_id": "check", "volume": "data", "source_volume": "data_mirror", "source_conn_id": "ontap_remote"}
    return OntapCopyCheckOperator(**{**facts, **other}).execute(context())


def test_a_copy_is_read_as_files_and_objects_and_not_written(pair: Mirrors, there: Client) -> None:
    s3.ensure_service(there, svm="svm2")
    assert show() == {"svm": "svm2", "volume": "data_mirror", "junction_path": "/data_mirror", "writable": False}
    assert show()["writable"] is False
    bucket = s3.find_bucket(there, svm="svm2", name="data-mirror")
    assert bucket and bucket.nas_path == "/data_mirror" and marks.is_ours(bucket.comment)
    assert (pair.copy / "folder" / "file1").read_bytes() == bytes([1]) * 1000


def test_a_copy_that_may_be_written_is_the_datasets_from_then_on(pair: Mirrors, there: Client) -> None:
    s3.ensure_service(there, svm="svm2")
    pair.change(state="broken_off")
    assert show()["writable"] is True
    assert volumes.get(there, svm="svm2", name="data_mirror").comment == marks.mark("dataset data")


def test_somebody_elses_volume_is_not_shown(pair: Mirrors, there: Client) -> None:
    made = volumes.ensure(there, svm="svm2", name="theirs", size_bytes=GIB, comment="payroll")
    with pytest.raises(NameTaken, match="Volume 'theirs' of SVM 'svm2' is not ours to show as dataset 'data'"):
        show(volume="theirs")
    assert volumes.by_uuid(there, uuid=made.uuid) == made


def test_a_hidden_volume_is_reached_by_no_client_until_it_is_shown_again(pair: Mirrors, there: Client) -> None:
    s3.ensure_service(there, svm="svm2")
    show()
    hide = {"task_id": "hide", "ontap_conn_id": "ontap_remote", **NAMES}
    assert OntapCopyHideOperator(**hide).execute({}) is True
    assert not pair.copy.exists()
    assert OntapCopyHideOperator(**hide).execute({}) is False
    show()
    assert pair.copy.exists()


def test_two_that_are_alike_may_be_overwritten(pair: Mirrors) -> None:
    found = check()
    assert (found["added"], found["changed"], found["removed"], found["snapshots"]) == (0, 0, 0, [])


def test_of_snapshots_of_one_second_none_is_taken_for_the_newest_by_its_name(
    pair: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONTAP tells whole seconds; what is in any snapshot that both have is not lost."""
    pair.freeze("z_before")
    write(pair.files)
    pair.freeze("a_after")
    pair.update()
    listed = divergence._snapshots

    def at_once(*of: Any) -> list[dict[str, Any]]:
        records = [{**record, "create_time": "2026-01-01T00:00:00+00:00"} for record in listed(*of)]
        return sorted(records, key=lambda record: record["name"])

    monkeypatch.setattr(divergence, "_snapshots", at_once)
    found = check()
    assert (found["added"], found["changed"], found["removed"], found["snapshots"]) == (0, 0, 0, [])


def write(files: Path) -> None:
    (files / "new").write_bytes(b"only here")
    (files / "folder" / "file2").write_bytes(b"changed")
    (files / "folder" / "file3").unlink()


def test_what_was_written_since_is_named_and_keeps_the_volume_from_being_overwritten(pair: Mirrors) -> None:
    write(pair.files)
    with pytest.raises(
        divergence.OnlyHere, match=r"^svm1:data has .*: 1 added, 1 changed, 1 removed \(new, .*\. Copy it"
    ):
        check(advice="Copy it.")


def test_what_was_written_at_the_site_after_a_break_is_seen_there(pair: Mirrors, here: Client, there: Client) -> None:
    pair.change(state="broken_off")
    (pair.copy / "at the site").write_bytes(b"x")
    found = divergence.of(there, here, svm="svm2", volume="data_mirror", other_svm="svm1", other_volume="data")
    assert [entry.path for entry in found.files.added] == ["at the site"]
    assert not divergence.of(here, there, svm="svm1", volume="data", other_svm="svm2", other_volume="data_mirror")


def test_a_snapshot_that_only_one_has_counts_too(pair: Mirrors, here: Client) -> None:
    uuid = volumes.get(here, svm="svm1", name="data").uuid
    snapshots.ensure(here, volume_uuid=uuid, name="mlops_v1", comment="a version")
    with pytest.raises(divergence.OnlyHere, match=r"svm1:data has what the other volume has not: snapshots mlops_v1\."):
        check()
    pair.wait(pair.transfer())
    assert check()["snapshots"] == []


def test_it_may_be_discarded_by_name(pair: Mirrors, capsys: pytest.CaptureFixture[str]) -> None:
    write(pair.files)
    assert check(only_here="discard")["added"] == 1
    assert "It is discarded, as whoever started the run has chosen" in capsys.readouterr().out


def test_two_that_have_nothing_in_common_are_not_compared(pair: Mirrors, here: Client) -> None:
    volumes.ensure(here, svm="svm1", name="other", size_bytes=GIB, comment=marks.mark("x"))
    with pytest.raises(NotFound, match="svm1:other and svm2:data_mirror have no snapshot in common"):
        check(volume="other")
