"""What differs between two versions of a dataset, by the digests in their manifests."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tasks.common.program import BadInput
from tasks.data import difference


def version(top: Path, files: dict[str, bytes]) -> str:
    """A version's folder of data, with a manifest; returns the folder."""
    (top / ".mlops").mkdir(parents=True)
    for path, content in files.items():
        (top / "data" / path).parent.mkdir(parents=True, exist_ok=True)
        (top / "data" / path).write_bytes(content)
    listed = [{"path": p, "size": len(c), "sha256": hashlib.sha256(c).hexdigest()} for p, c in files.items()]
    digest = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
    (top / ".mlops" / "manifest.json").write_text(json.dumps({"files": listed, "digest": digest}))
    return str(top / "data")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    def told(*flags: str, **run_file: Any) -> dict[str, Any]:
        monkeypatch.setattr("sys.argv", ["difference", *flags])
        return difference.main()

    monkeypatch.delenv("RUN_FILE", raising=False)
    return told


@pytest.fixture
def versions(tmp_path: Path) -> tuple[str, str]:
    before = version(tmp_path / "v1", {"a.png": b"a", "deep/b.png": b"b", "gone.png": b"gone", "same.png": b"same"})
    after = version(tmp_path / "v2", {"a.png": b"A", "deep/b.png": b"longer", "new.png": b"new", "same.png": b"same"})
    os.utime(tmp_path / "v2" / "data" / "same.png", (1, 1))
    return before, after


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_files_are_told_apart_by_their_digests_alone(run, versions, tmp_path):
    target = tmp_path / "out" / "changes.jsonl"
    found = run("--before", versions[0], "--data", versions[1], "--changes", str(target))
    assert {key: found[key] for key in ("added", "changed", "removed", "bytes")} == {
        "added": 1,
        "changed": 2,
        "removed": 1,
        "bytes": 10,
    }
    assert [(line["change"], line["path"], line["size"]) for line in lines(target)] == [
        ("changed", "a.png", 1),
        ("changed", "deep/b.png", 6),
        ("removed", "gone.png", 4),
        ("added", "new.png", 3),
    ]
    assert lines(target)[0]["sha256"] == hashlib.sha256(b"A").hexdigest()
    assert found["digests"]["before"] != found["digests"]["after"] and found["changes"] == str(target)


def test_without_an_earlier_version_everything_is_new(run, versions, tmp_path):
    found = run("--data", versions[1], "--changes", str(tmp_path / "changes.jsonl"))
    assert (found["added"], found["changed"], found["removed"]) == (4, 0, 0)
    assert found["digests"]["before"] is None


def test_a_version_differs_in_nothing_from_itself_and_the_file_is_there_all_the_same(run, versions, tmp_path):
    target = tmp_path / "changes.jsonl"
    target.write_text("of an earlier run")
    found = run("--before", versions[0], "--data", versions[0], "--changes", str(target))
    assert (found["bytes"], target.read_text()) == (0, "")


def test_in_a_run_the_list_goes_to_the_runs_folder(run, versions, tmp_path, monkeypatch):
    facts = {"schema": 1, "run": {}, "data": versions[1], "folders": {"workspace": str(tmp_path / "ws")}}
    (tmp_path / "run.json").write_text(json.dumps(facts))
    monkeypatch.setenv("RUN_FILE", str(tmp_path / "run.json"))
    found = run("--before", versions[0])
    assert found["changes"] == str(tmp_path / "ws" / ".mlops" / "run" / "changes.jsonl")
    assert len(lines(Path(found["changes"]))) == 4


def test_data_without_a_manifest_is_refused_by_name(run, versions, tmp_path):
    (tmp_path / "bare" / "data").mkdir(parents=True)
    bare = str(tmp_path / "bare" / "data")
    for flags in (["--before", bare, "--data", versions[1]], ["--data", bare], ["--data", str(tmp_path / "bare")]):
        with pytest.raises(BadInput, match=r"bare\S* is not the data of a dataset version"):
            run(*flags, "--changes", str(tmp_path / "changes.jsonl"))
    assert not (tmp_path / "changes.jsonl").exists()


def test_a_folder_is_no_file_to_write_to(run, versions, tmp_path):
    with pytest.raises(BadInput, match="name a file"):
        run("--data", versions[1], "--changes", f"{tmp_path}/")
