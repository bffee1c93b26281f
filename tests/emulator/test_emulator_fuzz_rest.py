"""Whatever is sent to the REST API is answered, never with a 5xx, and nothing outside the emulator's folder changes.

Each run sends the same requests. To look further, with others each time:

    EMULATOR_FUZZ_EXAMPLES=100000 python -m pytest tests/emulator/test_emulator_fuzz_rest.py
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import rest_fuzz
from fuzzing import EXAMPLES, outside, requests
from hypothesis import given

BY_DEFAULT = 1500
"""Half a minute."""


@pytest.fixture(scope="module")
def target(emulator, tmp_path_factory):
    """An emulator of its own over plain HTTP, between folders that are none of its business."""
    home = tmp_path_factory.mktemp("fuzz")
    for name in ("before", "victim"):
        (home / name / "inner").mkdir(parents=True)
        (home / name / "inner" / "file").write_text(name)
    started = type(emulator)(home / "root", "--http").start()
    yield started
    started.close()


@pytest.fixture(scope="module")
def gun(target):
    victim = str(target.root.parent / "victim")
    rest_fuzz.NASTY_TEXT += [victim, f"../../{Path(victim).name}", f"{victim}/inner", "../victim"]
    auth = ("admin", target.password)
    with httpx.Client(auth=auth, timeout=rest_fuzz.TIMEOUT_S, trust_env=False) as client:
        ready = rest_fuzz.Gun(target.url, client)
        ready.look()
        yield ready


@requests(BY_DEFAULT)
@given(shot=rest_fuzz.shots)
def shoot(target, gun, missed, shot):
    """Shots that miss are kept, not raised: the next one meets another state, so none could be tried again."""
    assert target.process.poll() is None, "the emulator has died"
    try:
        status, text = gun.fire(shot)
        if status >= 500:
            missed.append((text, shot))
        if shot.path.startswith("/emulator"):
            gun.put_back()
    except httpx.HTTPError as error:
        missed.append((repr(error), shot))


@pytest.mark.timeout(0 if EXAMPLES else 300)
def test_whatever_is_sent_is_answered_without_a_5xx_and_stays_in_the_emulators_folder(target, gun):
    before, missed = outside(target), []
    shoot(target, gun, missed)
    assert missed == []
    assert outside(target) == before
    for end in (target.stop, target.kill):
        end()
        target.start()
        assert gun.client.get(f"{target.url}/api/storage/volumes?fields=**").status_code == 200
        assert gun.client.get(f"{target.url}/api/svm/svms?fields=**").status_code == 200
    assert "Traceback" not in target.log
