"""Clones of single files: made once, out of snapshots too, never over another file unless told."""

from __future__ import annotations

import os

import pytest

from ontap_mlops.ontap import file_clones, flexgroups, snapshots
from ontap_mlops.ontap.errors import InvalidRequest, NameTaken, NotFound
from ontap_mlops.operators.file_clones import OntapFileCloneOperator
from tests.ontap_mlops.conftest import GIB, MARK, SVM


def ensure(client, **other):
    facts = {"svm": SVM, "volume": "tyre", "source": "one.png", "target": "two.png"}
    return file_clones.ensure(client, **(facts | other))


@pytest.fixture
def top(ontap, volume):
    return ontap.emulator.namespace / "tyre"


def test_a_file_is_cloned_once_and_found_again(client, top, ontap):
    assert ensure(client).size == 5
    assert (top / "two.png").read_bytes() == b"first"
    ontap.forget_requests()
    assert ensure(client).size == 5
    assert ontap.writes() == []


def test_a_file_comes_back_out_of_a_snapshot(client, top, volume):
    snapshots.ensure(client, volume_uuid=volume.uuid, name="s1", comment=MARK)
    (top / "one.png").write_bytes(b"spoiled!")
    ensure(client, snapshot="s1", target="one.png", overwrite=True)
    assert (top / "one.png").read_bytes() == b"first"


def test_another_file_is_replaced_only_if_told(client, top, ontap):
    (top / "two.png").write_bytes(b"another")
    ontap.forget_requests()
    with pytest.raises(NameTaken, match="not cloned to 'two.png': there is a file of 7 bytes"):
        ensure(client)
    assert ontap.writes() == []
    assert ensure(client, overwrite=True).size == 5


def test_a_file_of_another_time_is_another_file(client, top):
    ensure(client)
    os.utime(top / "two.png", (1, 1))
    with pytest.raises(NameTaken):
        ensure(client)


def test_a_lost_answer_is_found(client, top, ontap):
    ontap.fault("POST", "/storage/file/clone", "lost_answer", times=1)
    assert ensure(client).size == 5
    assert ontap.writes() == ["POST /api/storage/file/clone"]


@pytest.mark.parametrize(
    ("other", "error", "said"),
    [
        ({"source": "no.png"}, NotFound, "no file 'no.png' of volume 'tyre'"),
        ({"source": "one.png", "snapshot": "s9"}, NotFound, "of snapshot 's9' of volume 'tyre'"),
        ({"target": "one.png"}, InvalidRequest, "cloned to itself"),
        ({"target": "nowhere/two.png"}, NotFound, "No such file or directory"),
        ({"volume": "nobody"}, NotFound, "no volume 'nobody'"),
    ],
    ids=str,
)
def test_what_cannot_be_cloned_is_said(client, top, other, error, said):
    with pytest.raises(error, match=said):
        ensure(client, **other)


def test_ontap_clones_no_files_of_flexgroups(client, ontap):
    flexgroups.ensure(client, svm=SVM, name="wide", size_bytes=GIB, comment=MARK, junction_path="/wide")
    (ontap.emulator.namespace / "wide" / "one.png").write_bytes(b"first")
    with pytest.raises(InvalidRequest, match="FlexGroup"):
        ensure(client, volume="wide")


def test_a_task_clones_a_file(client, top, ontap, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    task = OntapFileCloneOperator(task_id="t", volume="tyre", source="one.png", target="two.png")
    assert task.execute({}) == {"path": "two.png", "bytes": 5}
