"""Caches: one per name, of the very volume that was asked for; a prepopulate that runs is joined."""

from __future__ import annotations

import pytest

from ontap_mlops.ontap import caches, errors, marks, volumes
from tests.ontap_mlops.conftest import MARK, SVM
from tests.until import until

MB = 1024**2
OURS = marks.mark("near")


@pytest.fixture
def ensure(client, volume, ontap):
    def ensured(**other):
        facts = {"name": "near", "origin_svm": SVM, "origin_volume": "tyre", "comment": OURS, "size_bytes": 50 * MB}
        return caches.ensure(client, svm=SVM, **{**facts, "junction_path": "/near", **other})

    return ensured


def filled(client, **other):
    """Every look until the end, as an operator makes them; the last one's payload."""
    cursor = None
    for _ in range(50):
        seen = caches.prepopulated(client, svm=SVM, name="near", paths=["/"], **other, cursor=cursor)
        if seen["done"]:
            return seen["payload"]
        cursor = seen["cursor"]
    raise AssertionError("it never ended")


def test_a_cache_shows_the_origins_files_as_they_are_and_carries_our_mark(ensure, ontap):
    cache = ensure()
    assert (ontap.emulator.namespace / "near" / "one.png").read_bytes() == b"first"
    (ontap.emulator.namespace / "tyre" / "one.png").write_bytes(b"changed")
    assert (ontap.emulator.namespace / "near" / "one.png").read_bytes() == b"changed"
    assert (cache.comment, cache.origin_svm, cache.origin_volume, cache.size_bytes) == (OURS, SVM, "tyre", 50 * MB)


def test_asking_again_changes_nothing_and_for_more_space_grows_it(ensure, ontap, client):
    made = ensure()
    ontap.forget_requests()
    assert ensure() == made
    assert ontap.writes() == []
    assert ensure(size_bytes=60 * MB).size_bytes == 60 * MB
    assert ensure(size_bytes=20 * MB).size_bytes == 60 * MB
    assert [cache.name for cache in caches.list_caches(client, svm=SVM)] == ["near"]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_lost_answer_leaves_one_marked_cache(ensure, ontap, client, method):
    ontap.fault(method, "/api/storage/", "lost_answer")
    assert ensure().comment == OURS
    assert len(caches.list_caches(client, svm=SVM)) == 1


def test_a_cache_whose_mark_was_not_set_yet_is_ours_by_its_origin(ensure, ontap):
    body = {"name": "near", "svm": {"name": SVM}, "size": 50 * MB}
    body["origins"] = [{"svm": {"name": SVM}, "volume": {"name": "tyre"}}]
    ontap.http.post("/api/storage/flexcache/flexcaches?return_timeout=20", json=body).raise_for_status()
    assert (ensure().comment, ensure().junction_path) == (OURS, "/near")


def test_a_name_that_somebody_else_has_is_said_with_both_origins(ensure, client):
    ensure()
    with pytest.raises(errors.NameTaken, match="its comment is 'ontap-mlops near', not 'ontap-mlops other'"):
        ensure(comment=marks.mark("other"))
    volumes.ensure(client, svm=SVM, name="cats", size_bytes=50 * MB, comment=MARK, junction_path="/cats")
    with pytest.raises(errors.NameTaken, match="exists, of volume svm1:tyre and not of svm1:cats"):
        ensure(origin_volume="cats")
    with pytest.raises(errors.NameTaken, match="create cache svm1:cats of volume svm1:tyre"):
        ensure(name="cats")


@pytest.mark.parametrize(
    ("other", "kind", "sentence"),
    [
        (
            {"name": "again", "origin_volume": "near", "junction_path": "/again"},
            errors.InvalidRequest,
            "FlexCache volume",
        ),
        ({"name": "x", "origin_volume": "nowhere"}, errors.NotFound, "of volume svm1:nowhere"),
        ({"name": "x", "origin_svm": "far"}, errors.NotPeered, "Peer the two clusters and SVMs"),
        (
            {"name": "x", "junction_path": "/x", "size_bytes": 200 * 1024**4},
            errors.SpaceFull,
            "svm1:x of volume svm1:tyre",
        ),
    ],
)
def test_what_can_never_be_made_fails_at_once_naming_both_ends(ensure, client, other, kind, sentence):
    ensure()
    with pytest.raises(kind, match=sentence):
        ensure(**other)
    assert issubclass(kind, errors.OntapPermanentError)
    assert [cache.name for cache in caches.list_caches(client, svm=SVM)] == ["near"]


def test_a_prepopulate_is_proven_by_the_bytes_that_the_cache_holds(ensure, client):
    ensure()
    found = filled(client)
    assert found.pop("job") and found.pop("seconds") >= 0
    assert found == {"before_bytes": 0, "used_bytes": 5, "size_bytes": 50 * MB, "joined": False}
    assert filled(client)["before_bytes"] == 5


def test_a_prepopulate_that_runs_is_joined_and_its_folders_are_asked_for_after_it(ensure, client, ontap):
    cache = ensure()
    (ontap.emulator.namespace / "tyre" / "more").mkdir()
    (ontap.emulator.namespace / "tyre" / "more" / "two.png").write_bytes(b"second")
    ontap.jobs("seconds", 0.3)
    wish = {"prepopulate": {"dir_paths": ["/more"]}}
    ontap.http.patch(f"/api/storage/flexcache/flexcaches/{cache.uuid}", json=wish).raise_for_status()
    assert filled_slowly(client)["joined"] is True
    assert caches.get(client, svm=SVM, name="near").used_bytes == 11


def filled_slowly(client):
    seen = {"cursor": None}

    def look():
        seen.update(caches.prepopulated(client, svm=SVM, name="near", paths=["/"], cursor=seen["cursor"]))
        return seen["done"]

    until(look, "it never ended")
    return seen["payload"]


def test_a_job_that_ontap_has_forgotten_is_begun_once_more(ensure, client, ontap):
    ensure()
    ontap.jobs("reads", 100)
    first = caches.prepopulated(client, svm=SVM, name="near", paths=["/"])
    assert first["done"] is False
    ontap.control("DELETE", f"/jobs/{first['cursor']['job']}")
    ontap.jobs("immediate")
    second = caches.prepopulated(client, svm=SVM, name="near", paths=["/"], cursor=first["cursor"])
    assert second["cursor"]["job"] is None
    third = caches.prepopulated(client, svm=SVM, name="near", paths=["/"], cursor=second["cursor"])
    assert (third["done"], third["payload"]["used_bytes"]) == (True, 5)


def test_a_folder_that_is_not_there_and_an_origin_that_is_away_are_said(ensure, client, ontap, volume):
    ensure()
    with pytest.raises(
        errors.InvalidRequest, match=r"prepopulate cache svm1:near of volume svm1:tyre with /no.*\"/no\""
    ):
        caches.prepopulated(client, svm=SVM, name="near", paths=["/no"])
    ontap.http.patch(f"/api/storage/volumes/{volume.uuid}?return_timeout=20", json={"state": "offline"})
    with pytest.raises(errors.OtherEndAway, match="is offline. Check the other cluster"):
        caches.prepopulated(client, svm=SVM, name="near", paths=["/"])


def test_a_cache_is_unmounted_and_removed_and_its_origin_stays(ensure, client, ontap):
    ensure()
    assert caches.delete(client, svm=SVM, name="near") is True
    assert caches.delete(client, svm=SVM, name="near") is False
    assert (ontap.emulator.namespace / "tyre" / "one.png").read_bytes() == b"first"
    assert not (ontap.emulator.namespace / "near").exists()


def test_what_is_no_cache_or_not_ours_is_not_removed(ensure, client, volume):
    cache = ensure()
    with pytest.raises(errors.NotOurs, match="svm1:tyre was not removed: it is no cache"):
        caches.delete(client, svm=SVM, name="tyre")
    volumes.set_comment(client, volume=cache.volume, comment="somebody's")
    with pytest.raises(errors.NotOurs, match="its comment is"):
        caches.delete(client, svm=SVM, name="near")
    assert caches.get(client, svm=SVM, name="near").junction_path == "/near"
