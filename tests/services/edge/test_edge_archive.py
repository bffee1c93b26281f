"""What an edge server is asked is kept in batches that are whole or not there, within the room that there is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from services.edge.archive import LOOK_AGAIN_S, Archive
from tasks.edge import inputs


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def archive(folder: Path, clock: Clock, **more) -> Archive:
    return Archive(folder, site="edge_1", model="tyre", clock=clock, **({"most": 10_000, "close_after_s": 60} | more))


def keep(kept: Archive, request: str, content: bytes = b"picture") -> bool:
    return kept.keep(request, content, "png", {"at": "2026-11-27T21:00:00+00:00", "version": "3", "outputs": []})


def batches(folder: Path) -> list[Path]:
    return sorted((folder / "closed").glob("*/"))


def test_a_batch_is_closed_by_time_with_the_digest_of_every_file(tmp_path, clock):
    kept = archive(tmp_path, clock)
    assert keep(kept, "one") and keep(kept, "two", b"other")
    kept.tick()
    assert batches(tmp_path) == []
    clock.now += 60
    kept.tick()
    (batch,) = batches(tmp_path)
    told = json.loads((batch / "batch.json").read_text())
    assert (told["site"], told["model"], told["inputs"], told["lost_before"]) == ("edge_1", "tyre", 2, 0)
    assert told["files"]["two.png"] == hashlib.sha256(b"other").hexdigest()
    assert set(told["files"]) == {path.name for path in batch.iterdir()} - {"batch.json"}
    rows = [json.loads(line) for line in (batch / "inputs.jsonl").read_text().splitlines()]
    assert [(row["request"], row["file"], row["version"]) for row in rows] == [
        ("one", "one.png", "3"),
        ("two", "two.png", "3"),
    ]
    assert list((tmp_path / "open").rglob("*.png")) == []


def test_a_request_that_is_sent_again_is_kept_once(tmp_path, clock):
    kept = archive(tmp_path, clock)
    assert keep(kept, "one") and keep(kept, "one")
    kept.close()
    (batch,) = batches(tmp_path)
    assert json.loads((batch / "batch.json").read_text())["inputs"] == 1


def test_where_there_is_no_room_inputs_are_counted_and_kept_again_once_there_is(tmp_path, clock, caplog):
    kept = archive(tmp_path, clock, most=600)
    assert keep(kept, "one", b"x" * 400)
    assert not keep(kept, "two", b"x" * 400) and not keep(kept, "three", b"x" * 400)
    assert kept.lost == 2 and "is full" in kept.trouble and "run the DAG edge_inputs" in kept.trouble
    assert caplog.text.count("is full") == 1, "said once, not for each input"
    kept.close()
    (batch,) = batches(tmp_path)
    told = json.loads((batch / "batch.json").read_text())
    named = f"{batch.name}:{hashlib.sha256((batch / 'batch.json').read_bytes()).hexdigest()[:16]}"
    assert told["inputs"] == 1 and told["lost_before"] == 2

    program(inputs.clear, inputs=tmp_path, batch=[named])
    clock.now += LOOK_AGAIN_S
    assert keep(kept, "four", b"x" * 400) and kept.trouble == ""


def program(verb, **options):
    from types import SimpleNamespace

    return verb(SimpleNamespace(**options))


def test_a_volume_that_is_not_mounted_is_not_made_and_said(tmp_path, clock):
    kept = archive(tmp_path / "absent", clock)
    assert not keep(kept, "one")
    assert "cannot be written" in kept.trouble and not (tmp_path / "absent").exists()
    (tmp_path / "absent").mkdir()
    assert keep(kept, "two") and kept.lost == 1


def test_what_a_killed_front_has_left_is_closed_by_the_next_one_without_what_was_cut_off(tmp_path, clock):
    killed = archive(tmp_path, clock)
    keep(killed, "one")
    keep(killed, "two")
    (folder,) = (tmp_path / "open" / "front").iterdir()
    with (folder / "inputs.jsonl").open("ab") as file:
        file.write(b'{"request":"three","fi')
    (folder / "three.png").write_bytes(b"half of a pict")

    after = archive(tmp_path, clock)
    assert keep(after, "four")
    (batch,) = batches(tmp_path)
    assert {path.name for path in batch.iterdir()} == {"one.png", "two.png", "inputs.jsonl", "batch.json"}
    assert after.lost == 1
    found = program(inputs.gather, inputs=tmp_path, target=str(tmp_path / "home"))
    assert list(found["batches"]) == [batch.name] and found["bad"] == []


def test_two_fronts_of_a_site_do_not_touch_each_others_open_batches(tmp_path, clock):
    first, second = archive(tmp_path, clock, front="first"), archive(tmp_path, clock, front="second")
    assert keep(first, "one") and keep(second, "two") and keep(first, "three")
    first.close()
    second.close()
    assert sorted(len(list(batch.glob("*.png"))) for batch in batches(tmp_path)) == [1, 2]
