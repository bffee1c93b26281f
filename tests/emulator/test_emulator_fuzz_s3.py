"""Whatever is sent to the S3 server is answered, never with a 5xx but 507; others are served; nothing else is touched.

Each run sends the same requests. To look further, with others each time:

    EMULATOR_FUZZ_EXAMPLES=100000 python -m pytest tests/emulator/test_emulator_fuzz_s3.py
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
import s3_fuzz
from fuzzing import outside, requests
from hypothesis import given, note
from s3_raw import Raw

BY_DEFAULT = 2500
FULL = 507
"""The one 5xx that is documented: a volume without room."""
SECRET = "what nobody may read through S3"


@pytest.fixture(scope="module")
def target(emulator, tmp_path_factory):
    """An emulator of its own with a bucket of each type, between folders that are none of its business."""
    home = tmp_path_factory.mktemp("fuzz")
    (home / "victim").mkdir()
    (home / "victim" / "secret").write_text(SECRET)
    started = type(emulator)(home / "root", "--http").start()
    yield started
    started.close()


@pytest.fixture(scope="module")
def raw(target) -> Raw:
    with target.client() as rest:
        svm = rest.get("/api/svm/svms").json()["records"][0]
        rest.post("/api/protocols/s3/services", json={"svm": svm, "name": "s3server", "is_http_enabled": True})
        volume = {"svm": {"name": "svm1"}, "name": "files", "size": "50MB", "aggregates": [{"name": "aggr1"}]}
        volume |= {"nas": {"path": "/files", "unix_permissions": 777}}
        rest.post("/api/storage/volumes?return_timeout=60", json=volume)
        service = f"/api/protocols/s3/services/{svm['uuid']}"
        keys = rest.post(f"{service}/users", json={"name": "fuzz"}).json()["records"][0]
        group = {"name": "all", "users": [{"name": "fuzz"}], "policies": [{"name": "FullAccess"}]}
        rest.post(f"{service}/groups", json=group)
        for name, more in (("files", {"type": "nas", "nas_path": "/files"}), ("objects", {"size": "50MB"})):
            bucket = {"svm": {"name": "svm1"}, "name": name} | more
            assert rest.post("/api/protocols/s3/buckets?return_timeout=60", json=bucket).status_code == 201
    folder = target.namespace / "files"
    (folder / "out").symlink_to(target.root.parent / "victim")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    return Raw(target.s3_url, (keys["access_key"], keys["secret_key"]), timeout_s=s3_fuzz.TIMEOUT_S)


@pytest.fixture
def others_are_served(raw) -> Iterator[list[object]]:
    """Another client, which asks all the while; what it got instead of an answer is in the list."""
    stop, failed = threading.Event(), []

    def ask() -> None:
        while not stop.wait(0.05):
            try:
                answer = raw.request("GET", "/")
                if answer.status != 200:
                    failed.append(answer)
            except OSError as e:
                failed.append(e)

    asking = threading.Thread(target=ask)
    asking.start()
    yield failed
    stop.set()
    asking.join()


@requests(BY_DEFAULT)
@given(shot=s3_fuzz.shots())
def shoot(target, gun, shot):
    note(repr(shot))
    answer = gun.fire(shot)
    assert target.process.poll() is None, "the emulator has died"
    assert answer.status < 500 or answer.status == FULL, (answer, target.log[-4000:])
    assert SECRET not in answer.text


def test_whatever_is_sent_over_s3_is_answered_and_stays_in_the_emulators_folder(target, raw, others_are_served):
    before = outside(target)
    shoot(target, s3_fuzz.Gun(raw))
    assert outside(target) == before
    assert others_are_served == []
    assert list((target.root / "staging").iterdir()) == []
    for end in (target.stop, target.kill):
        end()
        target.start()
        for bucket in ("files", "objects"):
            assert raw.request("GET", f"/{bucket}", query={"list-type": "2"}).status == 200
    assert "Traceback" not in target.log
