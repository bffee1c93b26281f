"""Whatever is sent to the REST API is answered, never with a 5xx, and nothing outside the emulator's folder changes.

Each run sends the same requests. To look further, with others each time:

    EMULATOR_FUZZ_EXAMPLES=100000 python -m pytest tests/emulator/test_emulator_fuzz_rest.py
"""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest
import rest_fuzz
from hypothesis import HealthCheck, Phase, given, settings

EXAMPLES = int(os.environ.get("EMULATOR_FUZZ_EXAMPLES", "0"))
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


def outside(target) -> dict[str, object]:
    """Everything beside the emulator's folder, with what is in it."""
    home = target.root.parent
    kept = [path for path in home.rglob("*") if target.root not in (path, *path.parents) and path.suffix != ".log"]
    beside = {str(path): path.read_text() if path.is_file() else None for path in kept}
    return beside | {str(path): None for path in home.parent.iterdir()}


@settings(
    max_examples=EXAMPLES or BY_DEFAULT,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
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
