"""Dataset versions: what a snapshot says of itself, and nothing that is only true today."""

from __future__ import annotations

import pytest

from ontap_mlops.ontap import dataset_versions, snapshots, volumes
from tests.ontap_mlops.conftest import GIB, MARK, SVM

DIGEST = "sha256:" + "a" * 64
ASKED = {"svm": SVM, "volume": "tyre", "dataset": "tyre_images"}


def freeze(client, digest: str = DIGEST, source: str = "s3://lake/tyre/", run_key: str = "r1", files: int = 600):
    facts = {"digest": digest, "files": files, "size": 9_000_000, "run_key": run_key, "source": source}
    return dataset_versions.freeze(client, **ASKED, **facts)


def test_a_versions_source_is_the_one_it_was_made_from(client, volume) -> None:
    made = freeze(client, source="s3://lake/tyre/")
    later = freeze(client, digest="sha256:" + "b" * 64, source="s3://archive/moved/", run_key="r2")
    assert (made.version.source, later.version.source) == ("s3://lake/tyre/", "s3://archive/moved/")
    listed = dataset_versions.list_versions(client, **ASKED)
    assert [version.source for version in listed] == ["s3://lake/tyre/", "s3://archive/moved/"]


def test_a_version_made_before_sources_were_kept_has_none(client, volume) -> None:
    comment = f'{{"dataset":"tyre_images","digest":"{DIGEST}","files":1,"bytes":2,"run":"r0"}}'
    snapshots.ensure(client, volume_uuid=volume.uuid, name="mlops_v20261120t063000z01234567", comment=comment)
    (version,) = dataset_versions.list_versions(client, **ASKED)
    assert (version.source, version.files) == ("", 1)


@pytest.mark.parametrize(
    "source", ["s3://lake/" + "deep/" * 60, "s3://lake/ü/" + "é" * 80, 's3://lake/"quoted"/' + "\\" * 60], ids=len
)
def test_a_source_too_long_for_ontap_is_cut_and_the_other_facts_are_whole(client, volume, source: str) -> None:
    made = freeze(client, source=source, run_key="r20261120t063000z01234567", files=10**9)
    snapshot = snapshots.get(client, volume_uuid=volume.uuid, name=made.version.snapshot)
    assert len(snapshot.comment) <= 255
    assert made.version.source.endswith("...") and source.startswith(made.version.source.removesuffix("..."))
    assert (made.version.digest, made.version.files) == (DIGEST, 10**9)


def test_facts_that_leave_no_room_go_without_the_source(client, volume) -> None:
    asked = {**ASKED, "dataset": "d" * 40}
    facts = {"digest": DIGEST, "files": 10**12, "size": 10**18, "run_key": "r" * 45, "source": "s3://lake/tyre/"}
    made = dataset_versions.freeze(client, **asked, **facts)
    assert (made.version.source, made.version.bytes) == ("", 10**18)


def test_freezing_looks_the_volume_and_its_snapshots_up_once(client, volume, ontap) -> None:
    freeze(client)
    ontap.forget_requests()
    assert freeze(client, digest=DIGEST, run_key="r2").made is False
    seen = [request["path"].split("?")[0] for request in ontap.control("GET", "/requests")["requests"]]
    assert sorted(seen) == ["/api/storage/volumes", f"/api/storage/volumes/{volume.uuid}/snapshots"]


def test_freezing_counts_all_snapshots_of_the_volume(client, volume) -> None:
    for name in ("hourly.1", "hourly.2", "backup"):
        snapshots.ensure(client, volume_uuid=volume.uuid, name=name, comment="")
    assert [freeze(client, run_key=key).snapshots for key in ("r1", "r1", "r2")] == [4, 4, 4]


def test_the_same_run_finds_its_version_again(client, volume) -> None:
    first = freeze(client)
    assert freeze(client, digest="sha256:" + "c" * 64) == first


def test_a_version_somebody_changed_is_a_sentence(client, volume, ontap) -> None:
    made = freeze(client)
    path = f"/api/storage/volumes/{volume.uuid}/snapshots/{made.version.snapshot_uuid}"
    ontap.http.patch(path, json={"comment": '{"dataset":"other","run":"r1"}'}, params={"return_timeout": 20})
    with pytest.raises(ValueError, match="is not a dataset version's; somebody changed it"):
        freeze(client)


def test_another_datasets_versions_on_the_volume_are_left_out(client, volume) -> None:
    made = freeze(client)
    assert dataset_versions.list_versions(client, **{**ASKED, "dataset": "labels"}) == []
    assert dataset_versions.list_versions(client, **{**ASKED, "volume": "none"}) == []
    assert dataset_versions.list_versions(client, **ASKED) == [made.version]


def test_versions_are_told_from_other_snapshots(client, volume) -> None:
    made = freeze(client)
    snapshots.ensure(client, volume_uuid=volume.uuid, name="hourly", comment="")
    found = snapshots.list_snapshots(client, volume_uuid=volume.uuid)
    assert [s.name for s in found if dataset_versions.is_version(s)] == [made.version.snapshot]


def test_a_volume_of_no_version_has_an_empty_list(client) -> None:
    volumes.ensure(client, svm=SVM, name="tyre", size_bytes=GIB, comment=MARK)
    assert dataset_versions.list_versions(client, **ASKED) == []
